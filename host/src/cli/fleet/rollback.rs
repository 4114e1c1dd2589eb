//! `tidegate fleet rollback`: what served before, on one host after the other.

use super::hosts::Hosts;
use super::rollout::{Goal, Loading, Watch, drive};
use crate::cli::plugin::plugin_names;
use clap::Args;
use clap_complete::ArgValueCandidates;
use std::process::ExitCode;

/// The flags of `fleet rollback`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Rollback {
    /// The plugin
    #[arg(add = ArgValueCandidates::new(plugin_names))]
    name: String,
    /// The component to go back to, by its digest or the beginning of that [default: that of the first
    /// host that has something to go back to]
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    to: Option<String>,
    #[command(flatten)]
    watch: Watch,
    #[command(flatten)]
    hosts: Hosts,
}

fn digest(text: &str) -> Result<String, String> {
    let is_digest = (4..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let wrong = || format!("`{text}` is not a digest, or the first 4 digits of one or more, such as fcf7f0b89cd8");
    if is_digest { Ok(text.to_ascii_lowercase()) } else { Err(wrong()) }
}

impl Rollback {
    /// Goes from host to host.
    ///
    /// # Errors
    /// When it cannot be said which hosts.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { name: plugin, to, watch, hosts } = self;
        crate::config::check_name(&plugin).map_err(anyhow::Error::msg)?;
        let loading = Loading { plugin, component: None, persist: false, expect_diff: false, keeps_back: false };
        drive(&hosts, Goal::RollBack(to), watch, &loading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_may_be_cut() {
        assert_eq!(digest("FCF7f0b89cd8").as_deref(), Ok("fcf7f0b89cd8"));
        for text in ["", "fcf", "xyzw", &"a".repeat(65)] {
            assert!(digest(text).unwrap_err().contains(text), "{text}");
        }
    }
}
