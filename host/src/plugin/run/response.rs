//! The response of a handler on its way out of its call: whole where the call ends before anything was sent, else piece
//! by piece.
//!
//! The host takes in what the guest writes as fast as it comes, up to `output_bytes_max`: so a client that reads slowly
//! keeps no instance, and its slowness is not held against the plugin. What is not sent yet keeps its part of the room
//! that was reserved for the call, and what can no longer be written gives its part back.

mod channel;

use crate::byte_budget::Held;
use crate::plugin::call::CallError;
use bytes::Bytes;
use channel::Channel;
use futures_util::Stream;
use hyper::header::{CONTENT_LENGTH, HeaderMap};
use hyper::http::response::Parts;
use hyper::{Method, Response, StatusCode};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::task::JoinHandle;

/// The body of a response.
pub enum ResponseBody {
    /// The call has ended, and this is all.
    Whole(Bytes),
    /// The call goes on.
    Streamed(Pieces),
}

/// The handler's call broke down with its response half sent; the ledger and the log say how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the handler broke off its response")]
pub struct BrokenOff;

/// The end at which the guest's response goes in. If it is dropped early, the response is broken off.
pub struct Outlet(Arc<Channel>);

/// The end at which it comes out.
pub(crate) struct Inlet {
    channel: Arc<Channel>,
    method: Method,
}

/// A body that is still being written. Dropping it early gives up the call.
pub struct Pieces {
    channel: Arc<Channel>,
    /// What is left to send of what the head announces: whoever sends it asks for no more then.
    left: Option<u64>,
    call: JoinHandle<Result<(), CallError>>,
}

/// Both ends of the response to a request of this method, with room for all of it.
pub(crate) fn response_to(method: Method, room: Held) -> (Outlet, Inlet) {
    let channel = Channel::new(room);
    (Outlet(Arc::clone(&channel)), Inlet { channel, method })
}

/// The length of a body, where its head says it.
pub(crate) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether such a response has no body, whatever its handler writes and announces.
pub(crate) fn is_bodiless(method: &Method, status: StatusCode) -> bool {
    method == Method::HEAD || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status)
}

impl Outlet {
    /// Status and headers.
    pub(crate) fn begin(&self, head: Parts) {
        self.0.change(|state| state.head = Some(head));
    }

    /// The next piece of the body.
    pub(crate) fn write(&self, piece: &[u8]) {
        self.0.change(|state| state.written.extend_from_slice(piece));
    }

    /// The body is whole.
    pub(crate) fn end(self) {
        self.0.change(|state| state.end(Ok(())));
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.0.change(|state| state.end(Err(BrokenOff)));
    }
}

impl Inlet {
    /// Runs the call here until it ends, or until it goes on with its response begun: then it has a task of its own.
    ///
    /// # Errors
    /// When the call fails before any of its response was sent, or gives none.
    pub(crate) async fn of(
        self,
        call: impl Future<Output = Result<(), CallError>> + Send + 'static,
    ) -> Result<(Parts, ResponseBody), CallError> {
        let mut call = Box::pin(call);
        let head = tokio::select! {
            biased;
            ended = &mut call => {
                ended?;
                self.channel.lock().head.take()
            }
            head = poll_fn(|context| self.poll_head(context)) => match head {
                Some(head) if !is_bodiless(&self.method, head.status) => {
                    let (channel, left) = (self.channel, announced(&head.headers));
                    let pieces = Pieces { channel, left, call: tokio::spawn(call) };
                    return Ok((head, ResponseBody::Streamed(pieces)));
                }
                head => {
                    call.await?;
                    head
                }
            },
        };
        let head = head.ok_or(CallError::NoResponse)?;
        let body = self.channel.lock().take();
        Ok((head, ResponseBody::Whole(body)))
    }

    /// The whole response of a call that has ended well.
    ///
    /// # Errors
    /// When the call gave none.
    pub(crate) fn whole(self) -> Result<Response<Bytes>, CallError> {
        let mut state = self.channel.lock();
        let head = state.head.take().ok_or(CallError::NoResponse)?;
        Ok(Response::from_parts(head, state.take()))
    }

