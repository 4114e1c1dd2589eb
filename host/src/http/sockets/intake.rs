//! How the messages of a socket's WebSockets come into the flow that reads it: one at a time and in turn, so that a client
//! that sends much leaves room for the others.

use crate::flow::{Inlet, Message};
use crate::ledger::{Hop, Passage, Reason};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use tokio::sync::{Mutex, watch};

/// The way into the flow.
pub(super) struct Intake {
    hop: Arc<Hop>,
    reading: watch::Sender<Reading>,
    /// Whose message is the next.
    turn: Mutex<()>,
    held: AtomicU64,
}

/// Who reads, and whether.
#[derive(Default)]
pub(super) struct Reading {
    inlet: Option<Arc<Inlet>>,
    is_paused: bool,
    is_ending: bool,
}

impl Reading {
    /// Whether messages are read: without a flow they stay where they are.
    pub(super) fn wants_more(&self) -> bool {
        self.open_inlet().is_some() && !self.is_paused && !self.is_ending
    }

    pub(super) fn is_ending(&self) -> bool {
        self.is_ending
    }

    fn open_inlet(&self) -> Option<Arc<Inlet>> {
        self.inlet.clone().filter(|inlet| !inlet.is_closed())
    }
}

impl Intake {
    /// Counts what comes in at `hop`.
    pub(super) fn new(hop: Arc<Hop>) -> Self {
        Self { hop, reading: watch::Sender::default(), turn: Mutex::default(), held: AtomicU64::new(0) }
    }

    pub(super) fn hop(&self) -> &Arc<Hop> {
        &self.hop
    }

    /// From now on this flow reads the socket.
    pub(super) fn set_inlet(&self, inlet: Option<Arc<Inlet>>) {
        self.reading.send_modify(|reading| reading.inlet = inlet);
    }

    /// Reads no messages, or does again.
    pub(super) fn pause(&self, is_paused: bool) {
        self.reading.send_modify(|reading| reading.is_paused = is_paused);
    }

    /// Reads none any more.
    pub(super) fn end(&self) {
        self.reading.send_modify(|reading| reading.is_ending = true);
    }

    pub(super) fn is_paused(&self) -> bool {
        self.reading.borrow().is_paused
    }

    /// Messages that were read and for which the flow has no room.
    pub(super) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// For a connection to follow.
    pub(super) fn reading(&self) -> watch::Receiver<Reading> {
        self.reading.subscribe()
    }

    /// Hands a message on, if nobody waits to and the flow has room.
    ///
    /// # Errors
    /// Gives the message back, which was not counted.
    pub(super) fn try_take(&self, message: Message) -> Result<(), Message> {
        let (Ok(_turn), Some(inlet)) = (self.turn.try_lock(), self.reading.borrow().open_inlet()) else {
            return Err(message);
        };
        inlet.offer(message)?;
        self.hop.pass();
        Ok(())
    }

    /// Hands a message on as soon as that can be. It is given up if the socket ends and no flow reads it.
    pub(super) async fn take(&self, message: Message) {
        let passage = self.hop.enter().of_client();
        let _held = Held::new(&self.held);
        self.hand_on(message, passage).await;
    }

    /// The same once the socket is read, for a client that has gone.
    pub(super) async fn take_last(&self, message: Message) {
        let passage = self.hop.enter().of_client();
        let mut reading = self.reading.subscribe();
        // The sender of changes is there for as long as this.
        let _ = reading.wait_for(|reading| reading.wants_more() || reading.is_ending).await;
        self.hand_on(message, passage).await;
    }

    async fn hand_on(&self, mut message: Message, passage: Passage) {
        let _turn = self.turn.lock().await;
        let mut reading = self.reading.subscribe();
        loop {
            let (inlet, is_ending) = {
                let reading = reading.borrow_and_update();
                (reading.open_inlet(), reading.is_ending)
            };
            let Some(inlet) = inlet else {
                if is_ending || reading.changed().await.is_err() {
                    return passage.dropped(Reason::Abandoned);
                }
                continue;
            };
            let bytes = message.bytes();
            match inlet.offer(message) {
                Ok(()) => return passage.out(),
                Err(back) => message = back,
            }
            tokio::select! {
                _ = reading.changed() => {}
                () = room(&inlet, bytes) => {}
            }
        }
    }
}

/// Completes when there may be room for so many bytes, or the flow has ended.
async fn room(inlet: &Inlet, bytes: usize) {
    let mut is_awaited = false;
    poll_fn(|context| {
        // Whatever wakes the task, it is worth another try.
        if std::mem::replace(&mut is_awaited, true) || inlet.await_room(bytes, context.waker()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Counts one message that is held.
struct Held<'a>(&'a AtomicU64);

impl<'a> Held<'a> {
    fn new(held: &'a AtomicU64) -> Self {
        held.fetch_add(1, Ordering::Relaxed);
        Self(held)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
