//! One event, its id, and from where a stream goes on.

use crate::config::{BODY_BYTES_UNCOUNTED, SUBSCRIPTION_BYTES_MAX};
use crate::flow::Frames;
use bytes::Bytes;
use std::fmt;
use std::sync::OnceLock;

/// What an event takes in memory beside its frames.
const OVERHEAD_BYTES: usize = 256;
/// What a frame takes beside its bytes.
const FRAME_BYTES: usize = 32;

/// A message with its number.
#[derive(Debug)]
pub struct Event {
    /// Its number in this run of the host, from 1 and without a gap.
    pub number: u64,
    /// What the message has.
    pub frames: Frames,
    /// Of one that was too large to be kept only the topic is left: whoever it was for is told that it is missing.
    is_lost: bool,
    /// Its text in streams of Server-Sent Events, once it has gone to one.
    sse: OnceLock<Bytes>,
}

impl Event {
    /// Of a message that is kept.
    pub(in crate::http) fn new(number: u64, frames: Frames) -> Self {
        Self { number, frames, is_lost: false, sse: OnceLock::new() }
    }

    /// Of a message that is too large, of which these frames are left.
    pub(super) fn lost(number: u64, frames: Frames) -> Self {
        Self { is_lost: true, ..Self::new(number, frames) }
    }

    /// Its topic, empty where the message has one frame only.
    pub fn topic(&self) -> Bytes {
        if self.frames.len() > 1 { self.frames[0].clone() } else { Bytes::new() }
    }

    /// What topics are compared with, as ZeroMQ does: the first frame.
    pub(super) fn first_frame(&self) -> &[u8] {
        self.frames.first().map_or(&[], |frame| frame)
    }

    /// Its text, which is made once.
    pub(super) fn sse(&self, encode: impl FnOnce(&Self) -> Bytes) -> Bytes {
        self.sse.get_or_init(|| encode(self)).clone()
    }

    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    pub(super) fn bytes(&self) -> usize {
        bytes_of(&self.frames)
    }
}

/// What a message takes.
pub(super) fn bytes_of(frames: &Frames) -> usize {
    OVERHEAD_BYTES + frames.iter().map(|frame| FRAME_BYTES + frame.len()).sum::<usize>()
}

/// The frames of a message to keep. Bodies that the bound on bodies in flight counts are copied: they would be counted for as
/// long as they are kept.
pub(super) fn kept(frames: &Frames) -> Frames {
    let kept = |frame: &Bytes| match frame.len() > BODY_BYTES_UNCOUNTED {
        true => Bytes::copy_from_slice(frame),
        false => frame.clone(),
    };
    frames.iter().map(kept).collect()
}

/// What is kept of a message that is too large: as much of the first frame as topics are compared with.
pub(super) fn beginning(frames: &Frames) -> Frames {
    let beginning = |frame: &Bytes| Bytes::copy_from_slice(&frame[..frame.len().min(SUBSCRIPTION_BYTES_MAX)]);
    frames.first().map(beginning).into_iter().collect()
}

/// Names an event in all runs of the host: `EPOCH-NUMBER`. A stream that goes on after it gets what came later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventId {
    /// Of the run.
    pub epoch: u64,
    /// Of the event in the run.
    pub number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.epoch, self.number)
    }
}

impl EventId {
    /// The id that a text is, if it is one.
    pub fn of(text: &str) -> Option<Self> {
        let (epoch, number) = text.split_once('-')?;
        let is_hex = epoch.len() == 16 && epoch.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_decimal = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if !is_hex || !is_decimal {
            return None;
        }
        Some(Self { epoch: u64::from_str_radix(epoch, 16).ok()?, number: number.parse().ok()? })
    }
}

/// From where a stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// With what comes from now on.
    Now,
    /// With the oldest that is kept.
    Earliest,
    /// With what came after this one.
    After(EventId),
    /// After one that nobody knows: whoever asks missed nobody knows how many.
    Unknown,
}

impl Resume {
    /// What a client says of where it goes on: the id of the last event that it has, or `earliest`. What is neither is of
    /// another host, or another time.
    pub fn of(text: &str) -> Self {
        match text {
            "earliest" => Self::Earliest,
            text => EventId::of(text).map_or(Self::Unknown, Self::After),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_as_it_is_written() {
        let id = EventId { epoch: 0xab, number: 12 };
        assert_eq!(id.to_string(), "00000000000000ab-12");
        assert_eq!(Resume::of(&id.to_string()), Resume::After(id));
        assert_eq!(Resume::of("earliest"), Resume::Earliest);
        for none in [
            "",
            "-",
            "ab-1",
            "00000000000000ab-",
            "00000000000000ab-+1",
            "00000000000000ag-1",
            "00000000000000ab",
            "00000000000000ab-99999999999999999999",
            "+0000000000000ab-1",
            "00000000000000ab-1 ",
        ] {
            assert_eq!(Resume::of(none), Resume::Unknown, "{none:?}");
        }
    }
}
