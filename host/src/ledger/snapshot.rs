//! A snapshot of the ledger: a report, and the mark that names its moment.

use super::report::Report;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Instant;

/// The name of a moment of a run: `RUN-NUMBER`, in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerMark {
    pub(super) run: u64,
    pub(super) number: u64,
}

/// A report and its mark.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// The moment.
    pub mark: LedgerMark,
    /// What was so then.
    #[serde(flatten, serialize_with = "whole")]
    pub report: Arc<Report>,
    #[serde(skip)]
    pub(super) at: Instant,
}

fn whole<S: serde::Serializer>(report: &Arc<Report>, serializer: S) -> Result<S::Ok, S::Error> {
    report.as_ref().serialize(serializer)
}

impl fmt::Display for LedgerMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:x}", self.run, self.number)
    }
}

impl Serialize for LedgerMark {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for LedgerMark {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let mark = text.split_once('-').and_then(|(run, of)| Some(Self { run: number(run)?, number: number(of)? }));
        mark.ok_or_else(|| format!("`{text}` is no mark: take that of an answer of GET /ledger"))
    }
}
