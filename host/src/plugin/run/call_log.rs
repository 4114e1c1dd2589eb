//! What guests write to the log in calls that somebody makes to try a plugin, kept for who makes them.

use crate::config::{CALL_LOG_BYTES_MAX, CALL_LOG_LINES_MAX, LOG_LINE_BYTES_MAX};
use crate::plugin::call::CallNumber;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The logs of one plugin's calls that are kept, by the numbers of the calls. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallLogs(Arc<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// How many there are: who only calls the plugin looks at nothing else.
    count: AtomicUsize,
    logs: Mutex<HashMap<CallNumber, CallLog>>,
}

/// What a guest has written in one call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CallLog {
    /// The first lines.
    #[serde(rename = "log")]
    pub lines: Vec<LogLine>,
    /// How many more there were.
    #[serde(rename = "log_left_out")]
    pub left_out: u64,
    #[serde(skip)]
    bytes: usize,
}

/// A line of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// `trace`, `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// What the guest says that it is about; `stdio` where the guest only wrote it.
    pub context: String,
    /// What it says.
    pub text: String,
}

impl CallLogs {
    /// Keeps what is written in the call of this number until what is returned is dropped.
    pub(crate) fn keep(&self, number: CallNumber) -> KeptLog {
        self.0.lock().insert(number, CallLog::default());
        self.0.count.fetch_add(1, Ordering::Relaxed);
        KeptLog { logs: self.clone(), number }
    }

    /// A guest writes a line in the call of this number.
    pub(super) fn write(&self, number: CallNumber, level: tracing::Level, context: &str, text: &str) {
        if self.0.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        if let Some(log) = self.0.lock().get_mut(&number) {
            log.add(level, context, text);
        }
    }
}

impl CallLog {
    fn add(&mut self, level: tracing::Level, context: &str, text: &str) {
        let [context, text] = [context, text].map(|text| &text[..text.floor_char_boundary(LOG_LINE_BYTES_MAX)]);
        let bytes = self.bytes + context.len() + text.len();
        if self.lines.len() >= CALL_LOG_LINES_MAX || bytes > CALL_LOG_BYTES_MAX {
            self.left_out += 1;
            return;
        }
        self.bytes = bytes;
        let level = level.as_str().to_ascii_lowercase();
        self.lines.push(LogLine { level, context: context.to_owned(), text: text.to_owned() });
    }
}

impl Kept {
    fn lock(&self) -> MutexGuard<'_, HashMap<CallNumber, CallLog>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The log of one call.
pub struct KeptLog {
    logs: CallLogs,
    number: CallNumber,
}

impl KeptLog {
    /// What was written so far.
    pub fn take(&self) -> CallLog {
        self.logs.0.lock().get_mut(&self.number).map(std::mem::take).unwrap_or_default()
    }
}

impl Drop for KeptLog {
    fn drop(&mut self) {
        self.logs.0.lock().remove(&self.number);
        self.logs.0.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_of_which_the_log_is_kept_fill_it_and_it_is_bounded() {
        let logs = CallLogs::default();
        let (one, other) = (CallNumber::Trial(1), CallNumber::Message(1));
        logs.write(one, tracing::Level::INFO, "", "before");
        let kept = logs.keep(one);
        logs.write(other, tracing::Level::INFO, "", "of another");
        logs.write(one, tracing::Level::WARN, "c", "first");
        (0..CALL_LOG_LINES_MAX + 4).for_each(|_| logs.write(one, tracing::Level::INFO, "", "more"));
        let log = kept.take();
        let first = LogLine { level: "warn".to_owned(), context: "c".to_owned(), text: "first".to_owned() };
        assert_eq!((log.lines.first(), log.lines.len(), log.left_out), (Some(&first), CALL_LOG_LINES_MAX, 5));
        let long = "x".repeat(2 * LOG_LINE_BYTES_MAX);
        (0..CALL_LOG_LINES_MAX).for_each(|_| logs.write(one, tracing::Level::INFO, "", &long));
        let log = kept.take();
        let bytes: usize = log.lines.iter().map(|line| line.text.len()).sum();
        assert!(log.left_out > 0 && bytes <= CALL_LOG_BYTES_MAX, "{bytes}");
        drop(kept);
        assert!(logs.0.lock().is_empty());
        logs.write(one, tracing::Level::INFO, "", "after");
        assert!(logs.0.lock().is_empty());
    }
}
