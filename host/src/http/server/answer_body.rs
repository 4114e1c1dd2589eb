//! The body of an answer on its way to the client: in pieces, so that it shows whether they are taken.

use super::connection_timeouts::RequestActivity;
use super::statistics::OpenRequest;
use crate::traces::Span;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::OwnedSemaphorePermit;

/// What a client has to take in within one `answer_timeout_ms`.
const PIECE_BYTES: usize = 64 << 10;

/// A body, and what its request holds until all of it is taken.
pub(super) struct AnswerBody<B> {
    body: B,
    /// What the body gave and the connection has not asked for yet.
    rest: Bytes,
    activity: RequestActivity,
    _open: OpenRequest,
    _permit: Option<OwnedSemaphorePermit>,
    /// Of the request, which ends with this.
    span: Span,
}

impl<B> AnswerBody<B> {
    pub(super) fn new(
        body: B,
        mut activity: RequestActivity,
        open: OpenRequest,
        permit: Option<OwnedSemaphorePermit>,
        span: Span,
    ) -> Self {
        activity.taken();
        Self { body, rest: Bytes::new(), activity, _open: open, _permit: permit, span }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for AnswerBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.rest.is_empty() {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                self.activity.waits_for_more();
                return Poll::Pending;
            };
            let frame = match frame {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    self.span.fail("answer-cut-short", "");
                    return Poll::Ready(Some(Err(error)));
                }
                None => return Poll::Ready(None),
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        // The connection asks for the next piece when there is room for it.
        self.activity.taken();
        let bytes = self.rest.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, below) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(below.lower() + rest);
        if let Some(upper) = below.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
