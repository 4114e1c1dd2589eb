//! The messages of a file of captured traffic that came in from outside.

use crate::flow::{Frames, Metadata};

use crate::record::capture::record::{CallRole, Pair, Record};
use crate::record::capture::{CaptureError, CaptureFile, Captured, Lost, REDACTED};
use crate::record::choice::{Choice, PlaceKind};
use crate::record::dead_letters::{Input, Letter};
use crate::record::traffic::{TrafficError, TrafficKind, each_letter};
use std::io;
use std::path::Path;

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

/// Why a file cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is none of captured traffic.
    #[error(transparent)]
    Traffic(#[from] TrafficError),
    /// A capture.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// Dead letters.
    #[error(transparent)]
    Letters(#[from] io::Error),
}

/// Hands on what is chosen of a file, in its order, until `found` says that it is enough. Returns what of a capture could not
/// be read, which is told of as skipped too, but for what was cut off at its end.
///
/// # Errors
/// When the file cannot be read, or is none of captured traffic.
pub fn each_incoming(file: &Path, choice: Choice, mut found: impl FnMut(Found) -> bool) -> Result<Lost, ReadError> {
    if TrafficKind::of(file)? == TrafficKind::DeadLetters {
        let mut goes_on = true;
        each_letter(file, |_, letter| {
            let entry = match letter.map(of_letter) {
                None => Some(Found::Skipped(Skip::Broken)),
                Some(Some(captured)) => captured.is_chosen_by(&choice).then(|| of_record(captured)),
                Some(None) => (choice == Choice::default()).then_some(Found::Skipped(Skip::Reply)),
            };
            if let Some(entry) = entry.filter(|_| goes_on) {
                goes_on = found(entry);
            }
        })?;
        return Ok(Lost::default());
    }
    let mut records = CaptureFile::open(file)?.records(choice);
    while let Some(captured) = records.next() {
        if !found(of_record(captured?)) {
            return Ok(records.lost());
        }
    }
    let lost = records.lost();
    for _ in 0..lost.chunks.saturating_add(lost.records) {
        if !found(Found::Skipped(Skip::Broken)) {
            break;
        }
    }
    Ok(lost)
}

/// A letter as a capture would have it; none of a reply.
fn of_letter(letter: Letter) -> Option<Captured> {
    let flow = letter.flow().map(str::to_owned);
    let Letter { time, route, input, .. } = letter;
    let (kind, name) = match (&input, flow) {
        (Input::Request { .. }, _) => (PlaceKind::Policy, route),
        (_, Some(flow)) => (PlaceKind::Flow, flow),
        (_, None) => (PlaceKind::Route, route),
    };
    let message = input.into_message()?;
    let time = time.parse::<jiff::Timestamp>().map_or(0, |time| u64::try_from(time.as_nanosecond()).unwrap_or(0));
    let metadata = message.metadata.into_iter().map(|(key, value)| Pair { key, value }).collect();
    Some(Captured { kind, name, time, record: Record { frames: message.frames.into_vec(), metadata, call: None } })
}

fn of_record(captured: Captured) -> Found {
    let Captured { kind, name, time, record: Record { frames, metadata, call } } = captured;
    let skip = match &call {
        Some(call) if call.stage > 0 => Some(Skip::LaterStage),
        _ if kind == PlaceKind::Policy => Some(Skip::Request),
        Some(call) if call.role() == CallRole::Handler => Some(Skip::Handler),
        _ => None,
    };
    if let Some(skip) = skip {
        return Found::Skipped(skip);
    }
    let metadata = metadata.into_iter().filter(|pair| pair.value != REDACTED);
    let metadata = metadata.map(|Pair { key, value }| (key, value)).collect();
    Found::Incoming(Incoming { time, kind, name, metadata, frames: frames.into() })
}
