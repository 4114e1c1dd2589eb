//! The time of a line.

use std::time::{SystemTime, UNIX_EPOCH};

/// The text of a time, which is formatted again only when the millisecond changes: a million lines a second need only a
/// thousand texts.
#[derive(Default)]
pub(super) struct TimeText {
    unix_ms: Option<u64>,
    text: String,
}

impl TimeText {
    pub(super) fn at(&mut self, now: SystemTime) -> &str {
        let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_ms = since_1970.as_secs() * 1000 + u64::from(since_1970.subsec_millis());
        if self.unix_ms != Some(unix_ms) {
            self.unix_ms = Some(unix_ms);
            let time = i64::try_from(unix_ms).ok().and_then(|unix_ms| jiff::Timestamp::from_millisecond(unix_ms).ok());
            self.text = format!("{:.3}", time.unwrap_or(jiff::Timestamp::MAX));
        }
        &self.text
    }
}
