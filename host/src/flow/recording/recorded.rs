//! What is recorded: a message, and the call that was made for it.

use crate::buckets::BucketLog;
use crate::flow::message::{Frames, Message, Metadata};
use crate::flow::stage::{Outputs, ServedBy};
use crate::flow::taps::Place;
use crate::ledger::Reason;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The key of the pair that names the request a message is of, which it keeps on its way through a chain.
const REQUEST_ID: &str = "tidegate.request-id";

/// A message that may be recorded, as who records is asked whether it is.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Where it is.
    pub place: Place<'a>,
    /// Any number, evenly spread, which is the same at every call of one chain.
    pub mark: u64,
    /// The first of several frames, but at a policy, where that is the identity of a client.
    pub topic: Option<&'a [u8]>,
    /// The plugin that is about to be called; none where none is.
    pub plugin: Option<&'a str>,
}

impl<'a> Subject<'a> {
    pub(super) fn new(
        place: Place<'a>,
        message: &'a Message,
        plugin: Option<&'a str>,
        number: impl FnOnce() -> u64,
    ) -> Self {
        let mut hasher = DefaultHasher::new();
        match message.metadata.iter().find(|(key, _)| key == REQUEST_ID) {
            Some((_, id)) => id.hash(&mut hasher),
            None => number().hash(&mut hasher),
        }
        let topic = match &message.frames[..] {
            [topic, _, ..] if !matches!(place, Place::Policy(_)) => Some(&topic[..]),
            _ => None,
        };
        Self { place, mark: hasher.finish(), topic, plugin }
    }
}

/// As [`Place`], for who keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum OwnedPlace {
    Flow(String),
    Route(String),
    Policy(String),
}

impl OwnedPlace {
    /// As a place that goes by.
    pub fn borrowed(&self) -> Place<'_> {
        match self {
            Self::Flow(name) => Place::Flow(name),
            Self::Route(name) => Place::Route(name),
            Self::Policy(name) => Place::Policy(name),
        }
    }
}

impl Default for OwnedPlace {
    fn default() -> Self {
        Self::Flow(String::new())
    }
}

impl From<Place<'_>> for OwnedPlace {
    fn from(place: Place<'_>) -> Self {
        match place {
            Place::Flow(name) => Self::Flow(name.to_owned()),
            Place::Route(name) => Self::Route(name.to_owned()),
            Place::Policy(name) => Self::Policy(name.to_owned()),
        }
    }
}

/// A message, and the call that was made for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// When it came in.
    pub at: SystemTime,
    /// Where.
    pub place: OwnedPlace,
    /// Its frames.
    pub frames: Frames,
    /// Its metadata.
    pub metadata: Metadata,
    /// The call; none where no plugin was there to be called.
    pub call: Option<RecordedCall>,
}

/// A call, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedCall {
    /// The plugin's name.
    pub plugin: String,
    /// The generation that served; none if none was reached.
    pub by: Option<Arc<ServedBy>>,
    /// The number of the call, from which its random numbers derive.
    pub number: u64,
    /// How long it took, with what it waited for its turn.
    pub took: Duration,
    /// Which stage of its chain it was for, from 0.
    pub stage: usize,
    /// What came out, or the reason and the whole error.
    pub result: Result<Outputs, (Reason, String)>,
    /// What it did with buckets, and was told by them; none if it used none.
    pub buckets: Option<Arc<BucketLog>>,
}

impl Recorded {
    /// About how much it takes in memory.
    pub fn bytes(&self) -> usize {
        let of_buckets = self.call.as_ref().and_then(|call| call.buckets.as_ref()).map_or(0, |log| log.bytes());
        let of_call = self.call.as_ref().map_or(0, |call| match &call.result {
            Ok(outputs) => outputs
                .iter()
                .map(|output| size_of_val(output) + bytes(&output.message.frames, &output.message.metadata))
                .sum(),
            Err((_, detail)) => detail.len(),
        });
        size_of::<Self>() + bytes(&self.frames, &self.metadata) + of_call + of_buckets
    }
}

fn bytes(frames: &Frames, metadata: &Metadata) -> usize {
    let pairs = metadata.iter().map(|(key, value)| size_of::<(String, String)>() + key.len() + value.len());
    frames.iter().map(|frame| size_of_val(frame) + frame.len()).chain(pairs).sum()
}
