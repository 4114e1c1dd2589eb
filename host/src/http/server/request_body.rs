//! The body of a request on its way to whoever reads it, and what becomes of one that nobody reads to its end.

use crate::config::{HTTP_REST_BYTES_MAX, HTTP_REST_MS_MAX};
use http_body::{Body, Frame, SizeHint};
use hyper::body::{Bytes, Incoming};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::timeout;

/// A body whose unread rest comes back when its reader drops it.
pub(super) struct RequestBody {
    body: Option<Incoming>,
    rest: Option<Arc<Mutex<Left>>>,
}

/// What is left of a body.
enum Left {
    /// Nothing yet, or nothing any more.
    Nothing,
    /// Somebody stopped reading it.
    Unread(Incoming),
    /// It is broken: nobody knows where it ends.
    Broken,
}

/// Where a body comes back to. A request without a body has none.
pub(super) struct Rest(Option<Arc<Mutex<Left>>>);

impl RequestBody {
    /// The body to read, and what will be left of it.
    pub(super) fn new(body: Incoming) -> (Self, Rest) {
        let rest = (!body.is_end_stream()).then(|| Arc::new(Mutex::new(Left::Nothing)));
        (Self { body: Some(body), rest: rest.clone() }, Rest(rest))
    }

    fn leave(&mut self, left: Left) {
        if let Some(rest) = &self.rest {
            *lock(rest) = left;
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        match &frame {
            Some(Ok(_)) => {}
            Some(Err(_)) => {
                self.body = None;
                self.leave(Left::Broken);
            }
            None => self.body = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            self.leave(Left::Unread(body));
        }
    }
}

impl Rest {
    /// Whether the body was read to its end, or a small rest of it comes now, so that the next request may follow. A
    /// client that `waits` to be told to go on has sent nothing yet, and reading would tell it.
    pub(super) async fn take_in(self, waits: bool) -> bool {
        let Some(rest) = self.0 else { return true };
        let left = std::mem::replace(&mut *lock(&rest), Left::Nothing);
        match left {
            Left::Nothing => true,
            Left::Broken => false,
            Left::Unread(_) if waits => false,
            Left::Unread(body) => {
                let time_max = Duration::from_millis(HTTP_REST_MS_MAX);
                timeout(time_max, ends_soon(body)).await.unwrap_or(false)
            }
        }
    }
}

async fn ends_soon(mut body: Incoming) -> bool {
    if body.size_hint().lower() > HTTP_REST_BYTES_MAX {
        return false;
    }
    let mut bytes = 0;
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        match frame {
            Ok(frame) => bytes += frame.data_ref().map_or(0, Bytes::len) as u64,
            Err(_) => return false,
        }
        if bytes > HTTP_REST_BYTES_MAX {
            return false;
        }
    }
    true
}

fn lock(left: &Mutex<Left>) -> MutexGuard<'_, Left> {
    // It is whole at every panic: each change is one assignment.
    left.lock().unwrap_or_else(PoisonError::into_inner)
}
