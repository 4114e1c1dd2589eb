//! The body of a request: read whole, within bounds of bytes and time.

use super::problem::Problem;
use bytes::Buf;
use futures_util::{Stream, StreamExt};
use std::pin::Pin;
use std::time::Duration;
use tokio::time::timeout;
use warp::http::HeaderMap;
use warp::http::header::{CONTENT_LENGTH, EXPECT};

/// How much of a body that nobody wants is read all the same: closing on a client that still sends makes its system
/// throw the answer away.
const DISCARD_BYTES_MAX: usize = 64 << 20;
const DISCARD_TIME_MAX: Duration = Duration::from_secs(1);
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
        discard(headers, body).await;
        return Err(Problem::BodyTooLarge(name, bytes_max));
    }
    // What a client only announces takes no memory of note.
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
            drain(body).await;
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

/// Takes in what is sent of a body that nobody wants.
pub(super) async fn discard<B: Buf>(headers: &HeaderMap, body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>) {
    // A client that waits for 100 Continue has sent nothing yet; reading would tell it to go on.
    if announced(headers).is_none_or(|bytes| bytes <= DISCARD_BYTES_MAX) && !headers.contains_key(EXPECT) {
        drain(body).await;
    }
}

async fn drain<B: Buf>(mut body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>) {
    let read = async {
        let mut bytes = 0;
        while let Some(Ok(piece)) = body.next().await {
            bytes += piece.remaining();
            if bytes > DISCARD_BYTES_MAX {
                return;
            }
        }
    };
    let _ = timeout(DISCARD_TIME_MAX, read).await;
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
