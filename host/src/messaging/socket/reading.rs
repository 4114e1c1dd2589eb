//! Whether the frontend reads requests, and what keeps it from that although it is not paused: reported once it has
//! lasted.

use crate::log_limit::LogLimit;
use std::time::{Duration, Instant};

/// How long an obstacle lasts before it is reported. Shorter ones are how bounded queues work.
const LASTING: Duration = Duration::from_secs(1);

/// What keeps the frontend from reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Obstacle {
    /// As many replies wait for their delay as may.
    ScheduleFull = 1,
    /// A client does not read its replies, and `on_full` is `block`, so that all clients wait for it.
    ClientFull = 2,
}

impl Obstacle {
    pub(crate) fn from_u8(number: u8) -> Option<Self> {
        [Self::ScheduleFull, Self::ClientFull].into_iter().find(|obstacle| *obstacle as u8 == number)
    }

    /// As a fragment.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ScheduleFull => {
                "as many replies wait for their time as may (messaging.queue_messages_max, queue_bytes_max)"
            }
            Self::ClientFull => "a client does not read its replies (broker.on_full = \"block\")",
        }
    }
}

/// Whether the frontend reads, and for how long it has not.
#[derive(Default)]
pub(crate) struct Reading {
    hindered: Option<(Obstacle, Instant)>,
    /// The obstacle has lasted long enough, and was reported.
    is_reported: bool,
    is_logged: bool,
    log_limit: LogLimit,
}

impl Reading {
    /// Notes what keeps the frontend from reading now, if anything. Returns the obstacle to report, or that there is
    /// none any more, if that has changed.
    pub(crate) fn note(&mut self, obstacle: Option<Obstacle>, now: Instant) -> Option<Option<Obstacle>> {
        let Some(obstacle) = obstacle else {
            self.hindered = None;
            if std::mem::take(&mut self.is_logged) {
                tracing::info!("the frontend reads requests again");
            }
            return std::mem::take(&mut self.is_reported).then_some(None);
        };
        let (_, since) = *self.hindered.insert((obstacle, self.hindered.map_or(now, |(_, since)| since)));
        if self.is_reported || now.duration_since(since) < LASTING {
            return None;
        }
        self.is_reported = true;
        if let Some(times) = self.log_limit.note(now) {
            self.is_logged = true;
            tracing::warn!(times, "the frontend reads no requests: {}", obstacle.as_str());
        }
        Some(Some(obstacle))
    }

    /// Whether something kept the frontend from reading at the last [`Self::note`].
    pub(crate) fn is_hindered(&self) -> bool {
        self.hindered.is_some()
    }

    /// When the obstacle will have lasted long enough to be reported; none if there is nothing to report.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.hindered.filter(|_| !self.is_reported).map(|(_, since)| since + LASTING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_told_once_and_its_end_too() {
        let (mut reading, start) = (Reading::default(), Instant::now());
        let full = Some(Obstacle::ScheduleFull);
        assert_eq!((reading.note(full, start), reading.due()), (None, Some(start + LASTING)));
        assert_eq!(reading.note(full, start + LASTING / 2), None);
        assert_eq!(reading.note(None, start + LASTING / 2), None);
        assert_eq!(reading.note(full, start + LASTING), None);
        assert_eq!(reading.note(full, start + 2 * LASTING), Some(full));
        assert_eq!((reading.note(full, start + 3 * LASTING), reading.due()), (None, None));
        assert_eq!(reading.note(None, start + 3 * LASTING), Some(None));
        for obstacle in [Obstacle::ScheduleFull, Obstacle::ClientFull] {
            assert_eq!(Obstacle::from_u8(obstacle as u8), Some(obstacle));
        }
        assert_eq!(Obstacle::from_u8(0), None);
    }
}
