//! How often a line of the log about the same thing is written, where somebody else decides how often it happens.

use crate::config::{LOG_LIMIT_INTERVAL_MS, LOG_LIMIT_THINGS_MAX};
use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Lines about things that are told apart by a key: of each key so many in a time.
#[derive(Debug)]
pub(crate) struct LogLimit<K = ()> {
    lines_max: u64,
    interval: Duration,
    things: HashMap<K, Thing>,
    /// What was not logged since there was no room to remember it.
    unremembered: u64,
}

#[derive(Debug)]
struct Thing {
    since: Instant,
    lines: u64,
    skipped: u64,
}

/// A line about one thing, once a minute.
impl Default for LogLimit {
    fn default() -> Self {
        Self::new(1, Duration::from_millis(LOG_LIMIT_INTERVAL_MS))
    }
}

impl LogLimit {
    /// It has happened once more. If that is to be logged, how often it has since the last line.
    pub(crate) fn note(&mut self, now: Instant) -> Option<u64> {
        self.admit((), now).map(|skipped| skipped + 1)
    }

    /// How many lines were not written since the last one was.
    pub(crate) fn skipped(&self) -> u64 {
        self.things.get(&()).map_or(0, |thing| thing.skipped)
    }
}

impl<K: Eq + Hash> LogLimit<K> {
    pub(crate) fn new(lines_max: u64, interval: Duration) -> Self {
        Self { lines_max, interval, things: HashMap::new(), unremembered: 0 }
    }

    /// If one more line is to be written, how many were not since the last one was.
    pub(crate) fn admit(&mut self, key: K, now: Instant) -> Option<u64> {
        let interval = self.interval;
        let is_over = |thing: &Thing| now.duration_since(thing.since) >= interval;
        if !self.things.contains_key(&key) && self.things.len() >= LOG_LIMIT_THINGS_MAX {
            self.things.retain(|_, thing| !is_over(thing));
            if self.things.len() >= LOG_LIMIT_THINGS_MAX {
                self.unremembered += 1;
                return None;
            }
        }
        let unremembered = &mut self.unremembered;
        let new = || Thing { since: now, lines: 0, skipped: std::mem::take(unremembered) };
        let thing = self.things.entry(key).or_insert_with(new);
        if is_over(thing) {
            (thing.since, thing.lines) = (now, 0);
        }
        if thing.lines == self.lines_max {
            thing.skipped += 1;
            return None;
        }
        thing.lines += 1;
        Some(std::mem::take(&mut thing.skipped))
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
        assert_eq!((logged, limit.things.len()), (LOG_LIMIT_THINGS_MAX, LOG_LIMIT_THINGS_MAX));
        let new = 3 * LOG_LIMIT_THINGS_MAX;
        assert_eq!(limit.admit(new, now + MINUTE), Some(2 * LOG_LIMIT_THINGS_MAX as u64));
        assert_eq!(limit.things.len(), 1);
    }
}
