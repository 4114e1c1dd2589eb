//! When the next piece of load is due: at a fixed rate, whatever becomes of the pieces before it.

use std::time::{Duration, Instant};

/// A generator that is further behind than this was kept from running itself: it does not make up for that at once.
const BEHIND_MAX: Duration = Duration::from_secs(1);

/// How load is paced.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// The next piece when the one before has its answer: as much as can be done.
    Closed,
    /// So many pieces a second, over all generators together.
    Open(f64),
}

impl Pace {
    /// The beat of one of `generators` that share the rate.
    pub fn beat(self, generators: usize) -> Beat {
        let interval = match self {
            Self::Closed => Duration::ZERO,
            Self::Open(rate) => Duration::from_secs_f64(generators as f64 / rate),
        };
        Beat { next: Instant::now(), interval }
    }
}

/// The times at which one generator is due.
pub struct Beat {
    next: Instant,
    interval: Duration,
}

impl Beat {
    /// How long it is until the next piece is due.
    pub fn left(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// Takes the next piece, if it is due.
    pub fn take(&mut self) -> bool {
        let now = Instant::now();
        if self.next > now {
            return false;
        }
        self.next = (self.next + self.interval).max(now.checked_sub(BEHIND_MAX).unwrap_or(now));
        true
    }
}
