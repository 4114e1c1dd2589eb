//! The body of an answer in a coding.

use super::{Coding, ENCODED_AT_ONCE, coder};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write};

/// Fast rather than small: for who is far away, either is much smaller than nothing.
const GZIP_LEVEL: u32 = 4;
const ZSTD_LEVEL: i32 = 3;

/// The bytes in a coding; none if that is larger than `bytes_max`.
pub(crate) async fn encode(coding: Coding, bytes: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    let _coder = coder().await;
    let mut encoder = Encoder::new(coding, bytes.len()).ok()?;
    for piece in bytes.chunks(ENCODED_AT_ONCE) {
        encoder.write_all(piece).ok()?;
        if encoder.written() > bytes_max {
            return None;
        }
        tokio::task::yield_now().await;
    }
    encoder.finish().ok().filter(|encoded| encoded.len() <= bytes_max)
}

enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    fn new(coding: Coding, bytes: usize) -> io::Result<Self> {
        Ok(match coding {
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL))),
            Coding::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
                // Its memory is as the body is.
                encoder.set_pledged_src_size(Some(bytes as u64))?;
                Self::Zstd(encoder)
            }
        })
    }

    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(piece),
            Self::Zstd(encoder) => encoder.write_all(piece),
        }
    }

    fn written(&self) -> usize {
        match self {
            Self::Gzip(encoder) => encoder.get_ref().len(),
            Self::Zstd(encoder) => encoder.get_ref().len(),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}
