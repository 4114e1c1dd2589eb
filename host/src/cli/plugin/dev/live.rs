//! Where a guest under development serves: in a running host, or in one of its own.

use super::own_host::{HostFlags, OwnHost};
use crate::cli::plugin::admin::Admin;
use crate::cli::plugin::source_folder::SourceFolder;
use crate::cli::plugin::workbench::ComponentFile;
use crate::config::Address;
use crate::plugin::Source;
use anyhow::Context;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

/// The host, and the generation that it serves since the last swap.
pub(super) struct Live {
    host: Host,
    generation: Option<u64>,
}

enum Host {
    Running {
        admin: Admin,
        plugin: String,
    },
    /// Not started yet.
    Planned {
        flags: Option<Box<HostFlags>>,
        over: CancellationToken,
    },
    Own(Box<OwnHost>),
}

/// What came of a swap.
pub(super) enum Swapped {
    /// It serves.
    Live,
    /// The same bytes served already.
    Unchanged,
    /// What served goes on.
    Refused(anyhow::Error),
}

impl Live {
    pub(super) fn in_running_host(plugin: &str, admin: Address, token_file: Option<PathBuf>) -> Self {
        let host = Host::Running { admin: Admin::at(admin, token_file), plugin: plugin.to_owned() };
        Self { host, generation: None }
    }

    /// `over` is cancelled when the host ends.
    pub(super) fn in_own_host(flags: HostFlags, over: CancellationToken) -> Self {
        Self { host: Host::Planned { flags: Some(Box::new(flags)), over }, generation: None }
    }

    /// Hands the component to the host.
    ///
    /// # Errors
    /// When the own host cannot start.
    pub(super) async fn swap(&mut self, folder: &SourceFolder, component: &ComponentFile) -> anyhow::Result<Swapped> {
        let bytes = std::fs::read(&component.path).with_context(|| format!("reading {}", component.path.display()))?;
        let loaded = match &mut self.host {
            Host::Running { admin, plugin } => {
                let (admin, path) = (admin.clone(), format!("/plugins/{plugin}?persist=false"));
                let answer = tokio::task::spawn_blocking(move || admin.send("PUT", &path, &bytes)).await?;
                answer.map(|swap| (swap["generation"].as_u64(), swap["changed"] == true))
            }
            Host::Planned { flags, over } => {
                // It looks at its source again and again, and must not find there what has not been tried.
                let first = folder.beside("first.wasm");
                std::fs::write(&first, &bytes).with_context(|| format!("writing {}", first.display()))?;
                let source = Source { name: component.name.clone(), place: first.into() };
                let flags = flags.take().context("the own host has failed to start")?;
                self.host = Host::Own(Box::new(OwnHost::start(*flags, source, over.clone()).await?));
                Ok((Some(1), true))
            }
            Host::Own(host) => host.swap(&component.name, bytes).await.map(|loaded| (Some(loaded.0), loaded.1)),
        };
        Ok(match loaded {
            Ok((generation, changed)) => {
                self.generation = generation;
                if changed { Swapped::Live } else { Swapped::Unchanged }
            }
            Err(error) => Swapped::Refused(error),
        })
    }

    /// Waits for the orderly end of the own host, which the same signal has reached.
    pub(super) async fn end(&mut self) {
        if let Host::Own(host) = &mut self.host {
            host.end().await;
        }
    }

    /// Tells how the own host ended, when its threads are gone.
    pub(super) fn last_words(self) -> ExitCode {
        match self.host {
            Host::Own(host) => host.last_words(),
            Host::Running { .. } | Host::Planned { .. } => ExitCode::SUCCESS,
        }
    }
}

/// What serves now.
impl fmt::Display for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.generation {
            Some(generation) => write!(f, "live as generation {generation}"),
            None => f.write_str("nothing of it is live yet"),
        }
    }
}
