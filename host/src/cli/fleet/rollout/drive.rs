//! Carries a rolling change out: asks the hosts, lets time pass, and tells what happens as it does.

use super::core::Rollout;
use super::report;
use super::words::{Came, Change, End, Goal, PluginSight, Sight, Step, Terms, Trouble};
use crate::cli::fleet::hosts::{Host, Hosts, ask_all, in_short};
use crate::cli::plugin::{Client, items, refusal, text};
use crate::config::{FLEET_CHANGE_MS_MAX, FLEET_LOOK_MS, timeout};
use crate::system::exit_code;
use crate::system::interrupt::Interrupt;
use crate::system::output::print;
use anyhow::Context;
use clap::Args;
use serde_json::Value;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Reasons for which calls fail through no fault of the plugin.
const FAULTS_OF_OTHERS: [&str; 8] =
    ["abandoned", "client-gone", "empty-slot", "panicked", "paused", "rejected", "starved", "too-many-calls"];

/// How long a host is watched.
#[derive(Clone, Copy, Debug, Args)]
pub(in crate::cli::fleet) struct Watch {
    /// How long each host has to be well before the next one is changed
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = timeout)]
    watch: Duration,
    /// How long a host may take to become well, or to go back
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = timeout)]
    wait: Duration,
}

/// What is asked of each host.
pub(in crate::cli::fleet) struct Loading {
    /// The name of the plugin.
    pub(in crate::cli::fleet) plugin: String,
    /// What is sent; none where hosts look at their sources.
    pub(in crate::cli::fleet) component: Option<Vec<u8>>,
    /// It is written to the plugin's source too.
    pub(in crate::cli::fleet) persist: bool,
    /// The gate is passed by.
    pub(in crate::cli::fleet) expect_diff: bool,
    /// A host that goes back does not load it again at its next start.
    pub(in crate::cli::fleet) keeps_back: bool,
}

/// Changes one host after the other, and tells it.
///
/// # Errors
/// When it cannot be said which hosts, or stdout does not take what is told; then the change is carried out all the same.
pub(in crate::cli::fleet) fn drive(
    hosts: &Hosts,
    goal: Goal,
    Watch { watch, wait }: Watch,
    loading: &Loading,
) -> anyhow::Result<ExitCode> {
    let is_json = hosts.json;
    let hosts = hosts.find()?;
    let interrupt = Interrupt::listen().context("listening to signals")?;
    let mut rollout = Rollout::new(goal, Terms { watch, patience: wait }, hosts.len());
    let (began, mut came, mut printed) = (Instant::now(), Came::Nothing, Ok(()));
    // What cannot be told must not leave hosts half changed.
    let mut tell = |text: String| {
        if printed.is_ok() {
            printed = print(text);
        }
    };
    loop {
        if interrupt.comes_within(Duration::ZERO) {
            rollout.interrupt();
        }
        let step = rollout.next(came, began.elapsed());
        for host in rollout.take_news() {
            if !is_json {
                tell(report::line(&hosts[host].name, rollout.host(host), rollout.target()));
            }
        }
        came = match step {
            Step::LookAtAll => Came::Sights(ask_all(&hosts, |client| look(client, &loading.plugin))),
            Step::Look(host) => Came::Sight(hosts[host].client().and_then(|client| look(client, &loading.plugin))),
            Step::Change(host, change) => Came::Changed(loading.change(&hosts[host], &change)),
            Step::Rest => {
                if interrupt.comes_within(Duration::from_millis(FLEET_LOOK_MS)) {
                    rollout.interrupt();
                }
                Came::Rested
            }
            Step::End => break,
        };
    }
    let end = rollout.end().unwrap_or(End::Interrupted);
    let names: Vec<_> = hosts.iter().map(|host| host.name.as_str()).collect();
    tell(if is_json {
        serde_json::to_string_pretty(&report::json(&loading.plugin, &names, &rollout, end))? + "\n"
    } else {
        report::summary(&names, &rollout, end)
    });
    printed?;
    Ok(ExitCode::from(match end {
        End::Done => exit_code::SUCCESS,
        End::Stopped | End::Unfit => exit_code::FAILURE,
        End::Unreachable => exit_code::UNREACHABLE,
        End::Mixed => exit_code::MIXED,
        End::Interrupted => exit_code::INTERRUPTED,
    }))
}

