//! What is told of a rolling change: a line for each thing that happens at a host, and how it ended.

use super::core::{HostProgress, Rollout};
use super::words::{End, Standing};
use crate::cli::output::render::one_line;
use crate::cli::plugin::short;
use serde_json::{Value, json};

/// How a host stands, in a line.
pub(super) fn line(name: &str, host: &HostProgress, target: Option<&str>) -> String {
    let name = one_line(name);
    let why = host.why.as_deref().unwrap_or("for no reason that is known");
    let target = short(target.unwrap_or("-"));
    let before = host.serves_before();
    let what = match host.standing {
        Standing::Untouched => "untouched, it serves what it did".to_owned(),
        Standing::Already => format!("serves {target} already"),
        Standing::Changed => format!("serves {target} and is well, before {}", before.map_or("nothing", short)),
        Standing::Unwatched => {
            format!("serves {}, and was not watched to the end", host.serves_after().map_or(target, short))
        }
        Standing::Unreachable | Standing::Unfit => why.to_owned(),
        Standing::Refused => format!("{why}; it serves what it did"),
        Standing::Unwell => format!("is not well: {why}"),
        Standing::Back => {
            let but = host.refusal.as_ref().map(|why| format!(", but {why}")).unwrap_or_default();
            format!("serves {} again{but}", before.map_or("nothing", short))
        }
        Standing::NotBack => format!("is NOT back: {why}"),
    };
    format!("{name}: {what}\n")
}

/// How it has ended, in a line; after an interruption behind a line for each host.
pub(super) fn summary(names: &[&str], rollout: &Rollout, end: End) -> String {
    let target = short(rollout.target().unwrap_or("-"));
    let with = |standing| {
        let names = names.iter().enumerate().filter(move |(host, _)| rollout.host(*host).standing == standing);
        names.map(|(_, name)| one_line(name)).collect::<Vec<_>>().join(", ")
    };
    match end {
        End::Done => format!("all {} hosts serve {target}\n", names.len()),
        End::Unreachable => format!("nothing was changed: no look at {}\n", with(Standing::Unreachable)),
        End::Unfit => format!("nothing was changed: it cannot be done at {}\n", with(Standing::Unfit)),
        End::Stopped => "stopped: all hosts serve what they did before\n".to_owned(),
        End::Mixed => {
            format!("stopped, and NOT all hosts serve what they did before: see to {}\n", with(Standing::NotBack))
        }
        End::Interrupted => {
            let lines = names.iter().enumerate().map(|(host, name)| line(name, rollout.host(host), rollout.target()));
            format!("interrupted: the hosts stay as they are\n{}", lines.collect::<String>())
        }
    }
}

/// All of it, for programs.
pub(super) fn json(plugin: &str, names: &[&str], rollout: &Rollout, end: End) -> Value {
    let host = |(number, name): (usize, &&str)| {
        let host = rollout.host(number);
        json!({"host": name, "standing": host.standing, "before": host.serves_before(), "why": host.why})
    };
    let hosts: Vec<_> = names.iter().enumerate().map(host).collect();
    json!({"plugin": plugin, "digest": rollout.target(), "end": end, "hosts": hosts})
}
