//! The body of a request: read whole, within bounds of bytes and time.

use super::problem::Problem;
use bytes::Buf;
use futures_util::{Stream, StreamExt};
use std::pin::Pin;
use std::time::Duration;
use tokio::time::timeout;
use warp::http::HeaderMap;
use warp::http::header::CONTENT_LENGTH;

/// What is announced takes no more memory than this before it comes.
const ANNOUNCED_BYTES_MAX: usize = 1 << 20;

/// The whole body, as long as it may be: `bound` has its name and its bytes. All of it may take `patience`: a client that
/// sends a byte now and then gets no more time than one that sends none.
pub(super) async fn read<B: Buf>(
    headers: &HeaderMap,
    body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>,
    bound: (&'static str, usize),
    patience: Duration,
) -> Result<Vec<u8>, Problem> {
    let (name, bytes_max) = bound;
    let announced = announced(headers).unwrap_or(0);
    if announced > bytes_max {
        return Err(Problem::BodyTooLarge(name, bytes_max));
    }
    let bytes = Vec::with_capacity(announced.min(ANNOUNCED_BYTES_MAX));
    timeout(patience, collect(body, bytes, bound)).await.map_err(|_| Problem::BodyTimeout)?
}

async fn collect<B: Buf>(
    mut body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>,
    mut bytes: Vec<u8>,
    (name, bytes_max): (&'static str, usize),
) -> Result<Vec<u8>, Problem> {
    while let Some(piece) = body.next().await {
        let mut piece =
            piece.map_err(|error| Problem::Malformed(format!("the body of the request ended early: {error}")))?;
        if bytes.len() + piece.remaining() > bytes_max {
            return Err(Problem::BodyTooLarge(name, bytes_max));
        }
        while piece.has_remaining() {
            let chunk = piece.chunk();
            bytes.extend_from_slice(chunk);
            piece.advance(chunk.len());
        }
    }
    Ok(bytes)
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
