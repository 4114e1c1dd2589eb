//! What has changed in the ledger between two moments: in = out + dropped + the change of what is in flight.

use super::report::as_map;
use super::snapshot::{LedgerMark, Snapshot};
use super::{HopCounts, PeerQueueCounts, Reason};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The difference of two reports. A hop or plugin that is new has come from zero; no count is ever taken back, and of
/// plugins that were unloaded the rows stay.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// The earlier moment.
    pub since: LedgerMark,
    /// The later one.
    pub mark: LedgerMark,
    /// Between the two.
    pub seconds: f64,
    /// By name.
    #[serde(serialize_with = "as_map")]
    pub hops: Vec<(Arc<str>, HopDifference)>,
    /// By name.
    #[serde(serialize_with = "as_map")]
    pub plugins: Vec<(String, HopDifference)>,
    /// By name.
    #[serde(serialize_with = "as_map")]
    pub sockets: Vec<(Arc<str>, PeerQueueCounts)>,
}

/// What has changed at one hop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HopDifference {
    /// What came in.
    #[serde(rename = "in")]
    pub entered: u64,
    /// What went out.
    pub out: u64,
    /// What is inside now.
    pub in_flight: u64,
    /// How much more that is than before.
    pub in_flight_change: i64,
    /// What came to another end, by reason; of reasons for which nothing did there is no entry.
    pub dropped: BTreeMap<Reason, u64>,
}

impl Difference {
    /// From one snapshot to a later one.
    pub(super) fn new(before: &Snapshot, now: &Snapshot, seconds: f64) -> Self {
        let sockets = rows(&before.report.sockets, &now.report.sockets, |before, now| PeerQueueCounts {
            cut_off: now.cut_off.saturating_sub(before.cut_off),
            unread: now.unread.saturating_sub(before.unread),
        });
        Self {
            since: before.mark,
            mark: now.mark,
            seconds,
            hops: rows(&before.report.hops, &now.report.hops, HopDifference::new),
            plugins: rows(&before.report.plugins, &now.report.plugins, HopDifference::new),
            sockets,
        }
    }
}

impl HopDifference {
    fn new(before: &HopCounts, now: &HopCounts) -> Self {
        let dropped =
            now.dropped.iter().map(|(reason, count)| (*reason, count.saturating_sub(before.dropped(*reason))));
        Self {
            entered: now.entered.saturating_sub(before.entered),
            out: now.out.saturating_sub(before.out),
            in_flight: now.in_flight,
            in_flight_change: now.in_flight.wrapping_sub(before.in_flight).cast_signed(),
            dropped: dropped.filter(|(_, count)| *count > 0).collect(),
        }
    }
}

/// The rows of `now`, each with the one of its name before.
fn rows<N: Clone + Ord, C: Default, D>(
    before: &[(N, C)],
    now: &[(N, C)],
    difference: impl Fn(&C, &C) -> D,
) -> Vec<(N, D)> {
    let before: BTreeMap<&N, &C> = before.iter().map(|(name, counts)| (name, counts)).collect();
    let none = C::default();
    let of = |name| before.get(name).copied().unwrap_or(&none);
    now.iter().map(|(name, counts)| (name.clone(), difference(of(name), counts))).collect()
}
