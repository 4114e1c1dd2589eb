//! An inlet: the bounded queue by which messages of one socket come into a flow.

use super::mailbox::{Mailbox, PushError, Room};
use super::message::Message;
use super::settlement::Settlement;
use crate::ledger::{Hop, Passage, Reason};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The key of the pair that names the socket by which a message came in.
pub const SOCKET_KEY: &str = "tidegate.socket";

/// A message that entered a flow.
#[derive(Debug)]
pub struct Entered {
    /// What came in.
    pub message: Message,
    /// Counts it at the flow's hop until it has left the flow.
    pub passage: Passage,
    /// By which its source hears what became of it, if that can deliver it again.
    pub(crate) settlement: Option<Box<dyn Settlement>>,
    /// Its place in the inlet, which is free again when this is dropped.
    pub(crate) room: Room,
}

/// A message that waits.
type Waiting = (Message, Passage, Option<Box<dyn Settlement>>);

/// One per source and flow. It is filled by the thread that owns the source, and emptied by the flow.
#[derive(Debug)]
pub struct Inlet {
    source: String,
    messages: Mailbox<Waiting>,
    hop: Arc<Hop>,
    /// Nothing is to come in for now.
    is_shut: AtomicBool,
    /// Those who wait for that to end.
    shut_out: Mutex<Vec<Waker>>,
}

impl Inlet {
    /// From the source of this name to the flow that `hop` counts, for so many messages with so many bytes together.
    pub fn new(source: &str, hop: Arc<Hop>, messages_max: usize, bytes_max: usize) -> Self {
        let (is_shut, shut_out) = Default::default();
        Self { source: source.to_owned(), messages: Mailbox::new(messages_max, bytes_max), hop, is_shut, shut_out }
    }

    /// For messages that name their source themselves, as they were recorded.
    pub fn of_named(hop: Arc<Hop>, messages_max: usize, bytes_max: usize) -> Self {
        Self::new("", hop, messages_max, bytes_max)
    }

    /// The name of its source.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Puts a message in and counts it as one that entered the flow, without waiting.
    ///
    /// # Errors
    /// When there is no room, or the flow is paused or has ended; gives the message back, which was not counted.
    pub fn offer(&self, message: Message) -> Result<(), Message> {
        self.put(message, || None)
    }

    /// As [`Self::offer`], for a source that hears by a settlement what became of the message.
    ///
    /// # Errors
    /// As [`Self::offer`]; then no settlement was made.
    pub fn offer_settled(
        &self,
        message: Message,
        settlement: impl FnOnce() -> Box<dyn Settlement>,
    ) -> Result<(), Message> {
        self.put(message, || Some(settlement()))
    }

    fn put(&self, message: Message, settlement: impl FnOnce() -> Option<Box<dyn Settlement>>) -> Result<(), Message> {
        if self.is_shut.load(Ordering::Relaxed) {
            return Err(message);
        }
        let (bytes, mut message) = (message.bytes(), Some(message));
        let entered =
            self.messages.push(bytes, || (message.take().unwrap_or_default(), self.hop.enter(), settlement()));
        match entered {
            Ok(()) => Ok(()),
            Err(PushError::Closed | PushError::TooManyItems | PushError::TooManyBytes) => {
                Err(message.unwrap_or_default())
            }
        }
    }

    /// Counts a message that came in and for which the flow had no room.
    pub fn refuse(&self) {
        self.hop.refuse(Reason::FlowFull);
    }

    /// For its source: has the waker woken once there is room for so many bytes. Returns whether that is so already;
    /// then nobody is woken.
    pub fn await_room(&self, bytes: usize, waker: &Waker) -> bool {
        let mut shut_out = self.shut_out();
        if self.is_shut.load(Ordering::Relaxed) {
            shut_out.push(waker.clone());
            return false;
        }
        drop(shut_out);
        self.messages.await_room(bytes, waker)
    }

    /// For its source: whether the flow has ended, so that there will be no room any more.
    pub fn is_closed(&self) -> bool {
        self.messages.is_closed()
    }

    /// For the flow: lets nothing in, or lets messages in again.
    pub(crate) fn shut(&self, is_shut: bool) {
        let mut shut_out = self.shut_out();
        self.is_shut.store(is_shut, Ordering::Relaxed);
        if !is_shut {
            shut_out.drain(..).for_each(Waker::wake);
        }
    }

    fn shut_out(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.shut_out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many messages wait, or are being processed.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes in no more messages. What is in it can still be taken.
    pub fn close(&self) {
        self.messages.close();
        self.shut(false);
    }

    /// For the flow: the next message, which names its source; none when the inlet is closed and empty.
    pub(crate) fn poll_take(&self, context: &mut Context<'_>) -> Poll<Option<Entered>> {
        let taken = self.messages.poll_take(context);
        taken.map(|taken| {
            let ((mut message, passage, settlement), room) = taken?;
            // Not before: what waits takes less memory so, and who takes it is who frees it.
            if !self.source.is_empty() {
                message.metadata.reserve_exact(1);
                message.metadata.push((SOCKET_KEY.to_owned(), self.source.clone()));
            }
            Some(Entered { message, passage, settlement, room })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_enters_is_counted_and_what_has_no_room_is_given_back() {
        let hop = Arc::<Hop>::default();
        let inlet = Inlet::new("ticks", Arc::clone(&hop), 1, 100);
        let message = |body: &'static str| Message::of_topic("t", Vec::new(), body);
        assert_eq!(inlet.offer(message("a")), Ok(()));
        assert_eq!(inlet.offer(message("b")), Err(message("b")));
        inlet.refuse();
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Some(Entered { message: taken, passage, room, .. })) = inlet.poll_take(&mut context) else {
            panic!("one is in it")
        };
        let named = Message { metadata: vec![(SOCKET_KEY.to_owned(), "ticks".to_owned())], ..message("a") };
        assert_eq!((taken, inlet.len()), (named, 1));
        let counts = hop.figures();
        assert_eq!((counts.entered, counts.in_flight, counts.dropped(Reason::FlowFull)), (2, 1, 1));
        drop(room);
        passage.out();
        assert!(inlet.is_empty() && inlet.poll_take(&mut context).is_pending());
        inlet.close();
        assert!(inlet.offer(message("c")).is_err());
        assert!(matches!(inlet.poll_take(&mut context), Poll::Ready(None)));
        assert_eq!((hop.figures().out, hop.figures().in_flight), (1, 0));
    }

    #[test]
    fn what_names_its_source_itself_stays_as_it_is() {
        let inlet = Inlet::of_named(Arc::default(), 1, 100);
        let message = Message::of_topic("t", vec![(SOCKET_KEY.to_owned(), "ticks".to_owned())], "body");
        assert_eq!(inlet.offer(message.clone()), Ok(()));
        let taken = inlet.poll_take(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(taken, Poll::Ready(Some(entered)) if entered.message == message));
    }
}
