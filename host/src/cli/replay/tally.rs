//! What came of a replay: what was sent, skipped and lost, and how late it was.

use super::passages::Passages;
use crate::record::replay::{Lateness, Skip};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Counts, by messages.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// On their way, or answered well.
    pub(super) sent: u64,
    /// Published when nobody had subscribed to them.
    pub(super) unheard: u64,
    /// Answered with an error, or not at all.
    pub(super) failed: u64,
    /// Answers of HTTP by their status.
    pub(super) statuses: BTreeMap<u16, u64>,
    pub(super) skipped: BTreeMap<Skip, u64>,
    pub(super) lateness: Lateness,
    /// From the first message on.
    pub(super) took: Duration,
    /// Why it ended before the file did.
    pub(super) stopped: Option<String>,
    /// What became of messages that were put through a flow.
    pub(super) passages: Option<Passages>,
}

impl Tally {
    pub(super) fn skip(&mut self, skip: Skip) {
        *self.skipped.entry(skip).or_default() += 1;
    }

    /// Whether all was sent that was to be.
    pub(super) fn is_whole(&self) -> bool {
        let gone = self.sent + self.unheard;
        gone > 0 && self.failed == 0 && self.stopped.is_none() && self.skipped.keys().all(|skip| skip.is_no_loss())
    }

    /// How far it is.
    pub(super) fn told(&self) -> String {
        let Self { sent, failed, lateness, .. } = self;
        let late = if lateness.messages > 0 {
            format!(", {:.1} s late", lateness.behind.as_secs_f64())
        } else {
            String::new()
        };
        let done = if self.passages.is_some() { "done with" } else { "sent" };
        format!("replaying: {sent} {done}, {} skipped, {failed} failed{late}", self.skipped_in_all())
    }

    fn skipped_in_all(&self) -> u64 {
        self.skipped.values().sum()
    }

    /// Messages a second.
    fn rate(&self) -> f64 {
        let gone = self.sent + self.unheard + self.failed;
        if self.took.is_zero() { 0.0 } else { (gone as f64 / self.took.as_secs_f64() * 10.0).round() / 10.0 }
    }

    /// Lines for people.
    pub(super) fn text(&self) -> String {
        let Self { sent, unheard, failed, statuses, skipped, lateness, took, passages, .. } = self;
        let skipped_in_all = self.skipped_in_all();
        let mut text = match passages {
            None => format!("sent={sent} skipped={skipped_in_all} failed={failed} unheard={unheard}"),
            Some(passages) => format!("{} skipped={skipped_in_all}", passages.text()),
        };
        text += &format!(
            " late={} behind={:.3}s took={:.3}s rate={}/s\n",
            lateness.messages,
            lateness.behind.as_secs_f64(),
            took.as_secs_f64(),
            self.rate(),
        );
        text += &passages.as_ref().map(Passages::lines).unwrap_or_default();
        text.extend(statuses.iter().map(|(status, count)| format!("answered {status}: {count}\n")));
        text.extend(skipped.iter().map(|(skip, count)| format!("skipped: {count} {}\n", skip.text())));
        text
    }

    /// One object; of messages that were put through a flow a line, as each of those is.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        let text = match &self.passages {
            None => serde_json::to_string_pretty(&self.object())?,
            Some(passages) => {
                let mut object = serde_json::to_value(passages)?;
                let all = self.object();
                for key in ["skipped", "late", "behind_ms", "took_ms", "per_second", "stopped"] {
                    object[key] = all[key].clone();
                }
                json!({ "summary": object }).to_string()
            }
        };
        Ok(text + "\n")
    }

    fn object(&self) -> Value {
        let Self { sent, unheard, failed, statuses, skipped, lateness, took, stopped, passages: _ } = self;
        let skipped: BTreeMap<_, _> = skipped.iter().map(|(skip, count)| (skip.text(), count)).collect();
        let milliseconds = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        json!({
            "sent": sent,
            "unheard": unheard,
            "failed": failed,
            "statuses": statuses,
            "skipped": skipped,
            "late": lateness.messages,
            "behind_ms": milliseconds(&lateness.behind),
            "took_ms": milliseconds(took),
            "per_second": self.rate(),
            "stopped": stopped,
        })
    }
}