    /// The head; none if the response is broken off before it.
    fn poll_head(&self, context: &mut Context<'_>) -> Poll<Option<Parts>> {
        let mut state = self.channel.lock();
        if state.head.is_some() || state.end.is_some() {
            return Poll::Ready(state.head.take());
        }
        state.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Stream for Pieces {
    type Item = Result<Bytes, BrokenOff>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let channel = Arc::clone(&self.channel);
        let mut state = channel.lock();
        if !state.written.is_empty() {
            let piece = state.take();
            self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
            return Poll::Ready(Some(Ok(piece)));
        }
        match state.end {
            Some(end) => Poll::Ready(end.err().map(Err)),
            None => {
                state.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        // A guest that has written all may go on until its deadline, and one that broke off has an end of its own,
        // which has to be counted; one whose client has gone has nobody to write for.
        if self.left != Some(0) && self.channel.lock().end.is_none() {
            self.call.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::byte_budget::ByteBudget;
    use futures_util::StreamExt;
    use tokio::sync::oneshot;

    fn head(status: u16) -> Parts {
        Response::builder().status(status).body(()).unwrap().into_parts().0
    }

    fn response_to(method: Method) -> (Outlet, Inlet) {
        super::response_to(method, ByteBudget::new(100).reserve(100).unwrap())
    }

    #[tokio::test]
    async fn a_call_that_ends_at_once_gives_a_whole_body() {
        let (outlet, inlet) = response_to(Method::GET);
        let call = async move {
            outlet.begin(head(201));
            outlet.write(b"a");
            outlet.write(b"b");
            outlet.end();
            Ok(())
        };
        let (head, body) = inlet.of(call).await.unwrap();
        assert_eq!(head.status, 201);
        assert!(matches!(body, ResponseBody::Whole(body) if body == "ab"));
    }

    #[tokio::test]
    async fn a_failure_before_anything_was_sent_is_the_whole_answer() {
        let (outlet, inlet) = response_to(Method::GET);
        let call = async move {
            outlet.begin(head(200));
            outlet.write(b"a");
            Err(CallError::NoResponse)
        };
        assert_eq!(inlet.of(call).await.err(), Some(CallError::NoResponse));
        let (outlet, inlet) = response_to(Method::GET);
        let call = async move {
            drop(outlet);
            tokio::task::yield_now().await;
            Err(CallError::Panicked)
        };
        assert_eq!(inlet.of(call).await.err(), Some(CallError::Panicked));
    }

    #[tokio::test]
    async fn a_call_that_goes_on_streams_and_may_break_off() {
        let (outlet, inlet) = response_to(Method::GET);
        let (go_on, wait) = oneshot::channel();
        let call = async move {
            outlet.begin(head(200));
            outlet.write(b"a");
            let _ = wait.await;
            outlet.write(b"b");
            Err(CallError::Panicked)
        };
        let (_, body) = inlet.of(call).await.unwrap();
        let ResponseBody::Streamed(mut pieces) = body else { panic!("it is over") };
        assert_eq!(pieces.next().await, Some(Ok(Bytes::from_static(b"a"))));
        go_on.send(()).unwrap();
        assert_eq!(pieces.next().await, Some(Ok(Bytes::from_static(b"b"))));
        assert_eq!(pieces.next().await, Some(Err(BrokenOff)));
    }

    #[tokio::test]
    async fn a_body_of_which_all_that_was_announced_is_sent_gives_up_nothing() {
        let (outlet, inlet) = response_to(Method::GET);
        let (go_on, wait) = oneshot::channel();
        let (finish, finished) = oneshot::channel();
        let call = async move {
            let mut head = head(200);
            head.headers.insert(CONTENT_LENGTH, 1.into());
            outlet.begin(head);
            outlet.write(b"a");
            let _ = wait.await;
            outlet.end();
            finish.send(()).map_err(|()| CallError::Panicked)
        };
        let ResponseBody::Streamed(mut pieces) = inlet.of(call).await.unwrap().1 else { panic!("it is over") };
        assert_eq!(pieces.next().await, Some(Ok(Bytes::from_static(b"a"))));
        drop(pieces);
        go_on.send(()).unwrap();
        finished.await.unwrap();
    }

    #[tokio::test]
    async fn a_body_that_nobody_wants_ends_the_call() {
        let (outlet, inlet) = response_to(Method::GET);
        let (held, ended) = oneshot::channel::<()>();
        let call = async move {
            let _held = held;
            outlet.begin(head(200));
            std::future::pending().await
        };
        let (_, body) = inlet.of(call).await.unwrap();
        drop(body);
        assert!(ended.await.is_err());
        // Of a HEAD nothing is streamed: its answer is the call's end.
        let (outlet, inlet) = response_to(Method::HEAD);
        let call = async move {
            outlet.begin(head(200));
            tokio::task::yield_now().await;
            outlet.end();
            Ok(())
        };
        assert!(matches!(inlet.of(call).await.unwrap().1, ResponseBody::Whole(body) if body.is_empty()));
    }
}
