//! How long the calls of each plugin took: since the start, and within the last seconds as long as somebody watches.

use crate::config::ADMIN_WINDOW_MS;
use crate::plugin::DurationCounts;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_millis(ADMIN_WINDOW_MS);

/// What was counted of all plugins, by name.
pub(super) type Durations = BTreeMap<String, DurationCounts>;

/// How long the calls of one plugin took.
#[derive(Debug, Serialize)]
pub(super) struct Latency {
    total: Percentiles,
    /// Of the last seconds; none where nobody has watched for that long.
    recent: Option<Recent>,
}

#[derive(Debug, Serialize)]
struct Recent {
    /// How many seconds these are.
    seconds: f64,
    #[serde(flatten)]
    percentiles: Percentiles,
}

#[derive(Debug, Serialize)]
struct Percentiles {
    calls: u64,
    p50_us: Option<f64>,
    p99_us: Option<f64>,
}

/// What was counted at some moments of the last seconds, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Window(VecDeque<(Instant, Durations)>);

impl Latency {
    /// Of what was counted until now, and until some seconds ago, if anything was then.
    pub(super) fn of(now: &DurationCounts, earlier: Option<(f64, Option<&DurationCounts>)>) -> Self {
        let recent = earlier.map(|(seconds, earlier)| {
            let seconds = (seconds * 10.0).round() / 10.0;
            let counts = earlier.map_or_else(|| now.clone(), |earlier| now.since(earlier));
            Recent { seconds, percentiles: Percentiles::of(&counts) }
        });
        Self { total: Percentiles::of(now), recent }
    }
}

impl Percentiles {
    fn of(counts: &DurationCounts) -> Self {
        // To a tenth of a microsecond, which is more than the counts know.
        let us = |time: Duration| (time.as_nanos() as f64 / 100.0).round() / 10.0;
        let percentile = |percent| counts.percentile(percent).map(us);
        Self { calls: counts.calls(), p50_us: percentile(50), p99_us: percentile(99) }
    }
}

impl Window {
    /// Adds what is counted now, and forgets what was counted longer ago than the window reaches.
    pub(super) fn add(&mut self, now: Instant, durations: Durations) {
        let is_old = |(then, _): &(Instant, Durations)| now.saturating_duration_since(*then) > WINDOW;
        while self.0.get(1).is_some_and(&is_old) {
            self.0.pop_front();
        }
        self.0.push_back((now, durations));
    }

    /// What was counted at the beginning of the window, with how many seconds ago that was.
    pub(super) fn earliest(&self, now: Instant) -> Option<(f64, &Durations)> {
        let (then, durations) = self.0.front()?;
        Some((now.saturating_duration_since(*then).as_secs_f64(), durations))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_reaches_back_some_seconds_and_holds_no_more() {
        let (began, mut window) = (Instant::now(), Window::default());
        for second in 0..100 {
            window.add(began + Duration::from_secs(second), Durations::new());
            let reaches = window.earliest(began + Duration::from_secs(second)).map(|(seconds, _)| seconds);
            assert_eq!(reaches, Some(second.min(11) as f64));
            assert!(window.0.len() <= 12);
        }
    }
}
