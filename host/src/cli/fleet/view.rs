//! Hosts side by side, for people and for programs.

use super::compare::{Aspect, differences};
use super::hosts::in_short;
use super::told::Told;
use crate::cli::output::render::one_line;
use crate::cli::output::table::table;
use crate::cli::plugin::short;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Behind what differs.
const MARK: &str = " ≠";

/// What all hosts told, and how they differ.
pub(super) struct View<'a> {
    /// In the order of the hosts.
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    name: &'a str,
    told: &'a Result<Told, String>,
    differs: BTreeSet<Aspect>,
}

impl<'a> View<'a> {
    /// Of hosts with these names, in the same order.
    pub(super) fn new(names: &[&'a str], told: &'a [Result<Told, String>]) -> Self {
        let answered: Vec<_> = told.iter().filter_map(|told| told.as_ref().ok()).collect();
        let mut differing = differences(&answered).into_iter();
        let row = |(name, told): (&&'a str, &'a Result<Told, String>)| {
            let differs = if told.is_ok() { differing.next() } else { None };
            Row { name, told, differs: differs.unwrap_or_default() }
        };
        Self { rows: names.iter().zip(told).map(row).collect() }
    }

    /// Whether each has given an answer.
    pub(super) fn all_answered(&self) -> bool {
        self.rows.iter().all(|row| row.told.is_ok())
    }

    /// Whether those that have are the same and ready.
    pub(super) fn are_same_and_ready(&self) -> bool {
        self.rows.iter().all(|row| row.differs.is_empty() && row.told.as_ref().map_or(true, |told| told.host.ready))
    }

    fn answered(&self) -> impl Iterator<Item = (&Row<'a>, &'a Told)> {
        self.rows.iter().filter_map(|row| Some((row, row.told.as_ref().ok()?)))
    }

    /// Tables of the hosts, their plugins and their flows; what is the matter with each; and how it is as a whole, in a line.
    pub(super) fn text(&self) -> String {
        let mut text = table(["HOST", "VERSION", "UP", "READY", "DROPPED"], self.rows.iter().map(host_row).collect());
        let plugins: BTreeSet<_> = self.answered().flat_map(|(_, told)| told.plugins.keys()).collect();
        if !plugins.is_empty() {
            let rows =
                plugins.into_iter().flat_map(|plugin| self.answered().map(|(row, told)| plugin_row(plugin, row, told)));
            text += &format!("\n{}", table(["PLUGIN", "HOST", "STATE", "GENERATION", "DIGEST"], rows.collect()));
        }
        let flows: BTreeSet<_> = self.answered().flat_map(|(_, told)| told.flows.keys()).collect();
        if !flows.is_empty() {
            let rows = flows.into_iter().flat_map(|flow| self.answered().map(|(row, told)| flow_row(flow, row, told)));
            text += &format!("\n{}", table(["FLOW", "HOST", "STATE"], rows.collect()));
        }
        text.push('\n');
        for row in &self.rows {
            text += &notices(row);
        }
        text + &self.summary() + "\n"
    }

    fn summary(&self) -> String {
        let count = |is: fn(&Row<'_>) -> bool| self.rows.iter().filter(|row| is(row)).count();
        let all = self.rows.len();
        let silent = count(|row| row.told.is_err());
        let unready = count(|row| row.told.as_ref().is_ok_and(|told| !told.host.ready));
        let differing = count(|row| !row.differs.is_empty());
        let found = [(silent, "without an answer"), (unready, "not ready"), (differing, "otherwise than most")];
        let found: Vec<_> =
            found.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        let what = if found.is_empty() { "all the same and ready".to_owned() } else { found.join(", ") };
        format!("{all} {}: {what}", if all == 1 { "host" } else { "hosts" })
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        let hosts: Vec<_> = self.rows.iter().map(host_json).collect();
        json!({
            "same_and_ready": self.all_answered() && self.are_same_and_ready(),
            "summary": self.summary(),
            "hosts": hosts,
        })
    }
}

fn mark(row: &Row<'_>, aspect: &Aspect) -> &'static str {
    if row.differs.contains(aspect) { MARK } else { "" }
}

fn host_row(row: &Row<'_>) -> [String; 5] {
    let dash = || "-".to_owned();
    let name = one_line(row.name);
    let Ok(told) = row.told else { return [name, dash(), dash(), "no answer".to_owned(), String::new()] };
    let dropped: Vec<_> =
        told.dropped().iter().map(|(reason, count)| format!("{}={count}", one_line(reason))).collect();
    [
        name,
        one_line(&told.host.version) + mark(row, &Aspect::Version),
        told.uptime_s().map_or_else(dash, uptime),
        if told.host.ready { "yes" } else { "no" }.to_owned(),
        dropped.join(" "),
    ]
}

fn plugin_row(name: &str, row: &Row<'_>, told: &Told) -> [String; 5] {
    let marks =
        [Aspect::PluginState(name.to_owned()), Aspect::Digest(name.to_owned())].map(|aspect| mark(row, &aspect));
    let plugin = told.plugins.get(name);
    let generation = plugin.and_then(|plugin| plugin.generation);
    [
        one_line(name),
        one_line(row.name),
        plugin.map_or("not there".to_owned(), |plugin| one_line(&plugin.state)) + marks[0],
        generation.map_or("-".to_owned(), |generation| generation.to_string()),
        plugin.and_then(|plugin| plugin.digest.as_deref()).map_or("-", short).to_owned() + marks[1],
    ]
}

fn flow_row(name: &str, row: &Row<'_>, told: &Told) -> [String; 3] {
    let state = told.flows.get(name).map_or("not there", |flow| flow.state.as_deref().unwrap_or("-"));
    [one_line(name), one_line(row.name), one_line(state) + mark(row, &Aspect::Flow(name.to_owned()))]
}

/// What is the matter with a host, in lines.
fn notices(row: &Row<'_>) -> String {
    let name = one_line(row.name);
    let told = match row.told {
        Ok(told) => told,
        Err(why) => return format!("{name}: {why}\n"),
    };
    let mut text = String::new();
    if !told.host.ready {
        let obstacles: Vec<_> = told.host.obstacles.iter().map(|obstacle| in_short(obstacle)).collect();
        text += &format!("{name} is not ready: {}\n", in_short(&obstacles.join("; ")));
    }
    if !row.differs.is_empty() {
        let what: Vec<_> = row.differs.iter().map(Aspect::words).collect();
        text += &format!("{name} ≠ {}\n", in_short(&what.join(", ")));
    }
    text
}

fn host_json(row: &Row<'_>) -> Value {
    let told = match row.told {
        Ok(told) => told,
        Err(why) => return json!({"host": row.name, "error": why}),
    };
    let plugin = |(name, plugin): (&String, &super::told::PluginTold)| {
        let differs = [Aspect::Digest(name.clone()), Aspect::PluginState(name.clone())];
        let value = json!({
            "state": plugin.state,
            "generation": plugin.generation,
            "digest": plugin.digest,
            "differs": differs.iter().any(|aspect| row.differs.contains(aspect)),
        });
        (name.clone(), value)
    };
    let flow = |(name, flow): (&String, &super::told::FlowTold)| {
        let differs = row.differs.contains(&Aspect::Flow(name.clone()));
        (name.clone(), json!({"state": flow.state, "differs": differs}))
    };
    json!({
        "host": row.name,
        "version": told.host.version,
        "uptime_s": told.uptime_s(),
        "ready": told.host.ready,
        "obstacles": told.host.obstacles,
        "dropped": told.dropped(),
        "plugins": told.plugins.iter().map(plugin).collect::<Map<_, _>>(),
        "flows": told.flows.iter().map(flow).collect::<Map<_, _>>(),
        "differs": row.differs.iter().map(Aspect::words).collect::<Vec<_>>(),
    })
}

/// A time in its two largest units.
fn uptime(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, _, _) => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ready: bool, digest: char, hop: &str) -> Told {
        serde_json::from_value(json!({
            "host": {
                "version": "0.1.0", "started": "2026-01-01T00:00:00Z", "time": "2026-01-01T02:03:00Z", "ready": ready,
                "obstacles": if ready { vec![] } else { vec!["waiting\u{1b}[2J"] },
            },
            "plugins": {"p": {"state": "serving", "generation": 2, "digest": digest.to_string().repeat(64)}},
            "flows": {"f": {"state": "running"}},
            "hops": {hop: {"dropped": {"trapped": 3}}},
        }))
        .unwrap()
    }

    #[test]
    fn hosts_stand_side_by_side_with_what_differs_marked() {
        let told =
            [Ok(told(true, 'a', "x")), Ok(told(true, 'a', "x")), Ok(told(false, 'b', "x")), Err("silent".to_owned())];
        let view = View::new(&["h1", "h2", "h3", "h4"], &told);
        let expected = "\
HOST  VERSION  UP     READY      DROPPED
h1    0.1.0    2h03m  yes        trapped=3
h2    0.1.0    2h03m  yes        trapped=3
h3    0.1.0    2h03m  no         trapped=3
h4    -        -      no answer

PLUGIN  HOST  STATE    GENERATION  DIGEST
p       h1    serving  2           aaaaaaaaaaaa
p       h2    serving  2           aaaaaaaaaaaa
p       h3    serving  2           bbbbbbbbbbbb ≠

FLOW  HOST  STATE
f     h1    running
f     h2    running
f     h3    running

h3 is not ready: waiting\\u{1b}[2J
h3 ≠ plugin p
h4: silent
4 hosts: 1 without an answer, 1 not ready, 1 otherwise than most
";
        assert_eq!(view.text(), expected);
        assert!(!view.all_answered() && !view.are_same_and_ready());
        let json = view.json();
        assert_eq!(
            (&json["hosts"][2]["plugins"]["p"]["differs"], &json["hosts"][3]["error"]),
            (&json!(true), &json!("silent"))
        );
        let view = View::new(&["h1", "h2"], &told[..2]);
        assert!(view.all_answered() && view.are_same_and_ready());
        assert!(view.text().ends_with("2 hosts: all the same and ready\n"));
    }

    #[test]
    fn uptimes_have_two_units() {
        let texts = [59, 60, 3_599, 3_600, 86_399, 90_000].map(uptime);
        assert_eq!(texts, ["59s", "1m00s", "59m59s", "1h00m", "23h59m", "1d01h"]);
    }
}
