//! The messages of a file of captured traffic that came in from outside.

use crate::buckets::BucketLog;
use crate::flow::{Frames, Metadata};
use crate::record::capture::record::{Call, CallRole, Pair, Record};
use crate::record::capture::{Captured, Lost, REDACTED};
use crate::record::choice::{Choice, PlaceKind};
use crate::record::dead_letters::LetterHop;
use crate::record::traffic::{Entry, ReadError, each_entry};
use std::path::Path;
use std::sync::Arc;

/// A message as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// When, in nanoseconds since 1970; of a dead letter, when it was lost.
    pub time: u64,
    /// What it came to: a flow or a route.
    pub kind: PlaceKind,
    /// The name of that.
    pub name: String,
    /// Its metadata, without what was redacted.
    pub metadata: Metadata,
    /// Its frames.
    pub frames: Frames,
    /// The plugin that was called for it first, and what buckets told that call; none where that is not known.
    pub told: Option<(String, Arc<BucketLog>)>,
}

/// What is found in a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A message that came in.
    Incoming(Incoming),
    /// Something else.
    Skipped(Skip),
}

/// Why something is not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skip {
    /// It came out of the stage before in its chain, and will again.
    LaterStage,
    /// The same, where calls are chosen by what they are: what came in for it may have been left out.
    LaterStageAlone,
    /// It is a client's request to the frontend.
    Request,
    /// It is a reply to a client.
    Reply,
    /// It is a request of HTTP to a handler.
    Handler,
    /// HTTP has no message of several frames.
    SeveralFrames,
    /// It came to a flow, to which no URL leads.
    NoRoute,
    /// It makes no request of HTTP.
    NoRequest,
    /// It cannot be read.
    Broken,
}

impl Skip {
    /// What is said of so many.
    pub fn text(self) -> &'static str {
        match self {
            Self::LaterStage => "of later stages of a chain",
            Self::LaterStageAlone => "of later stages of a chain, chosen without what came in",
            Self::Request => "of clients of the frontend",
            Self::Reply => "to clients of the frontend",
            Self::Handler => "of handlers of HTTP",
            Self::SeveralFrames => "of several frames, which HTTP has not",
            Self::NoRoute => "of flows, to which no URL leads: give one with a path",
            Self::NoRequest => "of which no request of HTTP can be made",
            Self::Broken => "that cannot be read",
        }
    }

    /// Whether all was sent although this was not.
    pub fn is_no_loss(self) -> bool {
        self == Self::LaterStage
    }
}

/// Hands on what is chosen of a file, in its order, until `found` says that it is enough. Returns what of a capture could not
/// be read, which is told of as skipped too, but for what was cut off at its end.
///
/// # Errors
/// When the file cannot be read, or is none of captured traffic.
pub fn each_incoming(file: &Path, choice: &Choice, mut found: impl FnMut(Found) -> bool) -> Result<Lost, ReadError> {
    each_entry(file, choice, |entry| {
        found(entry.map_or(Found::Skipped(Skip::Broken), |entry| of_entry(entry, choice.has_whole_chains())))
    })
}

fn of_entry(Entry { captured, letter }: Entry, has_whole_chains: bool) -> Found {
    let Captured { kind, name, time, record: Record { frames, metadata, call } } = captured;
    let role = call.as_ref().map(Call::role);
    let skip = match &call {
        _ if letter.is_some_and(|letter| letter.hop == LetterHop::Reply) => Some(Skip::Reply),
        Some(call) if call.stage > 0 && has_whole_chains => Some(Skip::LaterStage),
        Some(call) if call.stage > 0 => Some(Skip::LaterStageAlone),
        _ if kind == PlaceKind::Policy || role == Some(CallRole::Policy) => Some(Skip::Request),
        _ if role == Some(CallRole::Handler) => Some(Skip::Handler),
        _ => None,
    };
    if let Some(skip) = skip {
        return Found::Skipped(skip);
    }
    let metadata = metadata.into_iter().filter(|pair| pair.value != REDACTED);
    let metadata = metadata.map(|Pair { key, value }| (key, value)).collect();
    let told = call.and_then(|call| Some((call.plugin, Arc::new(call.buckets?.into()))));
    Found::Incoming(Incoming { time, kind, name, metadata, frames: frames.into(), told })
}
