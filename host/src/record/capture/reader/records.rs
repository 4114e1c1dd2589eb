//! The records of a capture, chunk by chunk: no more than one chunk is in memory at a time.

use super::walk::FileWalk;
use super::{CaptureError, ChunkPlace, Summary, chunk};
use crate::config::CAPTURE_CHUNK_BYTES_MAX;
use crate::record::capture::format::Channel;
use crate::record::capture::record;
use crate::record::choice::{Choice, PlaceKind, Traits};
use bytes::Bytes;
use mcap::records::{Record, op};
use prost::Message;
use std::collections::{HashMap, VecDeque};

/// A record with what its channel says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// What it was captured at.
    pub kind: PlaceKind,
    /// The name of that.
    pub name: String,
    /// When it came in, in nanoseconds since 1970.
    pub time: u64,
    /// What was captured.
    pub record: record::Record,
}

impl Captured {
    /// The topic: the first of several frames, but at a policy, where that is the identity of a client.
    pub fn topic(&self) -> Option<&[u8]> {
        match &self.record.frames[..] {
            [topic, _, ..] if self.kind != PlaceKind::Policy => Some(topic),
            _ => None,
        }
    }

    /// Whether it is chosen.
    pub fn is_chosen_by(&self, choice: &Choice) -> bool {
        let Self { kind, name, time, record } = self;
        let call = record.call.as_ref();
        let plugin = call.map(|call| &*call.plugin).filter(|plugin| !plugin.is_empty());
        let reason = call.and_then(|call| Some(&*call.failure.as_ref()?.reason));
        let traits = Traits { kind: *kind, name, plugin, reason, time: Some(*time) };
        choice.has(&traits, || self.topic())
    }
}

/// What of a capture could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// The bytes at its end that are no whole record: the chunk that was being written when the host was killed.
    pub cut_off: u64,
    /// Chunks whose content is broken.
    pub chunks: u64,
    /// Records that are none of a capture.
    pub records: u64,
}

impl Lost {
    /// What is said of it, in lines.
    pub fn lines(self) -> Vec<String> {
        let Self { cut_off, chunks, records } = self;
        let lines = [
            (cut_off, format!("its last {cut_off} bytes are cut off: the host ended while it wrote them")),
            (chunks, format!("{chunks} chunks are broken, and what was in them is left out")),
            (records, format!("{records} records are none of a capture, and are left out")),
        ];
        lines.into_iter().filter(|(count, _)| *count > 0).map(|(_, line)| line).collect()
    }
}

/// Reads on until the end. What is broken is passed over and counted.
pub struct Records {
    walk: FileWalk,
    choice: Choice,
    /// The chunks that are left, where an index tells of them.
    indexed: Option<VecDeque<ChunkPlace>>,
    /// Where the next record of the file is, where none does.
    at: u64,
    channels: HashMap<u16, Channel>,
    ready: VecDeque<Captured>,
    lost: Lost,
    is_over: bool,
}

impl Records {
    pub(super) fn new(walk: FileWalk, summary: Option<Summary>, at: u64, choice: Choice) -> Self {
        let (mut indexed, mut channels) = (None, HashMap::new());
        if let Some(Summary { channels: known, mut chunks, .. }) = summary {
            channels = known.into_iter().map(|(id, (channel, _))| (id, channel)).collect();
            chunks.sort_by_key(|chunk| chunk.at);
            // No more often than once, whatever the index says.
            chunks.dedup_by_key(|chunk| chunk.at);
            chunks.retain(|chunk| {
                choice.may_have_between(chunk.first, chunk.last)
                    && chunk.channels.iter().any(|id| channels.get(id).is_some_and(|of| may_have(&choice, of)))
            });
            indexed = Some(chunks.into());
        }
        let (ready, lost) = Default::default();
        Self { walk, choice, indexed, at, channels, ready, lost, is_over: false }
    }

    /// What could not be read so far.
    pub fn lost(&self) -> Lost {
        self.lost
    }

    /// Reads the next chunk. Whether there was one.
    fn read_chunk(&mut self) -> Result<bool, CaptureError> {
        let head = loop {
            let at = match &mut self.indexed {
                None => self.at,
                Some(chunks) => match chunks.pop_front() {
                    Some(chunk) => chunk.at,
                    None => return Ok(false),
                },
            };
            let head = self.walk.head(at)?;
            match head {
                Some(head) if head.opcode == op::CHUNK => break head,
                Some(head) if self.indexed.is_none() && head.opcode != op::DATA_END => self.at = head.end(),
                _ if self.indexed.is_some() => self.lost.chunks += 1,
                Some(_) => return Ok(false),
                None => {
                    self.lost.cut_off = self.walk.length().saturating_sub(at);
                    return Ok(false);
                }
            }
        };
        self.at = head.end();
        if head.bytes() > CAPTURE_CHUNK_BYTES_MAX as u64 {
            self.lost.chunks += 1;
            return Ok(true);
        }
        let body = self.walk.body(head, CAPTURE_CHUNK_BYTES_MAX)?;
        let Self { choice, channels, ready, lost, .. } = self;
        let mut take = |record: Record<'_>| match record {
            Record::Channel(channel) => {
                match Channel::of_pairs(&channel.metadata) {
                    Some(known) => drop(channels.insert(channel.id, known)),
                    None => lost.records += 1,
                };
            }
            Record::Message { header, data } => match channels.get(&header.channel_id) {
                Some(channel) if !may_have(choice, channel) => {}
                Some(channel) => match record::Record::decode(Bytes::from(data.into_owned())) {
                    Ok(record) => {
                        let (kind, name, time) = (channel.kind, channel.name.clone(), header.log_time);
                        let captured = Captured { kind, name, time, record };
                        if captured.is_chosen_by(choice) {
                            ready.push_back(captured);
                        }
                    }
                    Err(_) => lost.records += 1,
                },
                None => lost.records += 1,
            },
            _ => {}
        };
        if chunk::read(&body, &mut take).is_err() {
            self.lost.chunks += 1;
        }
        Ok(true)
    }
}

impl Iterator for Records {
    type Item = Result<Captured, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(captured) = self.ready.pop_front() {
                return Some(Ok(captured));
            }
            if self.is_over {
                return None;
            }
            match self.read_chunk() {
                Ok(true) => {}
                Ok(false) => self.is_over = true,
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

/// Whether a channel may have records that are chosen.
fn may_have(choice: &Choice, channel: &Channel) -> bool {
    choice.has_place(channel.kind, &channel.name)
        && channel.topic.as_ref().is_none_or(|topic| topic.starts_with(&choice.topic))
}
