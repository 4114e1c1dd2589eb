//! The parts of a simulated world: stages whose calls the world ends, and sinks in which it makes room.

use crate::flow::{Lost, Message, OfferError, Processed, Receipt, Reserved, Settlement, Sink, Stage};
use crate::ledger::Reason;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use smallvec::smallvec;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

/// A stage by name: what comes out of its calls is up to the world.
pub(super) struct Named(pub(super) String);

impl Stage for Named {
    fn name(&self) -> &str {
        &self.0
    }

    fn process(&self, _message: Message, _number: u64) -> BoxFuture<'static, Processed> {
        unreachable!("the world ends calls")
    }
}

/// A sink with room for so many messages at a time.
pub(super) struct Bounded {
    pub(super) places: usize,
    pub(super) is_pending: bool,
    pub(super) taken: Mutex<Vec<Message>>,
    pub(super) held: Mutex<usize>,
}

impl Sink for Bounded {
    fn name(&self) -> &str {
        "bounded"
    }

    fn offer(&self, message: &Message) -> Result<Receipt, OfferError> {
        let mut held = self.held.lock().unwrap();
        if *held == self.places {
            return Err(OfferError::Full("no room".to_owned()));
        }
        *held += 1;
        self.taken.lock().unwrap().push(message.clone());
        Ok(if self.is_pending { Receipt::Pending(Box::pin(async { Ok(()) })) } else { Receipt::Placed })
    }

    fn reserve<'a>(&'a self, _message: &'a Message) -> Result<Reserved<'a>, OfferError> {
        unreachable!("a flow waits for one sink after the other")
    }

    fn await_room(&self, _bytes: usize, _waker: &Waker) -> bool {
        unreachable!("the world makes room")
    }
}

/// How many messages a source has heard the end of.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) done: AtomicUsize,
    pub(super) failed: AtomicUsize,
}

/// The settlement of one message.
#[derive(Debug)]
pub(super) struct Counted(pub(super) Arc<Settled>);

impl Settlement for Counted {
    fn done(self: Box<Self>) {
        self.0.done.fetch_add(1, Ordering::Relaxed);
    }

    fn failed(self: Box<Self>, lost: Lost) {
        assert_eq!(lost.flow, "flow");
        self.0.failed.fetch_add(1, Ordering::Relaxed);
    }

    fn not_taken(self: Box<Self>, _flow: &str, reason: Reason) {
        unreachable!("all sinks take what they are offered: {reason:?}")
    }
}

/// What a stage makes of a message, which depends on both alone: its body is a path of digits.
pub(super) fn outcome(stage: usize, message: &Message) -> Result<Vec<Message>, ()> {
    let body = &message.frames[1];
    let hash = body.iter().fold(stage as u64 + 7, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    });
    let made = match hash % 8 {
        0 => return Err(()),
        1 => 0,
        2 => 3,
        _ => 1,
    };
    let message = |index| Message {
        frames: smallvec![message.frames[0].clone(), Bytes::from([&body[..], &[b'0' + index]].concat())],
        ..Message::default()
    };
    Ok((0..made).map(message).collect())
}
