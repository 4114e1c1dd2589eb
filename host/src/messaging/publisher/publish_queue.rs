//! The publish queue: what lies between those who publish and the one thread that owns the socket.

use crate::ledger::Passage;
use bytes::Bytes;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// No place in the publish queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueFull {
    /// As many messages wait as may.
    #[error("the publish queue holds {0} messages, which is queue_messages_max")]
    Messages(usize),
    /// The messages that wait have as many bytes as they may.
    #[error("the publish queue has no room within queue_bytes_max {0}")]
    Bytes(usize),
    /// The host ends.
    #[error("the publisher is closed")]
    Closed,
}

/// One message in the queue.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) topic: String,
    pub(super) body: Bytes,
    pub(super) passage: Passage,
}

impl Place {
    /// Of its frames.
    pub(super) fn bytes(&self) -> usize {
        self.topic.len() + self.body.len()
    }
}

/// The queue. The thread takes everything at once and is woken only while it sleeps: wake-ups are what a queue costs.
#[derive(Debug)]
pub(super) struct PublishQueue {
    state: Mutex<State>,
    /// All that is not yet handed to libzmq, what the thread has taken included.
    unsent: AtomicUsize,
    unsent_bytes: AtomicUsize,
    messages_max: usize,
    bytes_max: usize,
    /// The thread sleeps in a poll of its sockets, which a byte in this pipe ends.
    wake: PipeWriter,
    woken: PipeReader,
}

#[derive(Debug, Default)]
struct State {
    places: Vec<Place>,
    asleep: bool,
    /// Set once, by whoever closes: nothing comes in any more, and all has left by then.
    deadline: Option<Instant>,
}

impl PublishQueue {
    pub(super) fn new(messages_max: usize, bytes_max: usize) -> std::io::Result<Self> {
        let (woken, wake) = pipe()?;
        Ok(Self {
            state: Mutex::default(),
            unsent: AtomicUsize::new(0),
            unsent_bytes: AtomicUsize::new(0),
            messages_max,
            bytes_max,
            wake,
            woken,
        })
    }

    /// Gives a message of so many bytes a place, without waiting.
    pub(super) fn push(&self, bytes: usize, place: impl FnOnce() -> Place) -> Result<(), QueueFull> {
        let mut state = self.lock();
        if state.deadline.is_some() {
            return Err(QueueFull::Closed);
        }
        if self.unsent.load(Ordering::Relaxed) >= self.messages_max {
            return Err(QueueFull::Messages(self.messages_max));
        }
        // One message alone always has a place: its own bound is elsewhere.
        let waiting = self.unsent_bytes.load(Ordering::Relaxed);
        if waiting > 0 && waiting + bytes > self.bytes_max {
            return Err(QueueFull::Bytes(self.bytes_max));
        }
        self.unsent.fetch_add(1, Ordering::Relaxed);
        self.unsent_bytes.fetch_add(bytes, Ordering::Relaxed);
        state.places.push(place());
        self.wake(state);
        Ok(())
    }

    /// Swaps what is queued with the empty `batch`. Returns the end of the host once nothing more comes.
    pub(super) fn take(&self, batch: &mut Vec<Place>) -> Option<Instant> {
        let mut state = self.lock();
        std::mem::swap(&mut state.places, batch);
        state.deadline
    }

    /// By when all has to have left, if nothing more comes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.lock().deadline
    }

    /// Sleeps in `poll`, which has to end when the descriptor that it is given can be read; does not sleep at all if
    /// there is something to take.
    pub(super) fn sleep<T>(&self, poll: impl FnOnce(i32) -> T) -> Option<T> {
        let mut state = self.lock();
        if !state.places.is_empty() || state.deadline.is_some() {
            return None;
        }
        state.asleep = true;
        drop(state);
        let polled = poll(self.woken.as_raw_fd());
        let woken = !std::mem::take(&mut self.lock().asleep);
        if woken {
            // Whoever took the flag writes one byte, if not yet then in a moment.
            let _ = (&self.woken).read_exact(&mut [0]);
        }
        Some(polled)
    }

    /// A message has left the queue, to libzmq or not.
    pub(super) fn left(&self, bytes: usize) {
        self.unsent.fetch_sub(1, Ordering::Relaxed);
        self.unsent_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Messages that are not yet handed to libzmq.
    pub(super) fn len(&self) -> usize {
        self.unsent.load(Ordering::Relaxed)
    }

    pub(super) fn close(&self, deadline: Instant) {
        let mut state = self.lock();
        state.deadline.get_or_insert(deadline);
        self.wake(state);
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let wake = std::mem::take(&mut state.asleep);
        drop(state);
        if wake {
            // The pipe has room: at most one byte is in it.
            let _ = (&self.wake).write_all(&[1]);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No change of the state can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Hop;
    use std::sync::Arc;

    #[test]
    fn a_full_queue_refuses_and_counts_nothing() {
        let hop = Arc::new(Hop::default());
        let queue = PublishQueue::new(2, 100).expect("a pipe");
        let place = || Place { topic: String::new(), body: Bytes::new(), passage: hop.enter() };
        assert_eq!((queue.push(0, place), queue.push(0, place)), (Ok(()), Ok(())));
        assert_eq!(queue.push(0, place), Err(QueueFull::Messages(2)));

        // What the thread has taken but not yet sent still has its place.
        let mut batch = Vec::new();
        queue.take(&mut batch);
        assert_eq!((batch.len(), queue.push(0, place)), (2, Err(QueueFull::Messages(2))));
        assert_eq!(hop.figures().entered, 2);
        queue.left(0);
        assert_eq!((queue.len(), queue.push(0, place)), (1, Ok(())));
    }

    #[test]
    fn bytes_have_a_bound_too_but_one_message_always_goes() {
        let hop = Arc::new(Hop::default());
        let queue = PublishQueue::new(10, 100).expect("a pipe");
        let place = || Place { topic: String::new(), body: Bytes::new(), passage: hop.enter() };
        assert_eq!(queue.push(1000, place), Ok(()));
        assert_eq!(queue.push(1, place), Err(QueueFull::Bytes(100)));
        queue.left(1000);
        assert_eq!((queue.push(60, place), queue.push(40, place)), (Ok(()), Ok(())));
        assert_eq!(queue.push(1, place), Err(QueueFull::Bytes(100)));
    }

    #[test]
    fn sleep_ends_with_a_message_or_with_the_close() {
        let hop = Arc::new(Hop::default());
        let queue = Arc::new(PublishQueue::new(10, 100).expect("a pipe"));
        let poll = |descriptor| {
            let mut items = [zmq::PollItem::from_fd(descriptor, zmq::POLLIN)];
            zmq::poll(&mut items, 60_000).expect("a poll")
        };
        for close in [false, true] {
            let other = Arc::clone(&queue);
            let hop = Arc::clone(&hop);
            let sleeper = std::thread::spawn(move || other.sleep(poll));
            while !queue.lock().asleep {
                std::thread::yield_now();
            }
            if close {
                queue.close(Instant::now());
            } else {
                queue
                    .push(0, || Place { topic: String::new(), body: Bytes::new(), passage: hop.enter() })
                    .expect("a place");
            }
            assert_eq!(sleeper.join().expect("no panic"), Some(1));
            queue.take(&mut Vec::new());
        }
        assert_eq!(queue.sleep(poll), None);
    }
}
