//! The body of a request: read whole, within bounds of bytes and time.

use super::problem::Problem;
use crate::byte_budget::{ByteBudget, Held};
use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt};
use std::pin::Pin;
use std::sync::Arc;
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

/// A body that was read, with its part of a budget.
pub(super) struct InFlight {
    pub(super) bytes: Vec<u8>,
    pub(super) held: Held,
}

/// As [`read`], within a budget that all bodies share: what may come is reserved before it does.
pub(super) async fn read_within<B: Buf>(
    budget: &InFlightBudget,
    headers: &HeaderMap,
    body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>,
    bound: (&'static str, usize),
    patience: Duration,
) -> Result<InFlight, Problem> {
    let mut held = budget.reserve(announced(headers).unwrap_or(bound.1).min(bound.1))?;
    let bytes = read(headers, body, bound, patience).await?;
    held.settle(bytes.len());
    Ok(InFlight { bytes, held })
}

/// What the bodies of requests and answers may take together.
#[derive(Clone)]
pub struct InFlightBudget {
    budget: Arc<ByteBudget>,
    name: &'static str,
    bytes_max: usize,
}

impl InFlightBudget {
    /// A budget of so many bytes, by the name that callers are told.
    pub fn new(name: &'static str, bytes_max: usize) -> Self {
        Self { budget: ByteBudget::new(bytes_max), name, bytes_max }
    }

    /// Room for a body that is to come, or for what a call may return.
    pub(super) fn reserve(&self, bytes: usize) -> Result<Held, Problem> {
        self.budget.reserve(bytes).ok_or(Problem::NoRoom(self.name, self.bytes_max))
    }
}

/// Bytes that keep their part of the budget until the last piece of them is gone.
pub(super) fn keep(bytes: impl AsRef<[u8]> + Send + 'static, mut held: Held) -> Bytes {
    struct Kept<T>(T, #[expect(dead_code, reason = "it is held")] Held);
    impl<T: AsRef<[u8]>> AsRef<[u8]> for Kept<T> {
        fn as_ref(&self) -> &[u8] {
            self.0.as_ref()
        }
    }
    held.settle(bytes.as_ref().len());
    Bytes::from_owner(Kept(bytes, held))
}
