//! One WebSocket: its messages in and out, each with a bound, and its orderly end.

use super::close::{Close, Ended};
use super::incoming::{Incoming, IncomingBounds};
use crate::byte_budget::Held;
use crate::config::{
    HTTP_FAREWELL_MS, HTTP_LINGER_MS_MAX, WEBSOCKET_BUFFER_BYTES, WEBSOCKET_PING_MS, WEBSOCKET_PINGS_MAX,
    WEBSOCKET_PINGS_UNANSWERED_MAX,
};
use crate::http::server::middleware::HeldConnection;
use crate::http::server::statistics::CutOff;
use bytes::{Buf, Bytes};
use futures_util::{Sink, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, FrameHeader};
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};
use tokio_util::sync::CancellationToken;

const PING: Duration = Duration::from_millis(WEBSOCKET_PING_MS);
const FAREWELL: Duration = Duration::from_millis(HTTP_FAREWELL_MS);

/// What its client may send.
pub(super) struct Bounds {
    pub(super) message_bytes_max: usize,
    pub(super) incoming: IncomingBounds,
}

type Stream = WebSocketStream<Incoming<TokioIo<Upgraded>>>;

/// A WebSocket that is open. What it is told to send is sent in order.
pub(crate) struct WebSocket {
    stream: Stream,
    held: HeldConnection,
    message_bytes_max: usize,
    pings: Interval,
    /// Pings since the client was heard of.
    unanswered: u32,
    asked: Asked,
}

/// How often the client has sent pings, since when.
struct Asked {
    times: u32,
    since: Instant,
}

/// A message of the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Text(Utf8Bytes),
    Binary(Bytes),
}

