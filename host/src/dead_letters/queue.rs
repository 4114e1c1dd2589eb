//! What waits to be written: bounded in number and bytes, and never waited for by those who put it there.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A queue to one reader.
#[derive(Debug)]
pub(super) struct Queue<T> {
    items_max: usize,
    bytes_max: usize,
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<(T, usize)>,
    /// Of those that wait, and of the one that is being written.
    bytes: usize,
    closed: bool,
    /// The reader has ended.
    ended: bool,
}

/// Why an item was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    Closed,
}

impl<T> Queue<T> {
    pub(super) fn new(items_max: usize, bytes_max: usize) -> Self {
        let state = State { items: VecDeque::new(), bytes: 0, closed: false, ended: false };
        Self { items_max, bytes_max, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Puts an item in, if it has room.
    pub(super) fn offer(&self, item: T, bytes: usize) -> Result<(), (T, Refused)> {
        let mut state = self.lock();
        if state.closed {
            return Err((item, Refused::Closed));
        }
        if state.items.len() >= self.items_max || bytes > self.bytes_max.saturating_sub(state.bytes) {
            return Err((item, Refused::Full));
        }
        state.items.push_back((item, bytes));
        state.bytes += bytes;
        self.changed.notify_all();
        Ok(())
    }

    /// The next item and its bytes, waiting for it; none when the queue is closed and empty.
    pub(super) fn next(&self) -> Option<(T, usize)> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.items.pop_front() {
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The reader has let go of an item of so many bytes.
    pub(super) fn written(&self, bytes: usize) {
        self.lock().bytes -= bytes;
    }

    /// Says that the reader has ended, however it does, when what is returned is dropped.
    pub(super) fn end_when_dropped(&self) -> impl Drop + '_ {
        Ended(self)
    }

    /// Takes no more items, and waits until the reader has ended. Returns what it has not read by the deadline.
    pub(super) fn close(&self, deadline: Instant) -> VecDeque<(T, usize)> {
        let mut state = self.lock();
        state.closed = true;
        self.changed.notify_all();
        while !state.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            (state, _) = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::take(&mut state.items)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Whole at every panic: each change is a few assignments.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Ended<'a, T>(&'a Queue<T>);

impl<T> Drop for Ended<'_, T> {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_is_full_in_items_or_in_bytes_until_they_are_written() {
        let queue = Queue::new(2, 10);
        assert_eq!(queue.offer('a', 11), Err(('a', Refused::Full)));
        queue.offer('b', 6).unwrap();
        assert_eq!(queue.offer('c', 5), Err(('c', Refused::Full)));
        queue.offer('d', 4).unwrap();
        assert_eq!(queue.offer('e', 0), Err(('e', Refused::Full)));
        assert_eq!(queue.next(), Some(('b', 6)));
        assert_eq!(queue.offer('f', 5), Err(('f', Refused::Full)));
        queue.written(6);
        queue.offer('f', 5).unwrap();
    }

    #[test]
    fn a_closed_queue_is_read_to_its_end_and_what_is_left_is_told() {
        let queue = Queue::new(9, 9);
        queue.offer('a', 1).unwrap();
        queue.offer('b', 1).unwrap();
        let left = std::thread::scope(|scope| {
            scope.spawn(|| {
                let _ended = queue.end_when_dropped();
                assert_eq!(queue.next(), Some(('a', 1)));
            });
            queue.close(Instant::now() + Duration::from_secs(60))
        });
        assert_eq!(left.iter().map(|(item, _)| *item).collect::<Vec<_>>(), ['b']);
        assert_eq!(queue.offer('c', 1), Err(('c', Refused::Closed)));
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn a_reader_that_hangs_is_not_waited_for() {
        let queue = Queue::new(9, 9);
        queue.offer('a', 1).unwrap();
        assert_eq!(queue.close(Instant::now() + Duration::from_millis(10)).len(), 1);
    }
}
