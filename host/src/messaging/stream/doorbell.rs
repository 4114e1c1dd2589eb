//! The doorbell of the streams' loop: what other threads want of it, behind one bell.

use super::command::Command;
use super::state::SocketId;
use crate::flow::bell::Bell;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// What there is to do for a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// A flow has room for the message that is held.
    Room(SocketId),
    /// A message was queued to be sent, or the queue was closed.
    Queued(SocketId),
    /// A name that it connects to was looked up.
    LookedUp(SocketId),
}

/// Commands and calls that the loop has not taken yet. Each waker is woken once for each time that it was left
/// somewhere, so there are at most two calls for each socket and flow.
pub(super) struct Doorbell {
    state: Mutex<State>,
    ringer: Waker,
}

#[derive(Default)]
struct State {
    commands: Vec<Command>,
    calls: Vec<Call>,
    /// The loop sleeps, or is about to. While it is awake it looks by itself, and nobody rings.
    is_asleep: bool,
    is_closed: bool,
}

impl Doorbell {
    /// With the bell that it rings.
    ///
    /// # Errors
    /// When the system gives no pipe.
    pub(super) fn new() -> io::Result<(Arc<Self>, Bell)> {
        let bell = Bell::new()?;
        Ok((Arc::new(Self { state: Mutex::default(), ringer: bell.waker().clone() }), bell))
    }

    /// Leaves a command. It is dropped if the loop has ended.
    pub(super) fn command(&self, command: Command) {
        self.leave(|state| state.commands.push(command));
    }

    /// A waker that leaves a call.
    pub(super) fn waker(self: &Arc<Self>, call: Call) -> Waker {
        Waker::from(Arc::new(Caller { doorbell: Arc::clone(self), call }))
    }

    /// For the loop: moves all that was left to these lists. Until [`Self::may_sleep`] nobody rings.
    pub(super) fn take(&self, commands: &mut Vec<Command>, calls: &mut Vec<Call>) {
        let mut state = self.lock();
        state.is_asleep = false;
        commands.append(&mut state.commands);
        calls.append(&mut state.calls);
    }

    /// For the loop: whether nothing was left. If so, whatever is left from now on rings the bell.
    pub(super) fn may_sleep(&self) -> bool {
        let mut state = self.lock();
        state.is_asleep = state.commands.is_empty() && state.calls.is_empty();
        state.is_asleep
    }

    /// The loop has ended: drops what was left, and all that will be.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let (commands, _) = (std::mem::take(&mut state.commands), std::mem::take(&mut state.calls));
        // What a command holds may call when it is dropped.
        drop(state);
        drop(commands);
    }

    fn leave(&self, what: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        if state.is_closed {
            return;
        }
        what(&mut state);
        let rings = std::mem::take(&mut state.is_asleep);
        drop(state);
        if rings {
            self.ringer.wake_by_ref();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Caller {
    doorbell: Arc<Doorbell>,
    call: Call,
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.doorbell.leave(|state| state.calls.push(self.call));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn it_rings_for_a_loop_that_sleeps_and_keeps_what_was_left_for_one_that_does_not() {
        let (doorbell, bell) = Doorbell::new().unwrap();
        let rang = || zmq::poll(&mut [zmq::PollItem::from_fd(bell.as_raw_fd(), zmq::POLLIN)], 0) == Ok(1);
        let (mut commands, mut calls) = (Vec::new(), Vec::new());
        doorbell.waker(Call::Room(1)).wake();
        assert!(!doorbell.may_sleep() && !rang());
        doorbell.take(&mut commands, &mut calls);
        assert_eq!((calls.as_slice(), commands.len()), (&[Call::Room(1)][..], 0));
        assert!(doorbell.may_sleep() && !rang());
        doorbell.waker(Call::Queued(2)).wake();
        doorbell.waker(Call::Queued(3)).wake();
        assert!(rang());
        bell.silence().unwrap();
        assert!(!rang(), "it rings once");
        doorbell.close();
        doorbell.waker(Call::Queued(4)).wake();
        doorbell.take(&mut commands, &mut calls);
        assert_eq!(calls.len(), 1);
    }
}
