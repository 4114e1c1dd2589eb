//! `tidegate plugin shadow status`: what shadows have found, in the shape of a comparison.

use crate::cli::output::differences::{groups_table, outcomes_table, percent};
use crate::cli::output::render::{one_line, printable};
use crate::cli::output::table::table;
use crate::cli::plugin::Admin;
use crate::cli::plugin::admin::names::plugin_names;
use crate::cli::plugin::admin::short;
use crate::rehearsal::shadow::{ShadowState, ShadowStatus};
use clap::Args;
use clap_complete::ArgValueCandidates;
use serde_json::Value;
use std::process::ExitCode;

/// The flags of `plugin shadow status`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Status {
    /// The plugin that it stands beside [default: all]
    #[arg(add = ArgValueCandidates::new(plugin_names))]
    name: Option<String>,
    #[command(flatten)]
    admin: Admin,
}

impl Status {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { name, admin } = self;
        match name {
            Some(name) => {
                crate::config::check_name(&name).map_err(anyhow::Error::msg)?;
                admin.run("GET", &format!("/plugins/{name}/shadow"), &[], whole)?;
            }
            None => admin.run("GET", "/shadows", &[], |all| list(all.as_array().map_or(&[], Vec::as_slice)))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// All, one line each.
fn list(shadows: &[Value]) -> String {
    let heads = ["BESIDE", "STATE", "COMPARED", "DIFFER", "SHARE", "DROPPED", "MAY SERVE", "SHADOW"];
    table(heads, shadows.iter().filter_map(read).map(row).collect())
}

fn row(shadow: ShadowStatus) -> [String; 8] {
    let may_serve = if shadow.may_serve { "yes" } else { "no" };
    [
        beside(&shadow),
        word(shadow.state).to_owned(),
        shadow.compared.to_string(),
        shadow.differing.to_string(),
        percent(shadow.differing, shadow.compared),
        shadow.dropped.to_string(),
        may_serve.to_owned(),
        what(&shadow),
    ]
}

/// A shadow in a line.
pub(in crate::cli) fn line(shadow: &Value) -> String {
    let Some(shadow) = read(shadow) else { return String::new() };
    let ShadowStatus { against, state, compared, differing, dropped, .. } = &shadow;
    let (what, beside, state) = (what(&shadow), beside(&shadow), word(*state));
    let with = match against.generation {
        0 => chain(&against.through),
        generation => format!("generation {generation}"),
    };
    format!(
        "the shadow {what} beside {beside} is {state}: {compared} calls compared with {with}, {differing} differ, \
         {dropped} not made\n"
    ) + &why(&shadow)
}

fn beside(shadow: &ShadowStatus) -> String {
    printable(&shadow.key())
}

fn what(shadow: &ShadowStatus) -> String {
    if shadow.flow.is_empty() { short(&shadow.digest).to_owned() } else { chain(&shadow.through) }
}

fn chain(through: &[String]) -> String {
    if through.is_empty() { "no plugin".to_owned() } else { printable(&through.join(" → ")) }
}

/// All that is known of one.
pub(in crate::cli) fn whole(shadow: &Value) -> String {
    let Some(known) = read(shadow) else { return String::new() };
    let tried = known.compared + known.counts.undecided;
    let us = |us: Option<f64>| us.map_or("-".to_owned(), |us| format!("{us:.1} µs"));
    let mut text = line(shadow) + "\n" + &outcomes_table(&known.counts);
    text += &groups_table(&known.groups, known.other_differences, tried);
    let memory = match known.flow.is_empty() {
        true => format!("{} KiB", known.memory_bytes.div_ceil(1024)),
        false => "-".to_owned(),
    };
    let rows = vec![
        ["serving".to_owned(), us(known.against.p50_us), us(known.against.p99_us), "-".to_owned()],
        ["shadow".to_owned(), us(known.p50_us), us(known.p99_us), memory],
    ];
    text + "\n" + &table(["CALLS OF", "P50", "P99", "MEMORY"], rows)
}

/// Why it has ended, or does not serve.
fn why(shadow: &ShadowStatus) -> String {
    let ShadowStatus { state, why, may_serve, obstacle, min_calls, max_diff, .. } = shadow;
    let mut lines: Vec<_> = why.iter().map(|why| one_line(why)).collect();
    if *state == ShadowState::Running {
        let terms = format!("after {min_calls} calls, if no more than {max_diff} differ");
        lines.push(match obstacle {
            _ if *may_serve => format!("it may serve: {terms}"),
            Some(obstacle) => format!("it may serve {terms}: {}", one_line(obstacle)),
            None => format!("it may serve {terms}"),
        });
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

fn read(shadow: &Value) -> Option<ShadowStatus> {
    serde_json::from_value(shadow.clone()).ok()
}

fn word(state: ShadowState) -> &'static str {
    match state {
        ShadowState::Running => "running",
        ShadowState::Promoted => "promoted",
        ShadowState::Stopped => "stopped",
        ShadowState::Ended => "ended",
    }
}
