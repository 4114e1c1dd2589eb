//! A rate limit on log lines about the same thing, for what a peer, a client or a plugin can make happen at any rate.

use crate::config::{LOG_LIMIT_INTERVAL_MS, LOG_LIMIT_THINGS_MAX};
use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Admits so many lines for each key in each interval.
#[derive(Debug)]
pub(crate) struct LogLimit<K = ()> {
    lines_max: u64,
    interval: Duration,
    windows: HashMap<K, Window>,
    /// Lines that were not written because as many keys as may be are remembered already.
    unremembered: u64,
}

/// The interval that runs for one key.
#[derive(Debug)]
struct Window {
    since: Instant,
    lines: u64,
    skipped: u64,
}

/// One line a minute, for all that it is asked about.
impl Default for LogLimit {
    fn default() -> Self {
        Self::new(1, Duration::from_millis(LOG_LIMIT_INTERVAL_MS))
    }
}

impl LogLimit {
    /// Counts one more occurrence. If it is to be logged, returns how many there were since the last line, this one
    /// included.
    pub(crate) fn note(&mut self, now: Instant) -> Option<u64> {
        self.admit((), now).map(|skipped| skipped + 1)
    }

    /// How many lines were not written since the last one was.
    pub(crate) fn skipped(&self) -> u64 {
        self.windows.get(&()).map_or(0, |window| window.skipped)
    }
}

impl<K: Eq + Hash> LogLimit<K> {
    pub(crate) fn new(lines_max: u64, interval: Duration) -> Self {
        Self { lines_max, interval, windows: HashMap::new(), unremembered: 0 }
    }

    /// If a line about this key is to be written now, returns how many were not written since the last one was.
    pub(crate) fn admit(&mut self, key: K, now: Instant) -> Option<u64> {
        let interval = self.interval;
        let is_over = |window: &Window| now.duration_since(window.since) >= interval;
        if !self.windows.contains_key(&key) && self.windows.len() >= LOG_LIMIT_THINGS_MAX {
            self.windows.retain(|_, window| !is_over(window));
            if self.windows.len() >= LOG_LIMIT_THINGS_MAX {
                self.unremembered += 1;
                return None;
            }
        }
        let unremembered = &mut self.unremembered;
        let new = || Window { since: now, lines: 0, skipped: std::mem::take(unremembered) };
        let window = self.windows.entry(key).or_insert_with(new);
        if is_over(window) {
            (window.since, window.lines) = (now, 0);
        }
        if window.lines == self.lines_max {
            window.skipped += 1;
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.skipped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn so_many_lines_in_a_time_and_then_how_many_were_not_written() {
        let mut limit = LogLimit::new(2, MINUTE);
        let now = Instant::now();
        let lines: Vec<_> = (0..4).map(|_| limit.admit("a", now)).collect();
        assert_eq!(lines, [Some(0), Some(0), None, None]);
        assert_eq!(limit.admit("b", now), Some(0));
        assert_eq!(limit.admit("a", now + MINUTE), Some(2));
        assert_eq!(limit.admit("a", now + MINUTE), Some(0));
        assert_eq!(limit.admit("a", now + MINUTE), None);
        assert_eq!(LogLimit::new(0, MINUTE).admit("a", now), None);
    }

    #[test]
    fn one_thing_is_said_at_once_then_once_a_minute() {
        let (mut limit, start) = (LogLimit::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(limit.note(start), Some(1));
        assert_eq!((limit.note(at(1)), limit.skipped()), (None, 1));
        assert_eq!(limit.note(at(LOG_LIMIT_INTERVAL_MS - 1)), None);
        assert_eq!((limit.note(at(LOG_LIMIT_INTERVAL_MS)), limit.skipped()), (Some(3), 0));
        assert_eq!(limit.note(at(LOG_LIMIT_INTERVAL_MS + 1)), None);
    }

    #[test]
    fn a_flood_of_different_things_is_remembered_and_logged_up_to_a_bound() {
        let mut limit = LogLimit::new(1, MINUTE);
        let now = Instant::now();
        let logged = (0..3 * LOG_LIMIT_THINGS_MAX).filter(|thing| limit.admit(*thing, now).is_some()).count();
        assert_eq!((logged, limit.windows.len()), (LOG_LIMIT_THINGS_MAX, LOG_LIMIT_THINGS_MAX));
        let new = 3 * LOG_LIMIT_THINGS_MAX;
        assert_eq!(limit.admit(new, now + MINUTE), Some(2 * LOG_LIMIT_THINGS_MAX as u64));
        assert_eq!(limit.windows.len(), 1);
    }
}
