//! `GET /ledger`: the counts since the start, or since the mark of an earlier answer.

use super::json;
use crate::http::problem::Problem;
use crate::http::query;
use crate::ledger::{LedgerMark, Report, Snapshots};
use warp::reply::Response;

/// The report with its mark, or with `since` in the query what has changed.
///
/// # Errors
/// When the query is no mark, or the mark is not known any more: then a difference would be wrong.
pub(super) fn answer(snapshots: &Snapshots, report: Report, text: &str) -> Result<Response, Problem> {
    let pairs = query::pairs(text).map_err(Problem::Malformed)?;
    let since = match &pairs[..] {
        [] => None,
        [(name, mark)] if name == "since" => Some(mark.parse::<LedgerMark>().map_err(Problem::Malformed)?),
        _ => return Err(Problem::Malformed("the query takes since=MARK, and nothing else".to_owned())),
    };
    let now = snapshots.keep(report);
    match since {
        None => json(&now),
        Some(since) => json(&snapshots.difference(since, &now).ok_or_else(|| Problem::UnknownMark(since.to_string()))?),
    }
}
