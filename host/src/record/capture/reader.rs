//! A capture as it is read: by its index where it has one; else, after the host was killed, from its beginning on.

mod chunk;
mod records;
mod walk;

pub use records::{Captured, Lost, Records};

use super::format::{ABOUT, About, Channel, PROFILE};
use crate::config::CAPTURE_RECORD_BYTES_MAX;
use crate::record::choice::Choice;
use mcap::records::{Record, op};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use walk::{FileWalk, MAGIC_BYTES};

/// The footer, and the magic behind it.
const FOOTER_BYTES: u64 = 1 + 8 + 20 + MAGIC_BYTES;
/// Records at the beginning, before the first chunk.
const FIRST_RECORDS_MAX: usize = 16;

/// Why a file cannot be read as a capture.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The system does not let it be read.
    #[error("{}: {cause}", .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The error.
        cause: io::Error,
    },
    /// It is something else.
    #[error("{}: {what}", .file.display())]
    Other {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

/// A capture that is open.
#[derive(Debug)]
pub struct CaptureFile {
    walk: FileWalk,
    about: About,
    summary: Option<Summary>,
    /// Where what follows the first records begins.
    first: u64,
}

/// What the end of a file says of the whole. A host that was killed had no time to write it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records.
    pub records: u64,
    /// When the first came in, in nanoseconds since 1970.
    pub first: u64,
    /// When the last came in.
    pub last: u64,
    /// The channels, and how many records each has.
    pub channels: BTreeMap<u16, (Channel, u64)>,
    chunks: Vec<ChunkPlace>,
}

/// Where a chunk is, and the channels and the times of what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ChunkPlace {
    at: u64,
    channels: Vec<u16>,
    first: u64,
    last: u64,
}

impl CaptureFile {
    /// Opens a file. Reads its beginning and its end, whatever is between.
    ///
    /// # Errors
    /// When it cannot be read, or is no capture; says what it is instead.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let mut walk = FileWalk::open(path)?;
        let (about, first) = read_beginning(&mut walk)?;
        let summary = read_summary(&mut walk);
        Ok(Self { walk, about, summary, first })
    }

    /// The host that made it.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// What its end says of the whole; none if it was not ended, or its end is broken.
    pub fn summary(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }

    /// Its bytes.
    pub fn bytes(&self) -> u64 {
        self.walk.length()
    }

    /// Its records that are chosen, in the order in which they were written.
    pub fn records(self, choice: Choice) -> Records {
        Records::new(self.walk, self.summary, self.first, choice)
    }
}

/// Who made it, and where the beginning ends.
fn read_beginning(walk: &mut FileWalk) -> Result<(About, u64), CaptureError> {
    walk.check_magic()?;
    let (mut at, mut has_profile) = (MAGIC_BYTES, false);
    for _ in 0..FIRST_RECORDS_MAX {
        let Some(head) = walk.head(at)? else { break };
        if head.opcode == op::CHUNK {
            break;
        }
        let body = walk.body(head, CAPTURE_RECORD_BYTES_MAX)?;
        match mcap::parse_record(head.opcode, &body) {
            Ok(Record::Header(header)) if header.profile == PROFILE => has_profile = true,
            Ok(Record::Header(header)) => {
                return Err(walk.other(format!(
                    "it is an MCAP file, but no capture of Tidegate: its profile is `{}`",
                    header.profile
                )));
            }
            Ok(Record::Metadata(metadata)) if has_profile && metadata.name == ABOUT => {
                let about = About::of_pairs(&metadata.metadata);
                let about = about.ok_or_else(|| walk.other("its seed is no number".to_owned()))?;
                return Ok((about, head.end()));
            }
            Ok(_) => {}
            Err(error) => return Err(walk.other(format!("its beginning is broken: {error}"))),
        }
        at = head.end();
    }
    Err(walk
        .other("it does not say which host captured it: it was cut off at its beginning, or is no capture".to_owned()))
}

/// The summary, if there is a whole one.
fn read_summary(walk: &mut FileWalk) -> Option<Summary> {
    let footer = walk.head(walk.length().checked_sub(FOOTER_BYTES)?).ok()??;
    if footer.opcode != op::FOOTER || footer.end() + MAGIC_BYTES != walk.length() {
        return None;
    }
    let body = walk.body(footer, CAPTURE_RECORD_BYTES_MAX).ok()?;
    let Ok(Record::Footer(found)) = mcap::parse_record(op::FOOTER, &body) else { return None };
    let (mut at, mut summary) = (found.summary_start, Summary::default());
    let mut counts = BTreeMap::new();
    while at != 0 && at < footer.at() {
        let head = walk.head(at).ok()??;
        if matches!(head.opcode, op::CHANNEL | op::CHUNK_INDEX | op::STATISTICS) {
            let body = walk.body(head, CAPTURE_RECORD_BYTES_MAX).ok()?;
            match mcap::parse_record(head.opcode, &body).ok()? {
                Record::Channel(channel) => {
                    let known = Channel::of_pairs(&channel.metadata)?;
                    summary.channels.insert(channel.id, (known, 0));
                }
                Record::ChunkIndex(index) => {
                    let channels = index.message_index_offsets.into_keys().collect();
                    summary.chunks.push(ChunkPlace {
                        at: index.chunk_start_offset,
                        channels,
                        first: index.message_start_time,
                        last: index.message_end_time,
                    });
                }
                Record::Statistics(statistics) => {
                    summary.records = statistics.message_count;
                    (summary.first, summary.last) = (statistics.message_start_time, statistics.message_end_time);
                    counts = statistics.channel_message_counts;
                }
                _ => {}
            }
        }
        at = head.end();
    }
    for (id, (_, count)) in &mut summary.channels {
        *count = counts.get(id).copied().unwrap_or_default();
    }
    (at == footer.at()).then_some(summary)
}
