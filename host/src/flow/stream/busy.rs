//! How a flow waits while a plugin is busy, paused or not loaded: no message is lost for that.

use std::time::{Duration, Instant};

/// The first pause before a call is tried again; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(2);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Keeps calls from being started after one found its plugin busy, until one ends or a pause is over.
#[derive(Debug)]
pub(super) struct BusyGate {
    until: Option<Instant>,
    pause: Duration,
    /// Since when no call got through, and why.
    busy: Option<(Instant, String)>,
}

impl BusyGate {
    pub(super) fn new() -> Self {
        Self { until: None, pause: PAUSE, busy: None }
    }

    /// A call found its plugin busy.
    pub(super) fn close(&mut self, now: Instant, why: impl FnOnce() -> String) {
        if self.is_closed(now) {
            // Calls that were started together count once.
            return;
        }
        self.until = Some(now + self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        self.busy.get_or_insert_with(|| (now, why()));
    }

    /// A call got through.
    pub(super) fn open(&mut self) {
        if self.busy.is_some() {
            *self = Self::new();
        }
    }

    pub(super) fn is_closed(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// When the next call may be tried, if one waits for that.
    pub(super) fn due(&self) -> Option<Instant> {
        self.until
    }

    /// Since when no call gets through, and why.
    pub(super) fn busy(&self) -> Option<&(Instant, String)> {
        self.busy.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_a_call_gets_through() {
        let (mut gate, mut now) = (BusyGate::new(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..12 {
            gate.close(now, || "empty".to_owned());
            gate.close(now, || unreachable!("it is closed"));
            let due = gate.due().unwrap();
            assert!(gate.is_closed(now) && !gate.is_closed(due));
            pauses.push((due - now).as_millis());
            now = due;
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 1000, 1000]);
        gate.open();
        assert!(gate.due().is_none() && gate.busy().is_none());
        gate.close(now, || "again".to_owned());
        assert_eq!(gate.due(), Some(now + PAUSE));
    }
}
