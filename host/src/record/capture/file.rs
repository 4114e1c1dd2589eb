//! A capture as it is written: an MCAP file of which every chunk is whole as soon as it is there.

use super::format::{ABOUT, About, Channel, ENCODING, PROFILE};
use super::record::Record;
use super::schema::{SCHEMA, schema};
use crate::config::{
    CAPTURE_CHANNELS_MAX, CAPTURE_CHUNK_BYTES, CAPTURE_INDEX_BYTES_MAX, CAPTURE_RECORD_BYTES_MAX,
    CAPTURE_TOPIC_BYTES_MAX,
};
use mcap::records::{MessageHeader, Metadata};
use mcap::write::NoSeek;
use mcap::{Compression, McapError, WriteOptions, Writer};
use prost::Message;
use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// About what a chunk adds to the end of the file, beside what each of its channels does.
const CHUNK_INDEX_BYTES: u64 = 128;
/// About what a channel adds there for each chunk that it is in, and behind that chunk.
const CHANNEL_INDEX_BYTES: u64 = 32;
/// What a record takes beside itself, in its chunk and in the index behind that.
const RECORD_BYTES: u64 = 31 + 16;
/// About what the rest of the end takes: the schema, statistics and offsets.
const END_BYTES: u64 = 4 << 10;

/// Why a record is not in the file.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It is larger than a record may be, or than an empty file has room for. The others are not hurt.
    #[error("a record of {0} bytes is larger than {CAPTURE_RECORD_BYTES_MAX}, or than a whole file may be")]
    TooLarge(usize),
    /// The file, or its index, has as many bytes as it may. It is to be finished.
    #[error("it has the bytes that it may have")]
    Full,
    /// Nothing more can be written.
    #[error("{0}")]
    Failed(String),
}

/// Writes one file.
pub struct CaptureWriter<W: Write> {
    mcap: Writer<NoSeek<Counted<W>>>,
    schema: u16,
    channels: HashMap<Channel, u16>,
    /// Those of the records that wait for their chunk to be written.
    in_chunk: HashSet<u16>,
    bytes: Arc<AtomicU64>,
    bytes_max: u64,
    /// What the file had before its first record.
    bytes_empty: u64,
    /// What waits for its chunk to be written, before it is compressed.
    pending: u64,
    pending_records: usize,
    /// About what the end of the file will take.
    end: u64,
    encoded: Vec<u8>,
}

impl<W: Write> CaptureWriter<W> {
    /// Begins a file of at most so many bytes, which are counted in `bytes`.
    ///
    /// # Errors
    /// When nothing can be written.
    pub fn new(out: W, about: &About, bytes: Arc<AtomicU64>, bytes_max: u64) -> Result<Self, WriteError> {
        let options = WriteOptions::new()
            .profile(PROFILE)
            .library(format!("tidegate {}", about.version))
            .compression(Some(Compression::Zstd))
            // On the thread that writes: the others are the traffic's.
            .compression_threads(0)
            .chunk_size(None)
            // A chunk is written when it is whole: what is in the file can be read, whatever happens next.
            .disable_seeking(true);
        bytes.store(0, Ordering::Relaxed);
        let counted = Counted { out, bytes: Arc::clone(&bytes) };
        let mut mcap = options.create(NoSeek::new(counted)).map_err(failed)?;
        mcap.write_metadata(&Metadata { name: ABOUT.to_owned(), metadata: about.to_pairs() }).map_err(failed)?;
        let schema = mcap.add_schema(SCHEMA, ENCODING, &schema()).map_err(failed)?;
        mcap.flush().map_err(failed)?;
        let bytes_empty = bytes.load(Ordering::Relaxed);
        let (channels, in_chunk, pending, pending_records, encoded) = Default::default();
        let end = END_BYTES;
        Ok(Self {
            mcap,
            schema,
            channels,
            in_chunk,
            bytes,
            bytes_max,
            bytes_empty,
            pending,
            pending_records,
            end,
            encoded,
        })
    }

