//! What is said on stderr at the end of a run: the ledger, and whether anything was abandoned.

use crate::app::Ended;
use crate::cli::log;
use crate::cli::output::table::{Section, tables_for_stderr};
use crate::config::LogFormat;
use crate::ledger::{HopCounts, Report};
use crate::system::exit_code;
use serde::Serialize;
use std::process::ExitCode;

const HOP_HEADS: [&str; 6] = ["HOP", "IN", "OUT", "DROPPED", "IN-FLIGHT", "REASONS"];
const PLUGIN_HEADS: [&str; 6] = ["PLUGIN", "IN", "OUT", "DROPPED", "IN-FLIGHT", "REASONS"];

/// Says the last words of a run, and with which code it ends.
pub(in crate::cli) fn tell(ended: &Ended, format: LogFormat) -> ExitCode {
    log::say(&last_words(&ended.report(), ended.abandoned, format));
    ExitCode::from(match (ended.deaths.is_empty(), ended.abandoned) {
        (false, _) => exit_code::PART_DIED,
        (true, 0) => exit_code::SUCCESS,
        (true, _) => exit_code::ABANDONED,
    })
}

/// The last words of a run, in the format of its log.
fn last_words(ledger: &Report, abandoned: u64, format: LogFormat) -> String {
    match format {
        LogFormat::Text => {
            let mut words = ledger_table(ledger);
            if abandoned > 0 {
                words += &format!("abandoned={abandoned}: not everything in flight ended within the grace period\n");
            }
            words
        }
        LogFormat::Json => {
            let abandoned = Some(abandoned).filter(|count| *count > 0);
            // Counts under names are always JSON.
            serde_json::to_string(&LastWords { ledger, abandoned }).unwrap_or_default() + "\n"
        }
    }
}

/// What programs read.
#[derive(Serialize)]
struct LastWords<'a> {
    ledger: &'a Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    abandoned: Option<u64>,
}

fn ledger_table(ledger: &Report) -> String {
    let mut lines = String::new();
    for (socket, queues) in &ledger.sockets {
        for (count, what) in [(queues.cut_off, "cut-off"), (queues.unread, "unread")] {
            if count > 0 {
                lines += &format!("{what}={count} at {socket}: thrown away with the queues of its peers\n");
            }
        }
    }
    let hops = ledger.hops.iter().map(|(name, counts)| row(name, counts)).collect();
    let mut sections = vec![Section { heads: HOP_HEADS, rows: hops }];
    if !ledger.plugins.is_empty() {
        let plugins = ledger.plugins.iter().map(|(name, counts)| row(name, counts)).collect();
        sections.push(Section { heads: PLUGIN_HEADS, rows: plugins });
    }
    lines + &tables_for_stderr(&sections)
}

fn row(name: &str, counts: &HopCounts) -> [String; 6] {
    let dropped: u64 = counts.dropped.values().sum();
    let reasons: Vec<_> = counts.dropped.iter().map(|(reason, count)| format!("{}={count}", reason.as_str())).collect();
    [
        name.to_owned(),
        counts.entered.to_string(),
        counts.out.to_string(),
        dropped.to_string(),
        counts.in_flight.to_string(),
        reasons.join(" "),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Ledger, Reason};

    fn report() -> Report {
        let ledger = Ledger::default();
        ledger.hop("http").enter().out();
        let reply = ledger.hop("reply");
        reply.refuse(Reason::Unroutable);
        ledger.name_socket("frontend", &reply);
        let downcase = HopCounts { entered: 12, out: 12, ..HopCounts::default() };
        Report::new(&ledger, vec![("downcase".to_owned(), downcase)])
    }

    #[test]
    fn people_read_a_table() {
        let expected = "\
HOP       IN  OUT  DROPPED  IN-FLIGHT  REASONS
http      1   1    0        0
reply     1   0    1        0          unroutable=1
PLUGIN    IN  OUT  DROPPED  IN-FLIGHT  REASONS
downcase  12  12   0        0
abandoned=2: not everything in flight ended within the grace period
";
        assert_eq!(last_words(&report(), 2, LogFormat::Text), expected);
        let mut report = report();
        report.sockets[0].1.cut_off = 7;
        let expected = format!("cut-off=7 at frontend: thrown away with the queues of its peers\n{expected}");
        assert_eq!(last_words(&report, 2, LogFormat::Text), expected);
    }

    #[test]
    fn programs_read_an_object() {
        let words = last_words(&report(), 0, LogFormat::Json);
        let object: serde_json::Value = serde_json::from_str(&words).unwrap();
        assert_eq!(words.lines().count(), 1);
        assert_eq!(object["ledger"]["hops"]["reply"]["dropped"]["unroutable"], 1);
        assert_eq!(object.as_object().unwrap().len(), 1);
        let words = last_words(&report(), 2, LogFormat::Json);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&words).unwrap()["abandoned"], 2);
    }
}
