//! A complaint that is made once a minute at most, with how much it is about.

use crate::config::COMPLAINT_INTERVAL_MS;
use std::time::{Duration, Instant};

/// Counts what has happened since the last time that it was said.
#[derive(Debug, Default)]
pub(crate) struct Complaint {
    said: Option<Instant>,
    times: u64,
}

impl Complaint {
    /// It has happened once more. Returns how often to speak of, if it is time to.
    pub(crate) fn note(&mut self, now: Instant) -> Option<u64> {
        self.times += 1;
        let interval = Duration::from_millis(COMPLAINT_INTERVAL_MS);
        if self.said.is_some_and(|said| now.saturating_duration_since(said) < interval) {
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_at_once_then_once_a_minute() {
        let (mut complaint, start) = (Complaint::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(complaint.note(start), Some(1));
        assert_eq!(complaint.note(at(1)), None);
        assert_eq!(complaint.note(at(COMPLAINT_INTERVAL_MS - 1)), None);
        assert_eq!(complaint.note(at(COMPLAINT_INTERVAL_MS)), Some(3));
        assert_eq!(complaint.note(at(COMPLAINT_INTERVAL_MS + 1)), None);
    }
}