impl WebSocket {
    pub(super) async fn new(upgraded: Upgraded, held: HeldConnection, bounds: Bounds) -> Self {
        let Bounds { message_bytes_max, incoming } = bounds;
        let config = WebSocketConfig::default()
            .read_buffer_size(WEBSOCKET_BUFFER_BYTES)
            .write_buffer_size(WEBSOCKET_BUFFER_BYTES)
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max));
        let incoming = Incoming::new(TokioIo::new(upgraded), incoming);
        let stream = WebSocketStream::from_raw_socket(incoming, Role::Server, Some(config)).await;
        let mut pings = interval(PING);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.reset();
        let asked = Asked { times: 0, since: Instant::now() };
        Self { stream, held, message_bytes_max, pings, unanswered: 0, asked }
    }

    /// Cancelled when the listener ends that its connection has come by.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.held.stopping().clone()
    }

    /// The next message of the client, whose pings are answered, and who is asked now and then whether it is still there.
    /// Where nobody waits for it nothing is read: what the client sends waits there, and it is not taken for silent.
    ///
    /// Whoever has dealt with it says so by [`Self::take_whole`].
    ///
    /// # Errors
    /// When there is none any more; says why.
    pub(crate) async fn receive(&mut self) -> Result<Received, Ended> {
        loop {
            let stream = &mut self.stream;
            let next = poll_fn(|context| match stream.poll_next_unpin(context) {
                Poll::Ready(message) => Poll::Ready(Some(message.unwrap_or(Err(Error::ConnectionClosed)))),
                Poll::Pending => stream.get_mut().poll_late(context).map(|()| None),
            });
            let message = tokio::select! {
                biased;
                message = next => message.ok_or_else(too_late)?,
                _ = self.pings.tick() => {
                    self.ask().await?;
                    continue;
                }
            };
            self.unanswered = 0;
            match message.map_err(|error| self.ended(error))? {
                Message::Text(text) => return Ok(Received::Text(text)),
                Message::Binary(bytes) => return Ok(Received::Binary(bytes)),
                // The pong that answers it is on its way before anything else is read.
                Message::Ping(payload) => {
                    self.stream.get_mut().forget_control(payload.len());
                    self.asked.note(Instant::now())?;
                    self.flush().await?;
                }
                Message::Close(_) => return Err(Ended::ByClient),
                Message::Pong(payload) => self.stream.get_mut().forget_control(payload.len()),
                Message::Frame(_) => {}
            }
        }
    }

    /// What came is a whole message. Returns its part of the bytes in flight, to be dropped with it.
    pub(crate) fn take_whole(&mut self) -> Option<Held> {
        self.stream.get_mut().take_whole()
    }

    /// Sends a ping now and then, of which no answer is read: once the client has gone, that fails.
    pub(crate) async fn keep_asking(&mut self) -> Ended {
        loop {
            self.pings.tick().await;
            if let Err(ended) = self.ping().await {
                return ended;
            }
        }
    }

    /// Sends a message, once there is room for it and no later than with the next [`Self::flush`].
    ///
    /// # Errors
    /// When the connection has ended, or its client does not read.
    pub(crate) async fn feed(&mut self, message: Message) -> Result<(), Ended> {
        match message {
            Message::Text(text) if text.len() > WEBSOCKET_BUFFER_BYTES => {
                return self.write_past_buffer(Data::Text, text.into()).await;
            }
            Message::Binary(bytes) if bytes.len() > WEBSOCKET_BUFFER_BYTES => {
                return self.write_past_buffer(Data::Binary, bytes).await;
            }
            _ => {}
        }
        self.drive(|stream, context| stream.poll_ready(context)).await?;
        Pin::new(&mut self.stream).start_send(message).map_err(|error| self.ended(error))
    }

    /// Writes a large message from where it is: the buffer of the library would take a copy of it, and keep its size.
    async fn write_past_buffer(&mut self, kind: Data, payload: Bytes) -> Result<(), Ended> {
        self.flush().await?;
        let mut head = Vec::new();
        let header = FrameHeader { opcode: OpCode::Data(kind), ..FrameHeader::default() };
        header.format(payload.len() as u64, &mut head).map_err(|error| self.ended(error))?;
        let mut frame = Bytes::from(head).chain(payload);
        self.drive(|stream, context| {
            let mut stream = Pin::new(stream.get_mut().get_mut());
            while frame.has_remaining() {
                let bytes = ready!(stream.as_mut().poll_write(context, frame.chunk()))?;
                if bytes == 0 {
                    return Poll::Ready(Err(Error::ConnectionClosed));
                }
                frame.advance(bytes);
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Sends all that was fed.
    ///
    /// # Errors
    /// As [`Self::feed`].
    pub(crate) async fn flush(&mut self) -> Result<(), Ended> {
        self.drive(|stream, context| stream.poll_flush(context)).await
    }

    /// Closes it, so that its client gets to know why if it is to, and nothing is lost on the way.
    pub(super) async fn end(mut self, ended: Ended) {
        match ended {
            Ended::Silent => return self.held.cut_off(CutOff::Idle),
            Ended::Unread => return self.held.cut_off(CutOff::Answer),
            // What answers the close frame of the client is written by now, or with this.
            Ended::ByClient => _ = timeout(FAREWELL, self.flush()).await,
            Ended::ByHost(Close { code, reason }) => {
                tracing::debug!(code, %reason, "WebSocket closed");
                let frame = CloseFrame { code: code.into(), reason: reason.into_owned().into() };
                let closing = async {
                    self.feed(Message::Close(Some(frame))).await?;
                    self.flush().await?;
                    while self.stream.next().await.is_some_and(|message| message.is_ok()) {
                        self.take_whole();
                    }
                    Ok::<(), Ended>(())
                };
                let is_closed = timeout(FAREWELL, closing).await.is_ok();
                // Its system would throw the close frame away if the connection ended while more comes.
                if !is_closed || code != Close::GOING_AWAY {
                    self.held.set_unread();
                }
            }
        }
        let _ = timeout(Duration::from_millis(HTTP_LINGER_MS_MAX), self.stream.get_mut().shutdown()).await;
    }

    /// Asks the client whether it is still there.
    async fn ask(&mut self) -> Result<(), Ended> {
        if self.unanswered == WEBSOCKET_PINGS_UNANSWERED_MAX {
            return Err(Ended::Silent);
        }
        self.unanswered += 1;
        self.ping().await
    }

    async fn ping(&mut self) -> Result<(), Ended> {
        self.feed(Message::Ping(Bytes::new())).await?;
        self.flush().await
    }

    /// Writes until that is done, as long as the client takes any of it.
    async fn drive(
        &mut self,
        mut write: impl FnMut(Pin<&mut Stream>, &mut Context<'_>) -> Poll<Result<(), Error>>,
    ) -> Result<(), Ended> {
        loop {
            let (blocked, blocked_max) = self.held.blocked(Instant::now());
            let Some(left) = blocked_max.checked_sub(blocked).filter(|left| !left.is_zero()) else {
                return Err(Ended::Unread);
            };
            let written = poll_fn(|context| write(Pin::new(&mut self.stream), context));
            if let Ok(written) = timeout(left, written).await {
                return written.map_err(|error| self.ended(error));
            }
        }
    }

    /// What an error of the library means.
    fn ended(&self, error: Error) -> Ended {
        match error {
            Error::Capacity(_) => {
                let bytes_max = self.message_bytes_max;
                Ended::ByHost(Close::too_large(format!("a message has more than {bytes_max} bytes")))
            }
            _ if self.stream.get_ref().has_no_room() => {
                Ended::ByHost(Close::try_again("in_flight_bytes_max has no room for a message"))
            }
            Error::Utf8(_) => Ended::ByHost(Close::no_text()),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing) => {
                Ended::ByClient
            }
            Error::Protocol(fault) => Ended::ByHost(Close::protocol(fault.to_string())),
            _ => Ended::ByClient,
        }
    }
}

fn too_late() -> Ended {
    Ended::ByHost(Close::policy("a message did not come whole within body_timeout_ms"))
}

impl Asked {
    /// # Errors
    /// When that is too often.
    fn note(&mut self, now: Instant) -> Result<(), Ended> {
        if now.saturating_duration_since(self.since) > PING {
            *self = Self { times: 0, since: now };
        }
        self.times += 1;
        match self.times > WEBSOCKET_PINGS_MAX {
            true => Err(Ended::ByHost(Close::policy(format!("more than {WEBSOCKET_PINGS_MAX} pings in {PING:?}")))),
            false => Ok(()),
        }
    }
}
