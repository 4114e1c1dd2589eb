//! The health of one generation: whether it is on probation, and whether it is paused because it kept failing.

use crate::config::Rollback;
use crate::plugin::call::Ending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What has to happen after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Well,
    /// Nothing: it was paused, and is no more.
    Recovered,
    /// A newcomer failed too often within its first calls.
    Unfit,
    /// Every one of the last calls failed.
    KeepsFailing,
}

/// Why a call may not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The plugin kept failing, and rests for so long.
    Rests(Duration),
    /// The operator has paused it.
    Held,
}

/// Whether a call is the one that may try a paused plugin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial(bool);

/// Counts how the calls of one generation ended.
#[derive(Debug)]
pub(super) struct PluginHealth {
    rules: Rollback,
    /// Calls that ended, up to the window; a proven generation starts there.
    calls: AtomicU32,
    /// Breakdowns within the window.
    breakdowns: AtomicU32,
    /// Breakdowns since the last call that went well.
    in_a_row: AtomicU32,
    paused: AtomicBool,
    pause: Mutex<Pause>,
}

#[derive(Debug)]
struct Pause {
    until: Instant,
    /// Until the operator ends it.
    is_held: bool,
    /// How long the next pause is.
    next: Duration,
}

impl PluginHealth {
    /// Of a newcomer, or of one that has served before.
    pub(super) fn new(rules: Rollback, proven: bool) -> Self {
        Self {
            calls: AtomicU32::new(if proven { rules.window } else { 0 }),
            breakdowns: AtomicU32::new(0),
            in_a_row: AtomicU32::new(0),
            paused: AtomicBool::new(false),
            pause: Mutex::new(Pause {
                until: Instant::now(),
                is_held: false,
                next: Duration::from_millis(rules.pause_ms),
            }),
            rules,
        }
    }

    /// Whether it is off probation.
    pub(super) fn is_proven(&self) -> bool {
        self.calls.load(Ordering::Relaxed) >= self.rules.window
    }

    /// Whether a call may begin. At the end of a pause that nobody asked for one call may, as a trial.
    ///
    /// # Errors
    /// While the plugin is paused.
    pub(super) fn admit(&self) -> Result<Trial, Refusal> {
        if !self.paused.load(Ordering::Relaxed) {
            return Ok(Trial(false));
        }
        let (mut pause, now) = (self.lock(), Instant::now());
        if let Some(refusal) = pause.refusal(now) {
            return Err(refusal);
        }
        // In case that the trial is given up by its caller, there is another one later.
        pause.until = now + pause.next;
        Ok(Trial(true))
    }

