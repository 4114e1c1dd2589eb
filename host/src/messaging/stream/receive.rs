//! Receiving a message within bounds: its frames, where it came from, and who sent it.

use crate::flow::Frames;
use crate::messaging::socket::monitor::Descriptor;
use crate::messaging::socket::receive_into;
use bytes::Bytes;

/// What a message may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) frames_max: usize,
    pub(super) bytes_max: usize,
}

/// A message that was received.
pub(super) struct Incoming {
    /// Of a message that is too large, those that it may have.
    pub(super) frames: Frames,
    /// The bytes of all its frames.
    pub(super) bytes: usize,
    pub(super) is_too_large: bool,
    /// The descriptor of the connection, if that was asked for.
    pub(super) descriptor: Option<Descriptor>,
    /// The CURVE key that its sender showed, in Z85, if that was asked for.
    pub(super) key: Option<String>,
}

/// The next message that is there already; none if there is none. Each frame is received into `frame` and copied: what
/// libzmq holds may share a larger buffer.
///
/// # Errors
/// When libzmq fails to receive.
pub(super) fn receive(
    socket: &zmq::Socket,
    frame: &mut zmq::Message,
    bounds: Bounds,
    asks_for_sender: bool,
) -> zmq::Result<Option<Incoming>> {
    if !receive_into(socket, frame)? {
        return Ok(None);
    }
    let (mut descriptor, mut key) = (None, None);
    if asks_for_sender {
        descriptor = frame.gets("__fd").and_then(|number| number.parse().ok());
        key = frame.gets("User-Id").filter(|id| !id.is_empty()).map(str::to_owned);
    }
    let (mut frames, mut bytes, mut is_too_large) = (Frames::new(), 0, false);
    loop {
        bytes += frame.len();
        is_too_large |= frames.len() == bounds.frames_max || bytes > bounds.bytes_max;
        if !is_too_large {
            frames.push(Bytes::copy_from_slice(frame));
        }
        // A message is there with all its frames, or not yet.
        if !frame.get_more() || !receive_into(socket, frame)? {
            break;
        }
    }
    Ok(Some(Incoming { frames, bytes, is_too_large, descriptor, key }))
}
