//! One hop: what counts, and the passage that each unit holds while it is inside.

use super::{Figures, PeerQueues, Reason};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counters of one hop.
#[derive(Debug, Default)]
pub struct Hop {
    figures: Mutex<Figures>,
    peer_queues: PeerQueues,
    closed: AtomicBool,
}

impl Hop {
    /// Counts one unit in; what is returned counts its end.
    pub fn enter(self: &Arc<Self>) -> Passage {
        let mut figures = self.lock();
        figures.entered += 1;
        figures.in_flight += 1;
        let number = figures.entered;
        drop(figures);
        Passage { hop: Arc::clone(self), number, verdict: None, of_client: false }
    }

    /// From now on whatever is let go is given up by the host, whoever waits for it.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Counts one unit that came in and was dropped on the spot.
    pub fn refuse(self: &Arc<Self>, reason: Reason) {
        self.enter().dropped(reason);
    }

    /// Counts one unit that came in and went out on the spot.
    pub fn pass(&self) {
        let mut figures = self.lock();
        figures.entered += 1;
        figures.out += 1;
    }

    /// Of a hop that ends in a socket: what came after it.
    pub fn peer_queues(&self) -> &PeerQueues {
        &self.peer_queues
    }

    /// All figures as of one moment.
    pub fn figures(&self) -> Figures {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Figures> {
        // The figures are whole at every panic: each change is a few additions.
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One unit inside a hop, from its entry to its end.
#[derive(Debug)]
#[must_use = "a passage that is dropped counts as abandoned"]
pub struct Passage {
    hop: Arc<Hop>,
    number: u64,
    verdict: Option<Result<(), Reason>>,
    of_client: bool,
}

impl Passage {
    /// Which one it is of all that came in, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Somebody waits for it, and may give it up by going away.
    pub fn of_client(mut self) -> Self {
        self.of_client = true;
        self
    }

    /// The unit went out.
    pub fn out(mut self) {
        self.verdict = Some(Ok(()));
    }

    /// The unit did not go out.
    pub fn dropped(mut self, reason: Reason) {
        self.verdict = Some(Err(reason));
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        let given_up = match self.of_client && !self.hop.closed.load(Ordering::Relaxed) {
            true => Reason::ClientGone,
            false => Reason::Abandoned,
        };
        let mut figures = self.hop.lock();
        figures.in_flight -= 1;
        match self.verdict.unwrap_or(Err(given_up)) {
            Ok(()) => figures.out += 1,
            Err(reason) => *figures.dropped.entry(reason).or_default() += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_is_counted_once() {
        let hop = Arc::new(Hop::default());
        hop.enter().out();
        hop.enter().dropped(Reason::TooLarge);
        drop(hop.enter());
        hop.refuse(Reason::QueueFull);
        hop.pass();
        let inside = hop.enter();

        let figures = hop.figures();
        assert_eq!((figures.entered, figures.out, figures.in_flight), (6, 2, 1));
        for reason in [Reason::TooLarge, Reason::Abandoned, Reason::QueueFull] {
            assert_eq!(figures.dropped(reason), 1, "{reason:?}");
        }
        assert!(figures.balanced());
        inside.out();
        assert_eq!(hop.figures().in_flight, 0);
    }

    #[test]
    fn a_client_gives_up_as_long_as_the_host_does_not() {
        let hop = Arc::new(Hop::default());
        drop(hop.enter().of_client());
        let inside = hop.enter().of_client();
        hop.close();
        drop(inside);
        drop(hop.enter().of_client());
        hop.enter().of_client().out();
        let figures = hop.figures();
        assert_eq!((figures.dropped(Reason::ClientGone), figures.dropped(Reason::Abandoned), figures.out), (1, 2, 1));
    }
}
