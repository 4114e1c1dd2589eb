//! The share of the processor that one plugin's long calls may take.

use crate::config::CPU_BURST_MS;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What one plugin's long calls may take of the processor: a leaky bucket, kept as the moment at which all that was
/// used so far is paid for.
#[derive(Clone)]
pub(crate) struct CpuShare {
    percent: u32,
    paid: Arc<Mutex<Instant>>,
    /// Whether that moment may be still to come, so that short calls need neither lock nor clock to know that it is
    /// not.
    owes: Arc<AtomicBool>,
    /// Whether the last call that was looked at was long. Debt alone does not tell: on a busy machine background calls
    /// get so little that there is none.
    pub(super) long: Arc<AtomicBool>,
    /// What was used so far, in nanoseconds.
    used: Arc<AtomicU64>,
}

impl CpuShare {
    /// `percent` of one core.
    pub(crate) fn new(percent: u32) -> Self {
        let paid = Arc::new(Mutex::new(Instant::now()));
        Self { percent, paid, owes: Arc::default(), long: Arc::default(), used: Arc::default() }
    }

    /// Another share of the same, which goes on with what was used so far.
    pub(crate) fn of(&self, percent: u32) -> Self {
        Self { percent, ..self.clone() }
    }

    /// The processor's time that long calls have used so far, with the rests that a share of less than a core makes of
    /// it.
    pub(super) fn used(&self) -> Duration {
        Duration::from_nanos(self.used.load(Ordering::Relaxed)) * 100 / self.percent.min(100)
    }

    /// Takes note of what was used, and says until when to rest.
    pub(super) fn charge(&self, used: Duration, now: Instant) -> Option<Instant> {
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        self.owes.store(true, Ordering::Relaxed);
        self.used.fetch_add(u64::try_from(used.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        *paid = (*paid).max(now) + used * 100 / self.percent;
        let until = *paid - Duration::from_millis(CPU_BURST_MS);
        (until > now).then_some(until)
    }

    pub(super) fn is_long(&self) -> bool {
        self.long.load(Ordering::Relaxed)
    }

    pub(super) fn in_debt(&self, now: impl FnOnce() -> Instant) -> bool {
        if !self.owes.load(Ordering::Relaxed) {
            return false;
        }
        let paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now();
        // Under the lock, so that a charge that comes meanwhile is not forgotten.
        self.owes.store(*paid > now, Ordering::Relaxed);
        *paid > now + Duration::from_millis(CPU_BURST_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_the_rest_is_paid_for() {
        let share = CpuShare::new(50);
        let now = Instant::now();
        let ms = Duration::from_millis;
        // 40 ms at half a core are paid in 80 ms, which the burst of 100 ms covers.
        assert_eq!(share.charge(ms(40), now), None);
        assert!(!share.in_debt(|| now));
        let until = share.charge(ms(40), now).expect("a rest");
        assert!(until > now + ms(55) && until <= now + ms(61), "{:?}", until - now);
        assert!(share.in_debt(|| now));
        // What was not used is not saved up for more than the burst.
        assert_eq!(share.charge(ms(40), now + ms(10_000)), None);
        // A look at a time when all is paid for forgets no later charge.
        assert!(!share.in_debt(|| now + ms(20_000)));
        share.charge(ms(400), now + ms(20_000));
        assert!(share.in_debt(|| now + ms(20_000)));
    }
}
