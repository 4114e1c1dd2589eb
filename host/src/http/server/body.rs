//! The body of a request: read whole, within bounds of bytes and time.

use crate::byte_budget::{BudgetShare, ByteBudget, Held};
use crate::http::problem::Problem;
use bytes::Buf;
use futures_util::{Stream, StreamExt};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use warp::http::HeaderMap;
use warp::http::header::CONTENT_LENGTH;

/// The first capacity of a body's buffer. It is doubled when it is full, so that what is only announced takes no
/// memory.
const BEGUN_BYTES: usize = 64 << 10;

/// The whole body, as long as it may be: `bound` has its name and its bytes. All of it may take `time_max`: a client
/// that sends a byte now and then gets no more time than one that sends none.
///
/// # Errors
/// When the body is over its bound, is broken, or does not come in time.
pub(crate) async fn read<B: Buf>(
    headers: &HeaderMap,
    body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>,
    bound: (&'static str, usize),
    time_max: Duration,
) -> Result<Vec<u8>, Problem> {
    timeout(time_max, collect(headers, body, bound, |_| Ok(()))).await.map_err(|_| Problem::BodyTimeout)?
}

/// `make_room` is asked for each piece of memory before it is taken.
async fn collect<B: Buf>(
    headers: &HeaderMap,
    mut body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>,
    (name, bytes_max): (&'static str, usize),
    mut make_room: impl FnMut(usize) -> Result<(), Problem>,
) -> Result<Vec<u8>, Problem> {
    let expected = announced(headers).unwrap_or(bytes_max);
    if expected > bytes_max {
        return Err(Problem::BodyTooLarge(name, bytes_max));
    }
    let mut bytes = Vec::new();
    let mut capacity = 0;
    while let Some(piece) = body.next().await {
        let mut piece =
            piece.map_err(|error| Problem::Malformed(format!("the body of the request ended early: {error}")))?;
        let length = bytes.len() + piece.remaining();
        if length > bytes_max {
            return Err(Problem::BodyTooLarge(name, bytes_max));
        }
        if length > capacity {
            let wanted = (2 * capacity).max(BEGUN_BYTES).min(expected).max(length);
            make_room(wanted - capacity)?;
            bytes.reserve_exact(wanted - bytes.len());
            capacity = wanted;
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
pub(crate) struct InFlight {
    pub(crate) bytes: Vec<u8>,
    pub(crate) held: Held,
}

/// As [`read`], within a budget that all bodies share, and of the share of whom the body is for: room is reserved for
/// what comes before it is stored, and none for what is only announced.
///
/// # Errors
/// As [`read`], and when the budget or the share has no room for it.
pub(crate) async fn read_within<B: Buf>(
    (budget, share): (&InFlightBudget, Option<&BudgetShare>),
    headers: &HeaderMap,
    body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>,
    bound: (&'static str, usize),
    time_max: Duration,
) -> Result<InFlight, Problem> {
    let mut held = budget.reserve(share, 0)?;
    let make_room = |bytes| if held.grow(bytes) { Ok(()) } else { Err(budget.no_room()) };
    let bytes = collect(headers, body, bound, make_room);
    let bytes = timeout(time_max, bytes).await.map_err(|_| Problem::BodyTimeout)??;
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

    /// Room for a body that is to come, or for what a call may return; of a share, where there are several.
    ///
    /// # Errors
    /// When the budget or the share has no room.
    pub(crate) fn reserve(&self, share: Option<&BudgetShare>, bytes: usize) -> Result<Held, Problem> {
        self.budget.reserve_of(share, bytes).ok_or_else(|| self.no_room())
    }

    /// Why what came out for a request is not the answer.
    pub(crate) fn no_room_for_answer(&self) -> Problem {
        Problem::NoRoomForAnswer(self.name, self.bytes_max)
    }

    /// Why a part of it was not given.
    pub(crate) fn no_room(&self) -> Problem {
        Problem::NoRoom(self.name, self.bytes_max)
    }
}
