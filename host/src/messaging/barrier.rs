//! A barrier: after it, libzmq's I/O thread has done all that it was told before.
//!
//! A socket that connects to nowhere has one pipe, whose other end is in the I/O thread and never goes. Asking for that
//! pipe's depth gives an answer once the I/O thread has come to the question.

use super::socket;
use std::ffi::CStr;
use std::time::{Duration, Instant};
use zmq_sys::beyond;

const ENDPOINT: &CStr = c"inproc://barrier";
/// Nothing can be there: the root directory has no such entry that libzmq could make.
const NOWHERE: &str = "ipc:///nonexistent/tidegate";
/// Between attempts to connect there.
const RECONNECT_MS: i32 = 24 * 60 * 60 * 1000;
/// A machine that is too busy for more gets no answer this time.
const PATIENCE: Duration = Duration::from_millis(200);

/// The socket, and its monitor. Belongs to one thread, as all sockets do.
pub(super) struct Barrier {
    socket: zmq::Socket,
    events: zmq::Socket,
}

impl Barrier {
    /// In a context with a single I/O thread, which is libzmq's default.
    pub(super) fn new(context: &zmq::Context) -> Result<Self, String> {
        let mut socket = context.socket(zmq::PUSH).map_err(socket::cause)?;
        let events = context.socket(zmq::PAIR).map_err(socket::cause)?;
        let set_options = || -> zmq::Result<()> {
            socket.set_linger(0)?;
            socket.set_reconnect_ivl(RECONNECT_MS)?;
            events.set_linger(0)
        };
        set_options().map_err(socket::cause)?;
        beyond::monitor(socket.as_mut_ptr(), ENDPOINT, beyond::ZMQ_EVENT_PIPES_STATS).map_err(socket::raw_cause)?;
        socket::connect(&events, &ENDPOINT.to_string_lossy())?;
        socket::connect(&socket, NOWHERE)?;
        Ok(Self { socket, events })
    }

    /// Waits until the I/O thread has come by. False if it has not within [`PATIENCE`].
    pub(super) fn pass(&mut self) -> zmq::Result<bool> {
        // An answer to an earlier question, which was not waited for to the end.
        while socket::receive_now(&self.events, 0)?.is_some() {}
        if beyond::pipes_stats(self.socket.as_mut_ptr()).is_err() {
            return Ok(false);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            // The answer becomes an event on the thread of the socket, when that looks at what it was told.
            self.socket.get_events()?;
            if socket::receive_now(&self.events, 0)?.is_some() {
                return Ok(true);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            // For the socket's own messages there is never an end of waiting, but what it is told ends a poll.
            socket::poll(&mut [zmq::PollItem::from_fd(self.socket.get_fd()?, zmq::POLLIN)], Some(left))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_barrier_is_passed_again_and_again() {
        let mut barrier = Barrier::new(&zmq::Context::new()).expect("a barrier");
        for _ in 0..1_000 {
            assert_eq!(barrier.pass(), Ok(true));
        }
    }
}
