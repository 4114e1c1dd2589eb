//! What became of the messages that were put through a flow: each is counted once.

use crate::ledger::{HopCounts, Reason};
use serde::Serialize;
use std::collections::BTreeMap;

/// Counts, by the messages that went in.
#[derive(Debug, Default, Serialize)]
pub(super) struct Passages {
    /// Put in.
    #[serde(rename = "in")]
    pub(super) entered: u64,
    /// Those that something came out of.
    out: u64,
    /// Those that a plugin gave nothing for.
    filtered: u64,
    /// Those that failed, by what the ledger counts them as.
    dropped: BTreeMap<&'static str, u64>,
    /// What came out of all.
    messages: u64,
    /// Failures that the flow passed by, as it is to.
    passed_by: u64,
}

impl Passages {
    /// Counts a message of which so many came, at which so many calls failed, and what it was dropped for.
    pub(super) fn note(&mut self, messages: usize, failures: usize, dropped: Option<Reason>) {
        self.messages += messages as u64;
        match dropped {
            Some(reason) => *self.dropped.entry(reason.as_str()).or_default() += 1,
            None if messages == 0 => self.filtered += 1,
            None => self.out += 1,
        }
        let passed_by = failures.saturating_sub(usize::from(dropped.is_some()));
        self.passed_by += passed_by as u64;
    }

    /// Counts a message that is given up.
    pub(super) fn abandon(&mut self) {
        *self.dropped.entry(Reason::Abandoned.as_str()).or_default() += 1;
    }

    /// # Errors
    /// When in is not out, filtered and dropped together, or the flow has counted otherwise.
    pub(super) fn check(&self, counts: &HopCounts) -> Result<(), String> {
        let dropped = counts.dropped.iter().filter(|(_, count)| **count > 0);
        let dropped: BTreeMap<_, _> = dropped.map(|(reason, count)| (reason.as_str(), *count)).collect();
        let in_all = self.out + self.filtered + self.dropped.values().sum::<u64>();
        let is_same = (self.entered, self.out + self.filtered, &self.dropped) == (counts.entered, counts.out, &dropped);
        match is_same && in_all == self.entered && counts.in_flight == 0 && counts.balanced() {
            true => Ok(()),
            false => Err(format!(
                "the counts do not agree, which is a fault of Tidegate: {self:?}, and of the flow itself {counts:?}"
            )),
        }
    }

    /// The first words of a summary.
    pub(super) fn text(&self) -> String {
        let Self { entered, out, filtered, dropped, messages, passed_by } = self;
        let dropped: u64 = dropped.values().sum();
        let passed_by = if *passed_by > 0 { format!(" passed-by={passed_by}") } else { String::new() };
        format!("in={entered} out={out} filtered={filtered} dropped={dropped}{passed_by} messages={messages}")
    }

    /// Lines of what was dropped.
    pub(super) fn lines(&self) -> String {
        self.dropped.iter().map(|(reason, count)| format!("dropped: {count} {reason}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(entered: u64, out: u64, dropped: &[(Reason, u64)]) -> HopCounts {
        HopCounts { entered, out, in_flight: 0, dropped: dropped.iter().copied().collect() }
    }

    #[test]
    fn each_message_is_counted_once_and_as_the_flow_counts_it() {
        let mut passages = Passages { entered: 5, ..Passages::default() };
        passages.note(2, 0, None);
        passages.note(1, 1, None);
        passages.note(0, 0, None);
        passages.note(0, 1, Some(Reason::Trapped));
        passages.abandon();
        assert_eq!(passages.text(), "in=5 out=2 filtered=1 dropped=2 passed-by=1 messages=3");
        assert_eq!(passages.lines(), "dropped: 1 abandoned\ndropped: 1 trapped\n");
        let dropped = [(Reason::Trapped, 1), (Reason::Abandoned, 1), (Reason::Failed, 0)];
        assert_eq!(passages.check(&counts(5, 3, &dropped)), Ok(()));
        for other in
            [counts(6, 4, &dropped), counts(5, 4, &dropped[1..]), HopCounts { in_flight: 1, ..counts(5, 3, &dropped) }]
        {
            assert!(passages.check(&other).expect_err("a difference").starts_with("the counts do not agree"));
        }
        passages.entered = 4;
        assert!(passages.check(&counts(4, 3, &dropped)).is_err());
    }
}
