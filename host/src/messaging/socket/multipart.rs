//! Multipart messages: received and sent whole, whatever signal interrupts it.

use super::monitor::Descriptor;

/// The frames of one multipart message.
pub(crate) type Frames = Vec<Vec<u8>>;

/// About how much frames take in memory.
pub(crate) fn frames_bytes(frames: &[Vec<u8>]) -> usize {
    frames.iter().map(|frame| size_of::<Vec<u8>>() + frame.len()).sum()
}

/// The next message, waiting for it.
///
/// # Errors
/// `ETERM` when the context is terminated, `EAGAIN` when the socket's receive timeout has passed, or what else libzmq
/// says.
pub(crate) fn receive(socket: &zmq::Socket) -> zmq::Result<Frames> {
    receive_with(socket, 0, usize::MAX)
}

/// The next message that is there already; none if there is none. Of its frames only `frames_max` are kept.
///
/// # Errors
/// When libzmq fails to receive, for another reason than that there is none.
pub(crate) fn receive_now(socket: &zmq::Socket, frames_max: usize) -> zmq::Result<Option<Frames>> {
    match receive_with(socket, zmq::DONTWAIT, frames_max) {
        Ok(frames) => Ok(Some(frames)),
        Err(zmq::Error::EAGAIN) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Receives the next frame that is there already into `frame`. Returns whether there was one.
///
/// # Errors
/// When libzmq fails to receive, for another reason than that there is none.
pub(crate) fn receive_into(socket: &zmq::Socket, frame: &mut zmq::Message) -> zmq::Result<bool> {
    loop {
        match socket.recv(frame, zmq::DONTWAIT) {
            Ok(()) => return Ok(true),
            Err(zmq::Error::EAGAIN) => return Ok(false),
            Err(zmq::Error::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// A message with where it came from.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) frames: Frames,
    /// The descriptor of the connection, which is valid as long as that lasts.
    pub(crate) descriptor: Option<Descriptor>,
    /// The CURVE key that its sender showed, in Z85.
    pub(crate) key: Option<String>,
}

/// As [`receive_now`], with where the message came from.
///
/// # Errors
/// Those of [`receive_now`].
pub(crate) fn receive_from(socket: &zmq::Socket, frames_max: usize) -> zmq::Result<Option<Received>> {
    let (mut descriptor, mut key) = (None, None);
    let look = |first: &mut zmq::Message| {
        // What `ZMQ_SRCFD` reads.
        descriptor = first.gets("__fd").and_then(|number| number.parse().ok());
        key = first.gets("User-Id").filter(|id| !id.is_empty()).map(str::to_owned);
    };
    match receive_looking(socket, zmq::DONTWAIT, frames_max, look) {
        Ok(frames) => Ok(Some(Received { frames, descriptor, key })),
        Err(zmq::Error::EAGAIN) => Ok(None),
        Err(error) => Err(error),
    }
}

fn receive_with(socket: &zmq::Socket, flags: i32, frames_max: usize) -> zmq::Result<Frames> {
    receive_looking(socket, flags, frames_max, |_| {})
}

/// Receives a message, and passes its first frame to `look`.
fn receive_looking(
    socket: &zmq::Socket,
    flags: i32,
    frames_max: usize,
    look: impl FnOnce(&mut zmq::Message),
) -> zmq::Result<Frames> {
    let (mut frames, mut look) = (Frames::new(), Some(look));
    loop {
        let mut frame = match socket.recv_msg(flags) {
            Ok(frame) => frame,
            Err(zmq::Error::EINTR) => continue,
            Err(error) => return Err(error),
        };
        if let Some(look) = look.take() {
            look(&mut frame);
        }
        if frames.len() < frames_max {
            frames.push(frame.to_vec());
        }
        if !frame.get_more() {
            return Ok(frames);
        }
    }
}

/// Sends one message.
///
/// Each frame is copied, because the zmq crate lets go of a frame whose sending a signal interrupted: SIGHUP, which
/// users send to a host with traffic, would lose messages.
///
/// # Errors
/// When libzmq does not take the message: `EAGAIN` where there is no room for it. After any error but `ETERM` none of
/// its frames went out.
pub(crate) fn send<F: AsRef<[u8]>>(socket: &zmq::Socket, message: &[F], flags: i32) -> zmq::Result<()> {
    send_frames(socket, message.iter().map(AsRef::as_ref), flags)
}

/// As [`send`], for frames that are not in one slice.
///
/// # Errors
/// Those of [`send`].
pub(crate) fn send_frames<'a>(
    socket: &zmq::Socket,
    frames: impl Iterator<Item = &'a [u8]>,
    flags: i32,
) -> zmq::Result<()> {
    let mut frames = frames.peekable();
    while let Some(frame) = frames.next() {
        let more = if frames.peek().is_some() { zmq::SNDMORE } else { 0 };
        while let Err(error) = socket.send(frame, flags | more) {
            if error != zmq::Error::EINTR {
                return Err(error);
            }
        }
    }
    Ok(())
}