    /// Why a call that says nothing of the plugin's health may not begin, if it may not.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        if !self.paused.load(Ordering::Relaxed) {
            return None;
        }
        self.lock().refusal(Instant::now())
    }

    /// Takes note of how a call ended. A trial that tells nothing leaves the pause as it is: there is another one
    /// later.
    pub(super) fn ended(&self, ending: Ending, trial: Trial) -> Verdict {
        // Calls that began before a pause end during it, and say nothing new.
        let says_nothing = ending == Ending::Unknown || (self.paused.load(Ordering::Relaxed) && !trial.0);
        if self.rules.failures == 0 || says_nothing {
            return Verdict::Well;
        }
        let on_probation = !self.is_proven();
        if on_probation {
            self.calls.fetch_add(1, Ordering::Relaxed);
        }
        if ending == Ending::Well {
            // Written to only when it changes something: every call of the plugin shares this line of the caches.
            if self.in_a_row.load(Ordering::Relaxed) > 0 {
                self.in_a_row.store(0, Ordering::Relaxed);
            }
            if trial.0 {
                let mut pause = self.lock();
                pause.next = Duration::from_millis(self.rules.pause_ms);
                self.paused.store(pause.is_held, Ordering::Relaxed);
                return if pause.is_held { Verdict::Well } else { Verdict::Recovered };
            }
            return Verdict::Well;
        }
        let in_a_row = self.in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        if on_probation && self.breakdowns.fetch_add(1, Ordering::Relaxed) + 1 >= self.rules.failures {
            return Verdict::Unfit;
        }
        if in_a_row >= self.rules.failures { Verdict::KeepsFailing } else { Verdict::Well }
    }

    /// Begins a pause, twice as long as the one before it. None if another call has done so.
    pub(super) fn pause(&self, trial: Trial) -> Option<Duration> {
        let mut pause = self.lock();
        if self.paused.swap(true, Ordering::Relaxed) && !trial.0 {
            return None;
        }
        let length = pause.next;
        pause.until = Instant::now() + length;
        pause.next = (length * 2).min(Duration::from_millis(self.rules.pause_ms_max)).max(length);
        Some(length)
    }

    /// Begins a pause that lasts until [`Self::resume`]. False if there is one already.
    pub(super) fn hold(&self) -> bool {
        let mut pause = self.lock();
        self.paused.store(true, Ordering::Relaxed);
        !std::mem::replace(&mut pause.is_held, true)
    }

    /// Ends a pause, whoever began it, and forgets the failures before it. False if there is none.
    pub(super) fn resume(&self) -> bool {
        let mut pause = self.lock();
        pause.is_held = false;
        pause.next = Duration::from_millis(self.rules.pause_ms);
        self.in_a_row.store(0, Ordering::Relaxed);
        self.paused.swap(false, Ordering::Relaxed)
    }

    /// Whether it is paused until [`Self::resume`].
    pub(super) fn is_held(&self) -> bool {
        self.lock().is_held
    }

    /// How long it still rests, since it kept failing.
    pub(super) fn paused_for(&self) -> Option<Duration> {
        if !self.paused.load(Ordering::Relaxed) {
            return None;
        }
        let pause = self.lock();
        (!pause.is_held).then(|| pause.until.saturating_duration_since(Instant::now()))
    }

    /// Calls and breakdowns within the window so far.
    pub(super) fn on_probation(&self) -> (u32, u32) {
        (self.calls.load(Ordering::Relaxed), self.breakdowns.load(Ordering::Relaxed))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pause> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pause {
    fn refusal(&self, now: Instant) -> Option<Refusal> {
        if self.is_held {
            return Some(Refusal::Held);
        }
        (now < self.until).then(|| Refusal::Rests(self.until - now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rollback = Rollback { window: 9, failures: 3, pause_ms: 20, pause_ms_max: 50 };
    const ORDINARY: Trial = Trial(false);

    fn ending(broke_down: bool) -> Ending {
        if broke_down { Ending::BrokeDown } else { Ending::Well }
    }

    #[test]
    fn a_newcomer_is_unfit_after_so_many_failures_in_its_window() {
        let health = PluginHealth::new(RULES, false);
        let verdicts: Vec<_> = (1..=9).map(|call| health.ended(ending(call % 3 == 0), ORDINARY)).collect();
        assert_eq!(verdicts[8], Verdict::Unfit);
        assert!(verdicts[..8].iter().all(|verdict| *verdict == Verdict::Well));
        assert_eq!(health.on_probation(), (9, 3));
    }

    #[test]
    fn a_proven_one_only_if_all_calls_fail() {
        let health = PluginHealth::new(RULES, true);
        assert!((1..100).all(|call| health.ended(ending(call % 3 != 0), ORDINARY) == Verdict::Well));
        assert_eq!(health.ended(Ending::Well, ORDINARY), Verdict::Well);
        let verdicts = [0; 3].map(|_| health.ended(Ending::BrokeDown, ORDINARY));
        assert_eq!(verdicts, [Verdict::Well, Verdict::Well, Verdict::KeepsFailing]);
    }

    #[test]
    fn pauses_grow_and_end_with_a_trial_that_goes_well() {
        let health = PluginHealth::new(RULES, true);
        let ms = Duration::from_millis;
        let wait_for_trial = || {
            loop {
                match health.admit() {
                    Ok(trial) => return trial,
                    Err(Refusal::Rests(rest)) => std::thread::sleep(rest),
                    Err(Refusal::Held) => panic!("nobody holds it"),
                }
            }
        };
        assert_eq!(health.pause(ORDINARY), Some(ms(20)));
        assert_eq!(health.pause(ORDINARY), None);
        assert!(health.admit().is_err());
        for length in [40, 50, 50] {
            while let Some(Refusal::Rests(rest)) = health.refusal() {
                std::thread::sleep(rest);
            }
            let trial = wait_for_trial();
            assert!(health.admit().is_err() && health.refusal().is_some(), "one trial at a time");
            health.ended(Ending::BrokeDown, trial);
            assert_eq!(health.pause(trial), Some(ms(length)));
        }
        let trial = wait_for_trial();
        health.ended(Ending::Well, trial);
        assert_eq!(health.paused_for(), None);
        assert_eq!(health.pause(ORDINARY), Some(ms(20)));
    }

    #[test]
    fn a_pause_of_the_operator_lasts_until_the_operator_ends_it() {
        let health = PluginHealth::new(RULES, true);
        assert!(health.hold() && !health.hold());
        assert_eq!(health.admit().err(), Some(Refusal::Held));
        // A call that began as the trial of an earlier pause does not end this one.
        assert_eq!(health.ended(Ending::Well, Trial(true)), Verdict::Well);
        assert_eq!(health.admit().err(), Some(Refusal::Held));
        assert!(health.is_held() && health.paused_for().is_none());
        assert!(health.resume() && !health.resume());
        assert!(health.admit().is_ok() && !health.is_held());
        // Nor is another pause in its way, which it ends too.
        health.pause(ORDINARY);
        assert!(health.admit().is_err() && health.resume() && health.admit().is_ok());
        assert_eq!([0; 2].map(|_| health.ended(Ending::BrokeDown, ORDINARY)), [Verdict::Well; 2]);
    }

    #[test]
    fn what_the_host_is_at_fault_for_says_nothing() {
        let health = PluginHealth::new(RULES, false);
        assert_eq!(health.ended(Ending::BrokeDown, ORDINARY), Verdict::Well);
        assert!((0..100).all(|_| health.ended(Ending::Unknown, ORDINARY) == Verdict::Well));
        assert_eq!(health.on_probation(), (1, 1));
        // Nor does it end a pause, or a row of failures.
        assert_eq!(health.ended(Ending::BrokeDown, ORDINARY), Verdict::Well);
        assert_eq!(health.ended(Ending::Unknown, ORDINARY), Verdict::Well);
        assert_eq!(health.ended(Ending::BrokeDown, ORDINARY), Verdict::Unfit);
        health.pause(ORDINARY);
        assert_eq!(health.ended(Ending::Unknown, Trial(true)), Verdict::Well);
        assert!(health.paused_for().is_some());
    }

    #[test]
    fn both_can_be_switched_off() {
        let health = PluginHealth::new(Rollback { failures: 0, ..RULES }, false);
        assert!((0..100).all(|_| health.ended(Ending::BrokeDown, ORDINARY) == Verdict::Well));
    }
}
