//! A message as it goes by a tap, and what a watch keeps of it: never more than may be shown.

use crate::config::{
    TAIL_FRAME_BYTES_MAX, TAIL_FRAMES_MAX, TAIL_PAIRS_MAX, TAIL_SINKS_MAX, TAIL_TOPIC_BYTES_MAX, TAIL_VALUE_BYTES_MAX,
};
use crate::flow::inlet::SOCKET_KEY;
use crate::flow::message::{Message, Metadata};
use serde::Serialize;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::time::SystemTime;

/// Whose message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// A flow's.
    Flow(&'a str),
    /// A route's.
    Route(&'a str),
    /// A reply policy's, at the frontend.
    Policy(&'a str),
}

impl<'a> Place<'a> {
    /// What this word calls a place, and the place's name.
    pub fn parts(self) -> (&'static str, &'a str) {
        match self {
            Self::Flow(name) => ("flow", name),
            Self::Route(name) => ("route", name),
            Self::Policy(name) => ("policy", name),
        }
    }
}

/// Where on its way a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// It comes in.
    In,
    /// All sinks have taken it.
    Out,
    /// A client of the frontend asks.
    Request,
    /// A client of the frontend is answered.
    Reply,
}

/// A message that goes by.
#[derive(Clone, Debug)]
pub struct Passing<'a> {
    /// Where it is.
    pub point: Point,
    /// Whose it is.
    pub place: Place<'a>,
    /// The id of the request that it is of; empty if it has none.
    pub id: Cow<'a, str>,
    /// The socket that it came by.
    pub from: Option<&'a str>,
    /// The sinks that have taken it.
    pub to: SmallVec<[&'a str; 2]>,
    /// The identity of the client, at the frontend.
    pub identity: Option<&'a [u8]>,
    /// Its frames. Elsewhere than at the frontend the first of several is its topic.
    pub frames: SmallVec<[&'a [u8]; 4]>,
    /// Its metadata.
    pub metadata: &'a [(String, String)],
}

impl<'a> Passing<'a> {
    /// A message that is at this point of a place.
    pub fn of(point: Point, place: Place<'a>, message: &'a Message) -> Self {
        let value = |wanted: &str| message.metadata.iter().find(|(key, _)| key == wanted).map(|(_, value)| &**value);
        Self {
            point,
            place,
            id: value("tidegate.request-id").unwrap_or_default().into(),
            from: value(SOCKET_KEY).filter(|_| point == Point::In),
            to: SmallVec::new(),
            identity: None,
            frames: message.frames.iter().map(|frame| &frame[..]).collect(),
            metadata: &message.metadata,
        }
    }

    /// Its topic: a frame that is alone is a body, and none.
    pub(super) fn topic(&self) -> Option<&'a [u8]> {
        match &self.frames[..] {
            [topic, _, ..] if self.identity.is_none() => Some(topic),
            _ => None,
        }
    }

    /// Whether anything that is shown of it holds this text.
    pub(super) fn shows(&self, text: &[u8], with_bodies: bool) -> bool {
        let holds = |shown: &[u8]| text.len() <= shown.len() && shown.windows(text.len()).any(|part| part == text);
        let names = [self.place.parts().1, &self.id, self.from.unwrap_or_default()].into_iter();
        let names = names.chain(self.to.iter().copied()).map(str::as_bytes);
        if text.is_empty() || names.chain(self.identity).chain(self.topic().map(cut_topic)).any(holds) {
            return true;
        }
        with_bodies && (self.pairs().any(|(key, value)| holds(key) || holds(value)) || self.shown_frames().any(holds))
    }

    /// What is kept of it for who is shown this much.
    pub(super) fn seen(&self, with_bodies: bool) -> Seen {
        let (kind, name) = self.place.parts();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Seen {
            at: SystemTime::now(),
            point: self.point,
            kind,
            name: name.to_owned(),
            id: self.id.clone().into_owned(),
            from: self.from.map(str::to_owned),
            to: self.to.iter().take(TAIL_SINKS_MAX).map(|&name| name.to_owned()).collect(),
            identity: self.identity.map(Vec::from),
            topic: self.topic().map(|topic| cut_topic(topic).to_vec()),
            sizes: self.frames.iter().take(TAIL_FRAMES_MAX).map(|frame| frame.len()).collect(),
            frames_in_all: self.frames.len(),
            bytes: self.frames.iter().map(|frame| frame.len()).sum(),
            metadata: with_bodies.then(|| self.pairs().map(|(key, value)| (text(key), text(value))).collect()),
            frames: with_bodies.then(|| self.kept_frames()),
        }
    }

    fn kept_frames(&self) -> Vec<SeenFrame> {
        let is_cut = self.frames.iter().map(|frame| frame.len() > TAIL_FRAME_BYTES_MAX);
        self.shown_frames().zip(is_cut).map(|(bytes, is_cut)| SeenFrame { bytes: bytes.to_vec(), is_cut }).collect()
    }

    fn shown_frames(&self) -> impl Iterator<Item = &'a [u8]> {
        self.frames.iter().take(TAIL_FRAMES_MAX).map(|frame| cut(frame, TAIL_FRAME_BYTES_MAX))
    }

    fn pairs(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let cut = |text: &'a str| cut(text.as_bytes(), TAIL_VALUE_BYTES_MAX);
        self.metadata.iter().take(TAIL_PAIRS_MAX).map(move |(key, value)| (cut(key), cut(value)))
    }
}

