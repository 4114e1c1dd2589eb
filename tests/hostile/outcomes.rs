//! Every row of the table is loaded and called, and has the outcome that the table names.

use super::table::Outcome::{self, Answers, Refused, Serves};
use super::table::{DEADLINE, Row, SHORT_MS, calls, refusals};
use super::{add_files, call_each, has_line, host, log_of, with_good_answers};

/// The longest log line that a guest may cause.
const LINE_BYTES_MAX: usize = 64 << 10;

impl Outcome {
    /// How the row's plugin differs from the outcome, judged by the status of one call and the whole log.
    fn mismatch(&self, plugin: &str, status: u16, log: &str) -> Option<String> {
        let (right, words) = match *self {
            Refused(stage, text) => {
                (status == 503, vec!["not loaded".to_owned(), format!("reason=\"{stage}: "), text.to_owned()])
            }
            Answers(expected, "") => (status == expected, vec![]),
            Answers(expected, text) => {
                let is_busy = expected == 504 && status == 503;
                (status == expected || is_busy, vec!["call failed".to_owned(), text.to_owned()])
            }
            Serves(text) => (status == 200 || status == 204, vec![text.to_owned()]),
        };
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        if right && has_line(log, plugin, &words) {
            return None;
        }
        let lines: Vec<_> = log
            .lines()
            .filter(|line| line.contains(&format!("plugin=\"{plugin}\"")))
            .map(|line| line.chars().take(600).collect::<String>())
            .take(4)
            .collect();
        Some(format!("{plugin}: status {status}, lacks {words:?} in\n    {}\n", lines.join("\n    ")))
    }
}

/// Loads and calls every row in one host, and compares its log with the outcomes.
#[track_caller]
fn assert_outcomes(rows: &[Row]) {
    let mut config = "[limits]\ncall_deadline_ms = 20000\n".to_owned();
    for (name, ..) in rows.iter().filter(|row| matches!(row.1, Answers(504, _) | Refused(_, DEADLINE))) {
        config += &format!("[plugins.{name}.limits]\ncall_deadline_ms = {SHORT_MS}\n");
    }
    let host = host(&config);
    let names: Vec<_> = rows.iter().map(|row| row.0).collect();
    let statuses = with_good_answers(&host, || {
        add_files(&host, rows.iter().map(|(name, _, bytes)| (*name, bytes.as_slice())));
        call_each(&host, &names)
    });
    let log = log_of(host);
    let mismatches: Vec<_> = rows
        .iter()
        .zip(statuses)
        .filter_map(|((name, outcome, _), status)| outcome.mismatch(name, status, &log))
        .collect();
    assert!(mismatches.is_empty(), "{} of {} rows:\n{}", mismatches.len(), rows.len(), mismatches.concat());
    assert!(log.lines().all(|line| !line.starts_with("FORGED")), "a guest wrote a line of its own");
    let longest = log.lines().max_by_key(|line| line.len()).unwrap();
    let start: String = longest.chars().take(200).collect();
    assert!(longest.len() < LINE_BYTES_MAX, "a line of {} bytes: {start}", longest.len());
}

#[test]
fn hostile_calls_have_the_outcome_of_their_line() {
    assert_outcomes(&calls());
}

#[test]
fn hostile_files_have_the_outcome_of_their_line() {
    assert_outcomes(&refusals());
}