/// Looks at a plugin of a host, and at whether the host is ready.
fn look(client: &Client, plugin: &str) -> Result<Sight, String> {
    let ask = |path: &str| client.ask("GET", path, &[]).map_err(|error| in_short(&format!("{error:#}")));
    let plugin = match ask(&format!("/plugins/{plugin}"))? {
        (true, status) => Some(plugin_sight(&status)),
        (false, problem) if problem["status"] == 404 => None,
        (false, problem) => return Err(in_short(&refusal(&problem).to_string())),
    };
    let (_, readiness) = ask("/readyz")?;
    if !readiness["checks"].is_array() {
        return Err("what answers is no host: it does not say whether it is ready".to_owned());
    }
    let failing = items(&readiness, "checks").iter().filter(|check| check["state"] == "failing");
    Ok(Sight { plugin, failing: failing.map(|check| in_short(text(check, "name"))).collect() })
}

fn plugin_sight(status: &Value) -> PluginSight {
    let digest = |value: &Value| value["digest"].as_str().map(in_short);
    let failures = status["failures"].as_object().into_iter().flatten();
    let own = failures.filter(|(reason, _)| !FAULTS_OF_OTHERS.contains(&reason.as_str()));
    let previous = items(status, "previous").iter();
    PluginSight {
        digest: digest(status),
        source: in_short(text(status, "source")),
        is_paused: status["state"] == "paused",
        is_held: status["held"] == true,
        own_failures: own.filter_map(|(_, count)| count.as_u64()).fold(0, u64::saturating_add),
        generation_failures: status["generation_failures"].as_u64().unwrap_or_default(),
        previous: previous.filter_map(|kept| Some((kept["generation"].as_u64()?, digest(kept)?))).collect(),
        notice: status["notice"].as_str().map(in_short),
    }
}

impl Loading {
    /// Asks a host for a change; what serves then, as it says.
    fn change(&self, host: &Host, change: &Change) -> Result<Option<String>, Trouble> {
        let Self { plugin, component, persist, expect_diff, keeps_back } = self;
        let back = |generation, persist| format!("/plugins/{plugin}/rollback?to={generation}&persist={persist}");
        let (method, path, body) = match (change, component) {
            (Change::Load, Some(component)) => {
                let path = format!("/plugins/{plugin}?persist={persist}&expect_diff={expect_diff}");
                ("PUT", path, component.as_slice())
            }
            (Change::Load, None) => ("POST", format!("/plugins/{plugin}/load?expect_diff={expect_diff}"), &[][..]),
            (Change::RollBack(generation), _) => ("POST", back(*generation, false), &[][..]),
            (Change::GoBack(generation), _) => ("POST", back(*generation, *keeps_back), &[][..]),
            (Change::Unload, _) => ("DELETE", format!("/plugins/{plugin}"), &[][..]),
        };
        // A load takes the time that it takes, and has an end all the same.
        let deadline = Some(Duration::from_millis(FLEET_CHANGE_MS_MAX));
        let client = Client { deadline, ..host.client().map_err(Trouble::Refused)?.clone() };
        match client.ask(method, &path, body) {
            Ok((true, swap)) if *change == Change::Unload && swap.is_object() => Ok(None),
            Ok((true, swap)) => match swap["digest"].as_str() {
                Some(digest) => Ok(Some(in_short(digest))),
                None => Err(Trouble::Silent("its answer has no digest".to_owned())),
            },
            Ok((false, problem)) => {
                let why = in_short(&refusal(&problem).to_string());
                // A host that failed may have done it.
                let is_known = problem["status"].as_u64().is_some_and(|status| status < 500 || status == 503);
                Err(if is_known { Trouble::Refused(why) } else { Trouble::Silent(why) })
            }
            Err(error) => Err(Trouble::Silent(in_short(&format!("{error:#}")))),
        }
    }
}
