//! The pace of a load generator: as fast as answers arrive, or at a fixed rate whether or not they do.

use std::time::{Duration, Instant};

/// A generator that is further behind than this did not get to run, and does not catch up with what is older.
const BEHIND_MAX: Duration = Duration::from_secs(1);

/// How load is paced.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// A closed loop: the next request follows the answer to the one before.
    Closed,
    /// An open loop: requests per second, of all generators together.
    Open(f64),
}

impl Pace {
    /// The schedule of one of `generators` that share the rate.
    pub fn schedule(self, generators: usize) -> Schedule {
        let interval = match self {
            Self::Closed => Duration::ZERO,
            Self::Open(rate) => Duration::from_secs_f64(generators as f64 / rate),
        };
        Schedule { next: Instant::now(), interval }
    }
}

/// The times at which one generator sends.
pub struct Schedule {
    next: Instant,
    interval: Duration,
}

impl Schedule {
    /// How long it is until the next request is due.
    pub fn left(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// Takes the next request off the schedule, if it is due.
    pub fn take(&mut self) -> bool {
        let now = Instant::now();
        if self.next > now {
            return false;
        }
        self.next = (self.next + self.interval).max(now.checked_sub(BEHIND_MAX).unwrap_or(now));
        true
    }
}