/// What a watch keeps of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When it went by.
    pub at: SystemTime,
    /// Where it was.
    pub point: Point,
    /// What it was at: `flow`, `route` or `policy`.
    pub kind: &'static str,
    /// The name of that.
    pub name: String,
    /// The id of its request; empty if it has none.
    pub id: String,
    /// The socket that it came by.
    pub from: Option<String>,
    /// The sinks that have taken it.
    pub to: Vec<String>,
    /// The identity of the client, at the frontend.
    pub identity: Option<Vec<u8>>,
    /// Its topic, or the beginning of a long one.
    pub topic: Option<Vec<u8>>,
    /// The bytes of its first frames.
    pub sizes: Vec<usize>,
    /// How many frames it has.
    pub frames_in_all: usize,
    /// The bytes of all of them.
    pub bytes: usize,
    /// Its first pairs, where those are shown.
    pub metadata: Option<Metadata>,
    /// The beginnings of its first frames, where those are shown.
    pub frames: Option<Vec<SeenFrame>>,
}

impl Seen {
    /// About how much it takes in memory.
    pub(super) fn bytes_held(&self) -> usize {
        let texts = self.to.iter().chain(self.from.as_ref()).chain([&self.name, &self.id]).map(String::len);
        let parts = self.identity.iter().chain(&self.topic).map(Vec::len);
        let pairs =
            self.metadata.iter().flatten().map(|(key, value)| key.len() + value.len() + size_of::<[String; 2]>());
        let frames = self.frames.iter().flatten().map(|frame| frame.bytes.len() + size_of::<SeenFrame>());
        size_of::<Self>() + texts.chain(parts).chain(pairs).chain(frames).sum::<usize>()
    }
}

/// A frame, or the beginning of a long one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenFrame {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it has more.
    pub is_cut: bool,
}

fn cut_topic(topic: &[u8]) -> &[u8] {
    cut(topic, TAIL_TOPIC_BYTES_MAX)
}

/// As much of it as there may be, and no part of a character at the end: what is text stays text.
fn cut(bytes: &[u8], bytes_max: usize) -> &[u8] {
    if bytes.len() <= bytes_max {
        return bytes;
    }
    let is_inside = |&at: &usize| bytes[at] & 0b1100_0000 == 0b1000_0000;
    // A character has at most four bytes; of what is no text the end does not matter.
    let end = (bytes_max.saturating_sub(3)..=bytes_max).rev().find(|at| !is_inside(at));
    &bytes[..end.unwrap_or(bytes_max)]
}
