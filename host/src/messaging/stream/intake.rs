//! How messages of one socket come into flows, without I/O: whether the socket may be read, and the one message for
//! which a flow has no room.

#[cfg(test)]
mod simulation;

use crate::flow::{Inlet, Message};
use crate::ledger::{Hop, Passage};
use std::sync::Arc;
use std::task::Waker;

/// What becomes of a message for which a flow has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WithoutRoom {
    /// It is dropped, and counted at the flow.
    Drop,
    /// It is held, and no other is read until the flow has taken it.
    Hold,
}

/// The flows that read a socket.
pub(super) struct Intake {
    hop: Arc<Hop>,
    without_room: WithoutRoom,
    inlets: Vec<Arc<Inlet>>,
    held: Option<Held>,
    is_paused: bool,
    /// Left with the inlet that has no room.
    waker: Waker,
}

/// The message that was read, and that not all flows have taken.
struct Held {
    message: Message,
    /// Counts it at the socket's hop.
    passage: Passage,
    /// Those that have not taken it.
    missing: Vec<Arc<Inlet>>,
    /// Whether any flow has taken it.
    is_given: bool,
    /// The waker was left with the first of those that are missing.
    is_awaiting: bool,
}

impl Intake {
    /// For the socket that `hop` counts. The waker is to lead to [`Self::room`].
    pub(super) fn new(hop: Arc<Hop>, without_room: WithoutRoom, inlets: Vec<Arc<Inlet>>, waker: Waker) -> Self {
        Self { hop, without_room, inlets, held: None, is_paused: false, waker }
    }

    /// The hop that counts what is read.
    pub(super) fn hop(&self) -> &Hop {
        &self.hop
    }

    /// Whether another message may be read. Without a flow, or while one is held, it stays where it is.
    pub(super) fn wants_more(&self) -> bool {
        !self.is_paused && self.held.is_none() && !self.inlets.is_empty()
    }

    /// Whether a message is held.
    pub(super) fn holds(&self) -> bool {
        self.held.is_some()
    }

    /// Hands a message that was read to the flows.
    pub(super) fn take(&mut self, message: Message) {
        match self.without_room {
            WithoutRoom::Drop => self.hand_over(message),
            WithoutRoom::Hold => match &self.inlets[..] {
                // Most sockets are read by one flow, and nothing has to be copied.
                [only] => match only.offer(message) {
                    Ok(()) => self.hop.pass(),
                    Err(message) => self.hold(message),
                },
                _ => self.hold(message),
            },
        }
    }

    /// A flow may have room for the message that is held.
    pub(super) fn room(&mut self) {
        if let Some(held) = &mut self.held {
            held.is_awaiting = false;
        }
        self.deliver();
    }

    /// From now on these flows read the socket. A message that no flow has taken yet goes to all of them.
    pub(super) fn set_inlets(&mut self, inlets: Vec<Arc<Inlet>>) {
        if let Some(held) = &mut self.held {
            if held.is_given {
                held.missing.retain(|missing| inlets.iter().any(|inlet| Arc::ptr_eq(missing, inlet)));
            } else {
                held.missing.clone_from(&inlets);
            }
            held.is_awaiting = false;
        }
        self.inlets = inlets;
        self.deliver();
    }

    /// Reads no messages, or does again.
    pub(super) fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    /// Nothing is read any more.
    pub(super) fn end(&mut self) {
        self.is_paused = true;
    }

    /// Whether no flow can take the message any more that is held, if one is.
    pub(super) fn has_ended(&self) -> bool {
        self.held.as_ref().is_none_or(|held| held.missing.iter().all(|inlet| inlet.is_closed()))
    }

    /// Hands a message to each flow that has room for it.
    fn hand_over(&mut self, message: Message) {
        self.hop.pass();
        let (mut message, last) = (Some(message), self.inlets.len().saturating_sub(1));
        for (number, inlet) in self.inlets.iter().enumerate() {
            let copy = if number == last { message.take() } else { message.clone() };
            if copy.is_some_and(|copy| inlet.offer(copy).is_err()) && !inlet.is_closed() {
                inlet.refuse();
            }
        }
    }

    fn hold(&mut self, message: Message) {
        let (passage, missing) = (self.hop.enter(), self.inlets.clone());
        self.held = Some(Held { message, passage, missing, is_given: false, is_awaiting: false });
        self.deliver();
    }

    /// Offers the message that is held to the flows that have not taken it, and waits for the first that has no room.
    fn deliver(&mut self) {
        let Some(mut held) = self.held.take() else { return };
        while !held.is_awaiting {
            let Held { message, missing, is_given, .. } = &mut held;
            missing.retain(|inlet| {
                let is_taken = inlet.offer(message.clone()).is_ok();
                *is_given |= is_taken;
                // A flow that has ended takes nothing any more, and is waited for no longer.
                !is_taken && !inlet.is_closed()
            });
            match held.missing.first() {
                // If there is room by now, it is offered again.
                Some(first) => held.is_awaiting = !first.await_room(held.message.bytes(), &self.waker),
                None if held.is_given => return held.passage.out(),
                // All flows have ended: it waits for another one.
                None => break,
            }
        }
        self.held = Some(held);
    }
}
