//! Earlier reports of the ledger, by their marks: so many of the latest, within a bound on memory.

use super::difference::Difference;
use super::report::Report;
use super::snapshot::{LedgerMark, Snapshot};
use crate::config::{LEDGER_MARKS_BYTES_MAX, LEDGER_MARKS_MAX};
use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The latest snapshots.
#[derive(Debug)]
pub struct Snapshots {
    /// Tells this run from others, whose marks say nothing here.
    run: u64,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    snapshots: VecDeque<Snapshot>,
    bytes: usize,
    last_number: u64,
}

impl Default for Snapshots {
    fn default() -> Self {
        // The standard library seeds its hash maps from the system's randomness.
        Self { run: RandomState::new().build_hasher().finish(), kept: Mutex::default() }
    }
}

impl Snapshots {
    /// Gives a report its mark, and keeps it in the place of the oldest if there is no room.
    pub fn keep(&self, report: Report) -> Snapshot {
        let bytes = report.bytes();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.last_number += 1;
        let mark = LedgerMark { run: self.run, number: kept.last_number };
        let snapshot = Snapshot { mark, report: Arc::new(report), at: Instant::now() };
        kept.bytes += bytes;
        kept.snapshots.push_back(snapshot.clone());
        while kept.snapshots.len() > LEDGER_MARKS_MAX
            || (kept.bytes > LEDGER_MARKS_BYTES_MAX && kept.snapshots.len() > 1)
        {
            let oldest = kept.snapshots.pop_front();
            kept.bytes -= oldest.map_or(0, |oldest| oldest.report.bytes());
        }
        snapshot
    }

    /// What has changed between a mark and a later snapshot; none if the mark is not known any more, or never was.
    pub fn difference(&self, since: LedgerMark, now: &Snapshot) -> Option<Difference> {
        let before = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.snapshots.iter().find(|snapshot| snapshot.mark == since)?.clone()
        };
        let seconds = now.at.saturating_duration_since(before.at).as_secs_f64();
        Some(Difference::new(&before, now, seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{HopCounts, Ledger, Reason};

    fn report(names: usize) -> Report {
        let plugins = (0..names).map(|name| (format!("plugin-{name}"), HopCounts::default())).collect();
        Report::new(&Ledger::default(), plugins)
    }

    #[test]
    fn as_many_are_kept_as_may_be() {
        let snapshots = Snapshots::default();
        let first = snapshots.keep(report(1));
        for _ in 1..LEDGER_MARKS_MAX {
            snapshots.keep(report(1));
        }
        let last = snapshots.keep(report(1));
        assert!(snapshots.difference(first.mark, &last).is_none());
        let second: LedgerMark = first.mark.to_string().replace("-1", "-2").parse().unwrap();
        assert!(snapshots.difference(second, &last).is_some());
        // Rows of a kilobyte of memory each.
        let large = LEDGER_MARKS_BYTES_MAX / 128;
        let alone = snapshots.keep(report(large));
        assert!(
            snapshots.difference(last.mark, &alone).is_none() && snapshots.difference(alone.mark, &alone).is_some()
        );
        assert_eq!(snapshots.kept.lock().unwrap().snapshots.len(), 1);
    }

    #[test]
    fn marks_of_other_runs_are_not_known() {
        let (this, other) = (Snapshots::default(), Snapshots::default());
        let (now, mark) = (this.keep(report(1)), other.keep(report(1)).mark);
        assert!(this.difference(mark, &now).is_none());
        for text in ["", "1", "1-", "-1", "x-1", "1-2-3"] {
            assert!(text.parse::<LedgerMark>().unwrap_err().starts_with(&format!("`{text}` is no mark")), "{text}");
        }
    }

    #[test]
    fn a_difference_is_balanced_with_what_was_in_flight() {
        let (ledger, snapshots) = (Ledger::default(), Snapshots::default());
        let hop = ledger.hop("http");
        ledger.name_socket("http", &hop);
        let early = hop.enter();
        hop.refuse(Reason::QueueFull);
        let before = snapshots.keep(Report::new(&ledger, Vec::new()));
        early.out();
        hop.refuse(Reason::QueueFull);
        hop.refuse(Reason::TooLarge);
        hop.peer_queues().counts()[0].store(3, std::sync::atomic::Ordering::Relaxed);
        let late = ledger.hop("late").enter();
        let now = snapshots.keep(Report::new(&ledger, Vec::new()));
        let difference = serde_json::to_value(snapshots.difference(before.mark, &now).unwrap()).unwrap();
        assert_eq!(
            difference["hops"]["http"],
            serde_json::json!({"in": 2, "out": 1, "in_flight": 0, "in_flight_change": -1,
                               "dropped": {"queue-full": 1, "too-large": 1}})
        );
        assert_eq!(
            difference["hops"]["late"],
            serde_json::json!({"in": 1, "out": 0, "in_flight": 1, "in_flight_change": 1, "dropped": {}})
        );
        assert_eq!(difference["sockets"]["http"], serde_json::json!({"cut-off": 3, "unread": 0}));
        assert_eq!(
            (&difference["since"], &difference["mark"]),
            (&before.mark.to_string().into(), &now.mark.to_string().into())
        );
        late.out();
    }
}
