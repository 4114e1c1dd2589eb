//! What is in a chunk, once it is decompressed and its checksum is right.

use crate::config::{CAPTURE_CHUNK_BYTES_MAX, CAPTURE_CHUNK_RECORDS_MAX};
use crate::record::capture::format::COMPRESSION;
use mcap::records::{Record, op};
use mcap::sans_io::linear_reader::{LinearReadEvent, LinearReader, LinearReaderOptions};

/// The opcode of a record, and the length of what follows.
const HEAD_BYTES: usize = 1 + 8;

/// Hands over the records of a chunk, which is a whole record of the file with this body.
///
/// # Errors
/// When it is broken, or larger than a chunk may be. Records that were handed over by then are as they should be, if the chunk
/// has no checksum.
pub(super) fn read(body: &[u8], mut take: impl FnMut(Record<'_>)) -> Result<(), String> {
    let Ok(Record::Chunk { header, .. }) = mcap::parse_record(op::CHUNK, body) else {
        return Err("it is no whole chunk".to_owned());
    };
    if header.compression != COMPRESSION {
        return Err(format!("it is compressed with `{}`, not {COMPRESSION}", header.compression));
    }
    // A small chunk may decompress to any size, and that of one without a checksum is looked at by nobody else.
    if header.uncompressed_size > CAPTURE_CHUNK_BYTES_MAX as u64 {
        return Err(format!("it has {} bytes, more than {CAPTURE_CHUNK_BYTES_MAX}", header.uncompressed_size));
    }
    let options = LinearReaderOptions::default()
        .with_skip_start_magic(true)
        .with_skip_end_magic(true)
        .with_prevalidate_chunk_crcs(true)
        .with_record_length_limit(CAPTURE_CHUNK_BYTES_MAX);
    let mut reader = LinearReader::new_with_options(options);
    let mut whole = Vec::with_capacity(body.len() + 9);
    whole.push(op::CHUNK);
    whole.extend((body.len() as u64).to_le_bytes());
    whole.extend(body);
    let (mut left, mut bytes, mut messages) = (&whole[..], 0, 0);
    while let Some(event) = reader.next_event() {
        match event.map_err(|error| error.to_string())? {
            LinearReadEvent::ReadRequest(_) => {
                // All at once: how much it asks for is what the file says.
                reader.insert(left.len()).copy_from_slice(left);
                reader.notify_read(left.len());
                left = &[];
            }
            LinearReadEvent::Record { data, opcode } => {
                bytes += data.len() + HEAD_BYTES;
                messages += usize::from(opcode == op::MESSAGE);
                if bytes > CAPTURE_CHUNK_BYTES_MAX || messages > CAPTURE_CHUNK_RECORDS_MAX {
                    return Err(format!(
                        "it has more than {CAPTURE_CHUNK_BYTES_MAX} bytes or {CAPTURE_CHUNK_RECORDS_MAX} records"
                    ));
                }
                take(mcap::parse_record(opcode, data).map_err(|error| error.to_string())?);
            }
        }
    }
    Ok(())
}
