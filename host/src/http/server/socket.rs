//! The stream of a connection as hyper has it: it sees what its client does while hyper does not look, adds a body to
//! hyper's own refusals, and closes so that the client gets to read them.

use super::connection_timeouts::ConnectionTimeouts;
use super::refusals::HeadRefusals;
use crate::config::{HTTP_LINGER_BYTES_MAX, HTTP_LINGER_MS_MAX, HTTP_LINGER_SILENCE_MS};
use bytes::{Buf, Bytes};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How much is read before hyper asks for it: enough to see that something comes.
const EARLY_BYTES: usize = 512;
/// How much of what nobody wants is read at once.
const UNWANTED_BYTES: usize = 16 << 10;

/// A stream, and what is known of its client.
pub(super) struct Socket<S> {
    stream: S,
    timeouts: Arc<ConnectionTimeouts>,
    refusals: Arc<HeadRefusals>,
    /// What was read before hyper asked for it.
    early: Bytes,
    /// hyper waits for bytes itself.
    awaited: bool,
    /// The client sends nothing more.
    ended: bool,
    /// How many requests there were when all was written the last time, if none was open: what comes next without
    /// another request is an answer of hyper's own.
    flushed_after: Option<u64>,
    /// What is left to write of an answer that stands for hyper's own.
    refusal: Bytes,
    blocked: bool,
    closing: Option<Closing>,
}

/// A connection whose answers are written, and whose client may still send.
struct Closing {
    silence: Pin<Box<Sleep>>,
    until: Instant,
    bytes: u64,
}

impl<S> Socket<S> {
    pub(super) fn new(stream: S, timeouts: Arc<ConnectionTimeouts>, refusals: Arc<HeadRefusals>) -> Self {
        let flushed_after = timeouts.between_requests().filter(|_| timeouts.is_http1());
        let (early, refusal) = (Bytes::new(), Bytes::new());
        let (awaited, ended, blocked) = (false, false, false);
        Self { stream, timeouts, refusals, early, awaited, ended, flushed_after, refusal, blocked, closing: None }
    }

    /// Replaces an answer of hyper's own, which is a status without a body. Nothing else is written where no request
    /// has begun since everything was written.
    fn refuses(&mut self, written: &[IoSlice<'_>]) -> Option<usize> {
        if self.flushed_after.is_none() || self.flushed_after != self.timeouts.between_requests() {
            return None;
        }
        let head: Vec<u8> = written.iter().flat_map(|piece| piece.iter().copied()).collect();
        self.refusal = self.refusals.with_words(&head);
        self.flushed_after = None;
        // Of what was refused there may be more to come.
        self.timeouts.set_unread();
        Some(head.len())
    }

    fn note_blocked(&mut self, blocked: bool) {
        if self.blocked != blocked {
            self.blocked = blocked;
            self.timeouts.set_blocked(blocked);
        }
    }
}

impl<S: AsyncRead + Unpin> Socket<S> {
    /// Reads what there is. A client may end its side without the close_notify of TLS: where more had to come, hyper
    /// says so.
    fn poll_stream(&mut self, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        match ready!(Pin::new(&mut self.stream).poll_read(context, into)) {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Poll::Ready(Err(error)),
            _ if into.filled().len() == before && into.remaining() > 0 => self.ended = true,
            _ => {}
        }
        Poll::Ready(Ok(()))
    }

    /// Looks for the end of the connection while a call runs: hyper does not, as it lets clients shut down their side.
    ///
    /// # Errors
    /// The client has broken the connection off.
    fn look_ahead(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.awaited || self.ended || !self.early.is_empty() {
            return Ok(());
        }
        let mut space = [MaybeUninit::uninit(); EARLY_BYTES];
        let mut into = ReadBuf::uninit(&mut space);
        if let Poll::Ready(read) = self.poll_stream(context, &mut into) {
            read?;
            self.early = Bytes::copy_from_slice(into.filled());
        }
        Ok(())
    }

    /// Reads and throws away what the client still sends, if it is known to or has, for as long as it may: if the
    /// connection closed on it, its system would throw the answer away.
    fn poll_unwanted(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let silence_max = Duration::from_millis(HTTP_LINGER_SILENCE_MS);
        let mut closing = self.closing.take().unwrap_or_else(|| Closing {
            silence: Box::pin(sleep(silence_max)),
            until: Instant::now() + Duration::from_millis(HTTP_LINGER_MS_MAX),
            bytes: 0,
        });
        let mut space = [MaybeUninit::uninit(); UNWANTED_BYTES];
        while !self.ended {
            let mut into = ReadBuf::uninit(&mut space);
            match self.poll_stream(context, &mut into) {
                Poll::Pending if !self.timeouts.has_unread() => return Poll::Ready(()),
                Poll::Pending => {
                    ready!(Closing::poll(self.closing.insert(closing), context));
                    return Poll::Ready(());
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {}
            }
            let now = Instant::now();
            if !into.filled().is_empty() {
                self.timeouts.set_unread();
            }
            closing.bytes += into.filled().len() as u64;
            closing.silence.as_mut().reset((now + silence_max).min(closing.until));
            if closing.bytes > HTTP_LINGER_BYTES_MAX || now >= closing.until {
                return Poll::Ready(());
            }
        }
        Poll::Ready(())
    }
}

impl Closing {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.silence.as_mut().poll(context)
    }
}

impl<S: AsyncWrite + Unpin> Socket<S> {
    fn poll_refusal(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.refusal.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(context, &self.refusal))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                bytes => self.refusal.advance(bytes),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        if !self.early.is_empty() {
            let bytes = self.early.len().min(into.remaining());
            into.put_slice(&self.early.split_to(bytes));
        } else if !self.ended {
            let read = self.poll_stream(context, into);
            self.awaited = read.is_pending();
            ready!(read)?;
        }
        if into.filled().len() > before {
            self.timeouts.came_in();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(bytes) = self.refuses(&[IoSlice::new(bytes)]) {
            return Poll::Ready(Ok(bytes));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note_blocked(written.is_pending());
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(context))?;
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.note_blocked(flushed.is_pending());
        ready!(flushed)?;
        if self.timeouts.is_http1() {
            self.flushed_after = self.timeouts.between_requests();
            if self.flushed_after.is_none() {
                self.look_ahead(context)?;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing.is_none() {
            ready!(self.poll_refusal(context))?;
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        }
        self.poll_unwanted(context).map(Ok)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(bytes) = self.refuses(pieces) {
            return Poll::Ready(Ok(bytes));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.note_blocked(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
