//! `tidegate fleet load`: a component into one host after the other.

use super::hosts::Hosts;
use super::rollout::{Goal, Loading, Watch, drive};
use crate::cli::plugin::plugin_names;
use crate::config::Place;
use anyhow::{Context, bail};
use clap::Args;
use clap_complete::ArgValueCandidates;
use sha2::{Digest, Sha256};
use std::process::ExitCode;

/// The flags of `fleet load`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Load {
    /// The plugin
    #[arg(add = ArgValueCandidates::new(plugin_names))]
    name: String,
    /// The component: a file, which each host is sent; or oci://…, of which each host looks at its tag again: it has to be the
    /// source of the plugin there
    source: Place,
    /// Also write the component to the plugin's source on each host, so that it survives a restart
    #[arg(long)]
    persist: bool,
    /// It is wanted that the component answers captured traffic otherwise than what serves: the plugin's gate does not
    /// compare it
    #[arg(long)]
    expect_diff: bool,
    #[command(flatten)]
    watch: Watch,
    #[command(flatten)]
    hosts: Hosts,
}

impl Load {
    /// Goes from host to host.
    ///
    /// # Errors
    /// When the component cannot be read, or it cannot be said which hosts.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { name: plugin, source, persist, expect_diff, watch, hosts } = self;
        crate::config::check_name(&plugin).map_err(anyhow::Error::msg)?;
        let (goal, component) = match source {
            Place::File(file) => {
                let bytes = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
                let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
                (Goal::Load(digest), Some(bytes))
            }
            Place::Registry(_) if persist => {
                bail!("--persist is for files: what comes from a registry is found there at the next start")
            }
            Place::Registry(reference) => (Goal::LoadSource(reference.to_string()), None),
        };
        // A host that goes back from what its source holds is not to load that again at its next start.
        let keeps_back = persist || component.is_none();
        let loading = Loading { plugin, component, persist, expect_diff, keeps_back };
        drive(&hosts, goal, watch, &loading)
    }
}
