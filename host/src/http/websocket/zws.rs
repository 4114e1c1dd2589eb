//! ZWS 2.0 (RFC 45), without I/O: each binary message of a WebSocket is one byte of flags and one frame.

mod command;
#[cfg(test)]
mod tests;

use super::close::Close;
use super::subprotocol::Subprotocol;
use crate::config::{IDENTITY_BYTES_MAX, WEBSOCKET_BUFFER_BYTES};
use crate::flow::Frames;
use bytes::{BufMut, Bytes, BytesMut};
use command::Command;

const LAST: u8 = 0;
const MORE: u8 = 1;
const COMMAND: u8 = 2;
/// The first byte of a message of a SUB that subscribes, and of one that cancels.
const SUBSCRIBE: u8 = 1;
const CANCEL: u8 = 0;

/// What the host's end of a connection is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnEnd {
    /// Its type, as ZMTP names it.
    pub(crate) kind: &'static str,
    /// The types of peers that may connect to it.
    pub(crate) peers: &'static [&'static str],
}

/// What a message of a peer may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageBounds {
    pub(crate) frames_max: usize,
    pub(crate) bytes_max: usize,
}

/// What a peer said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The handshake is done, and the peer has this identity, which is empty if it has none of its own.
    Hello(Bytes),
    /// A whole message.
    Message(Frames),
    /// The peer subscribes to topics that begin so.
    Subscribe(Bytes),
    /// The peer takes such a subscription back.
    Cancel(Bytes),
    /// It is to be answered with this.
    Answer(Bytes),
}

/// The receiving half of a connection.
#[derive(Debug)]
pub(crate) struct Decoder {
    own: OwnEnd,
    bounds: MessageBounds,
    has_mechanism: bool,
    is_ready: bool,
    frames: Frames,
    bytes: usize,
}

impl Decoder {
    /// Before the handshake.
    pub(crate) fn new(subprotocol: Subprotocol, own: OwnEnd, bounds: MessageBounds) -> Self {
        let has_mechanism = subprotocol == Subprotocol::ZwsNull;
        Self { own, bounds, has_mechanism, is_ready: false, frames: Frames::new(), bytes: 0 }
    }

    /// What is sent before anything else.
    pub(crate) fn hello(&self) -> Bytes {
        match self.has_mechanism {
            true => command::ready(self.own.kind),
            // The identity, which the host has none of.
            false => Bytes::from_static(&[LAST]),
        }
    }

    /// Takes in one binary message. Says nothing where more is to come.
    ///
    /// # Errors
    /// When the peer does not keep to the protocol or its bounds.
    pub(crate) fn receive(&mut self, mut message: Bytes) -> Result<Option<Said>, Close> {
        if message.is_empty() {
            return Err(Close::protocol("a message of ZWS has a byte of flags"));
        }
        let flags = message.split_to(1)[0];
        match (flags, self.is_ready) {
            (COMMAND, _) => self.command(message),
            (LAST, false) if !self.has_mechanism => self.greeted(message).map(Some),
            (LAST | MORE, false) => Err(Close::protocol("a message of ZWS came before its handshake")),
            (LAST | MORE, true) => self.frame(message, flags == MORE),
            _ => Err(Close::protocol(format!("ZWS has no flags {flags:#04x}"))),
        }
    }

    /// Whether a message has begun to come, of which there is more.
    pub(crate) fn is_within_message(&self) -> bool {
        !self.frames.is_empty()
    }

    fn frame(&mut self, frame: Bytes, has_more: bool) -> Result<Option<Said>, Close> {
        let MessageBounds { frames_max, bytes_max } = self.bounds;
        self.bytes += frame.len();
        if self.frames.len() == frames_max || self.bytes > bytes_max {
            return Err(Close::too_large(format!("a message has more than {frames_max} frames or {bytes_max} bytes")));
        }
        // What waits in a queue must not keep a whole buffer of its connection.
        self.frames.push(if frame.len() < WEBSOCKET_BUFFER_BYTES { Bytes::copy_from_slice(&frame) } else { frame });
        if has_more {
            return Ok(None);
        }
        self.bytes = 0;
        Ok(Some(Said::Message(std::mem::take(&mut self.frames))))
    }

    fn command(&mut self, body: Bytes) -> Result<Option<Said>, Close> {
        match (Command::parse(body)?, self.is_ready) {
            (Command::Ready { kind, identity }, false) if self.has_mechanism => {
                if !self.own.peers.iter().any(|peer| peer.as_bytes() == kind) {
                    let peers = self.own.peers.join(", ");
                    return Err(Close::policy(format!("this end is {}, and its peers are {peers}", self.own.kind)));
                }
                self.greeted(identity).map(Some)
            }
            (Command::Ready { .. }, _) => Err(Close::protocol("READY belongs into the handshake of NULL")),
            (_, false) => Err(Close::protocol("a command of ZWS came before its handshake")),
            (Command::Ping { context }, true) => Ok(Some(Said::Answer(command::pong(&context)))),
            (Command::Pong, true) => Ok(None),
            (Command::Subscribe(topic), true) => Ok(Some(Said::Subscribe(topic))),
            (Command::Cancel(topic), true) => Ok(Some(Said::Cancel(topic))),
        }
    }

    fn greeted(&mut self, identity: Bytes) -> Result<Said, Close> {
        // Those that begin so are the host's to give.
        if identity.len() > IDENTITY_BYTES_MAX || identity.first() == Some(&0) {
            return Err(Close::policy(format!(
                "an identity has at most {IDENTITY_BYTES_MAX} bytes, of which the first is not 0"
            )));
        }
        self.is_ready = true;
        Ok(Said::Hello(Bytes::copy_from_slice(&identity)))
    }
}

/// What a SUB means by a message.
///
/// # Errors
/// When it is no subscription.
pub(crate) fn subscription(frames: &Frames) -> Result<Said, Close> {
    match &frames[..] {
        [frame] if frame.first() == Some(&SUBSCRIBE) => Ok(Said::Subscribe(frame.slice(1..))),
        [frame] if frame.first() == Some(&CANCEL) => Ok(Said::Cancel(frame.slice(1..))),
        _ => Err(Close::policy("only subscriptions are taken here: one frame that begins with 1 or 0")),
    }
}

/// The binary messages by which a message is sent.
pub(crate) fn encode(frames: &[Bytes]) -> impl Iterator<Item = Bytes> + '_ {
    let last = frames.len().saturating_sub(1);
    frames.iter().enumerate().map(move |(index, frame)| flagged(if index == last { LAST } else { MORE }, &[frame]))
}

fn flagged(flags: u8, parts: &[&[u8]]) -> Bytes {
    let mut message = BytesMut::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    message.put_u8(flags);
    parts.iter().for_each(|part| message.put_slice(part));
    message.freeze()
}
