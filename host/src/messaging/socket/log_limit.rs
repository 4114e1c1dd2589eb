//! How often a line of the log about the same thing is written, where a peer decides how often it happens.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Things that are told apart at a time. More of them are counted, and not logged.
const REMEMBERED_MAX: usize = 1_000;

/// Lines about things that are told apart by a key: of each key so many in a time.
#[derive(Debug)]
pub(super) struct LogLimit<K> {
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

impl<K: Eq + Hash> LogLimit<K> {
    pub(super) fn new(lines_max: u64, interval: Duration) -> Self {
        Self { lines_max, interval, things: HashMap::new(), unremembered: 0 }
    }

    /// How many lines were not written since the last one was; none if this one is not to be written either.
    pub(super) fn admit(&mut self, key: K, now: Instant) -> Option<u64> {
        let interval = self.interval;
        let is_over = |thing: &Thing| now.duration_since(thing.since) >= interval;
        if let Some(thing) = self.things.get_mut(&key) {
            if is_over(thing) {
                (thing.since, thing.lines) = (now, 0);
            }
            if thing.lines == self.lines_max {
                thing.skipped += 1;
                return None;
            }
            thing.lines += 1;
            return Some(std::mem::take(&mut thing.skipped));
        }
        if self.things.len() >= REMEMBERED_MAX {
            self.things.retain(|_, thing| !is_over(thing));
        }
        if self.things.len() >= REMEMBERED_MAX {
            self.unremembered += 1;
            return None;
        }
        self.things.insert(key, Thing { since: now, lines: 1, skipped: 0 });
        Some(std::mem::take(&mut self.unremembered))
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
    }

    #[test]
    fn a_flood_of_different_things_is_remembered_and_logged_up_to_a_bound() {
        let mut limit = LogLimit::new(1, MINUTE);
        let now = Instant::now();
        let logged = (0..3 * REMEMBERED_MAX).filter(|thing| limit.admit(*thing, now).is_some()).count();
        assert_eq!((logged, limit.things.len()), (REMEMBERED_MAX, REMEMBERED_MAX));
        assert_eq!(limit.admit(3 * REMEMBERED_MAX, now + MINUTE), Some(2 * REMEMBERED_MAX as u64));
        assert_eq!(limit.things.len(), 1);
    }
}