    /// Adds a record that came in at this time, in nanoseconds since 1970. It is in the file once the chunk is: at the next
    /// [`Self::flush`] at the latest.
    ///
    /// # Errors
    /// When it is too large, the file has no room for it, or nothing can be written.
    pub fn write(&mut self, channel: &Channel, time: u64, record: &Record) -> Result<(), WriteError> {
        let bytes = record.encoded_len();
        if bytes > CAPTURE_RECORD_BYTES_MAX {
            return Err(WriteError::TooLarge(bytes));
        }
        let added = bytes as u64 + RECORD_BYTES + CHUNK_INDEX_BYTES + CHANNEL_INDEX_BYTES + channel_bytes(channel);
        if self.bytes_empty + END_BYTES + added > self.bytes_max {
            return Err(WriteError::TooLarge(bytes));
        }
        if self.end > CAPTURE_INDEX_BYTES_MAX {
            return Err(WriteError::Full);
        }
        if self.bytes_at_most() + added > self.bytes_max {
            // What waits takes less once it is compressed.
            self.flush()?;
            if self.bytes_at_most() + added > self.bytes_max {
                return Err(WriteError::Full);
            }
        }
        let channel_id = self.channel(channel)?;
        self.encoded.clear();
        // A vector has room for whatever is put in.
        let _ = record.encode(&mut self.encoded);
        let header = MessageHeader { channel_id, sequence: 0, log_time: time, publish_time: time };
        if self.pending >= CAPTURE_CHUNK_BYTES {
            self.flush()?;
        }
        self.mcap.write_to_known_channel(&header, &self.encoded).map_err(failed)?;
        self.pending += bytes as u64 + RECORD_BYTES;
        self.pending_records += 1;
        if self.in_chunk.insert(channel_id) {
            self.end += CHANNEL_INDEX_BYTES;
        }
        Ok(())
    }

    /// The channel of a record; that of its place where there are as many as there may be.
    fn channel(&mut self, channel: &Channel) -> Result<u16, WriteError> {
        if let Some(&id) = self.channels.get(channel) {
            return Ok(id);
        }
        let is_too_long = channel.topic.as_ref().is_some_and(|topic| topic.len() > CAPTURE_TOPIC_BYTES_MAX);
        if channel.topic.is_some() && (is_too_long || self.channels.len() >= CAPTURE_CHANNELS_MAX) {
            return self.channel(&Channel { topic: None, ..channel.clone() });
        }
        let id = self.mcap.add_channel(self.schema, &channel.name(), ENCODING, &channel.to_pairs()).map_err(failed)?;
        self.channels.insert(channel.clone(), id);
        self.end += channel_bytes(channel);
        Ok(id)
    }

    /// Writes the chunk, if anything waits for it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.mcap.flush().map_err(failed)?;
        if self.pending > 0 {
            self.end += CHUNK_INDEX_BYTES;
        }
        (self.pending, self.pending_records) = (0, 0);
        self.in_chunk.clear();
        Ok(())
    }

    /// Ends the file with its summary, which finds everything in it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<(), WriteError> {
        self.mcap.finish().map_err(failed)?;
        self.mcap.into_inner().into_inner().flush().map_err(|error| WriteError::Failed(error.to_string()))
    }

    /// How many of the last records wait for their chunk to be written; all others are in the file.
    pub fn pending_records(&self) -> usize {
        self.pending_records
    }

    fn bytes_at_most(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed) + self.pending + self.end
    }
}

fn channel_bytes(channel: &Channel) -> u64 {
    // Its name, and its topic again in its metadata, each byte as `%FF`, in the chunk and again at the end.
    2 * (64 + 2 * channel.name.len() as u64 + 6 * channel.topic.as_ref().map_or(0, Vec::len) as u64)
}

fn failed(error: McapError) -> WriteError {
    WriteError::Failed(match error {
        McapError::Io(error) => error.to_string(),
        error => error.to_string(),
    })
}

/// Counts what is written.
struct Counted<W> {
    out: W,
    bytes: Arc<AtomicU64>,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
