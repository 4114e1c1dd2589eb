//! A host in this process, for the time that a guest is worked on.

use crate::app::{App, Ended, Reread, StartError};
use crate::cli::serve::ending;
use crate::cli::{Cli, log};
use crate::config::{self, Config, LogFormat};
use crate::plugin::{Put, Slots, Source};
use anyhow::{anyhow, bail};
use clap::Parser;
use futures_util::FutureExt;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The flags of a host, read and found to make sense.
pub(super) struct HostFlags {
    config: Config,
    named: Vec<Source>,
    log_filter: Option<log::Filter>,
    reread: Reread,
}

impl HostFlags {
    /// Reads flags, environment and configuration file, as a host does. What clap refuses ends the process.
    ///
    /// # Errors
    /// When the flags name a subcommand, or contradict each other.
    pub(super) fn read(flags: Vec<OsString>) -> anyhow::Result<Self> {
        let host = Cli::parse_from(std::iter::once(OsString::from("tidegate")).chain(flags));
        if host.command.is_some() {
            bail!("what stands after -- are flags of a host, and no subcommand");
        }
        let (log_filter, reread) = (host.serve.log_filter(), host.serve.reread());
        let (config, named) = host.serve.settings().map_err(anyhow::Error::msg)?;
        Ok(Self { config, named, log_filter, reread })
    }

    /// Where it keeps what it compiles.
    pub(super) fn cache(&self) -> config::Cache {
        self.config.cache.clone()
    }
}

/// A host that serves.
pub(super) struct OwnHost {
    slots: Arc<Slots>,
    running: Option<JoinHandle<Ended>>,
    ended: Option<Ended>,
    log: log::Log,
    format: LogFormat,
}

impl OwnHost {
    /// Starts it with the plugin and those that the flags name; it prints where it is, as any host. When it has ended,
    /// `over` is cancelled.
    ///
    /// # Errors
    /// When the host cannot start.
    pub(super) async fn start(flags: HostFlags, plugin: Source, over: CancellationToken) -> anyhow::Result<Self> {
        let HostFlags { config, named, log_filter, reread } = flags;
        let format = config.log.format;
        let log = log::start(format, log_filter);
        let lines_lost = log.lines_lost();
        let named = std::iter::once(plugin).chain(named).collect();
        let app = App::build(config, named, reread, lines_lost).await.map_err(|error| match error {
            StartError::Usage(text) => anyhow!("{text}"),
            StartError::CouldNotStart(error) => error,
            StartError::Interrupted(_) => anyhow!("a signal ended its start"),
        })?;
        let slots = app.slots();
        let mut run = Box::pin(app.run());
        // Its first step says where it is, which is to stand above what is said of the plugin.
        if let Some(ended) = run.as_mut().now_or_never() {
            over.cancel();
            return Ok(Self { slots, running: None, ended: Some(ended), log, format });
        }
        let running = tokio::spawn(async move {
            let _over = over.drop_guard();
            run.await
        });
        Ok(Self { slots, running: Some(running), ended: None, log, format })
    }

    /// Loads the component; returns the generation that serves, and whether it is a new one.
    ///
    /// # Errors
    /// When the component is refused.
    pub(super) async fn swap(&self, plugin: &str, component: Vec<u8>) -> anyhow::Result<(u64, bool)> {
        let loaded = self.slots.put(plugin, component, Put::default()).await?;
        Ok((loaded.served_by.generation, loaded.changed))
    }

    /// Waits until it has ended in order.
    pub(super) async fn end(&mut self) {
        if let Some(running) = self.running.take() {
            self.ended = running.await.ok();
        }
    }

    /// Prints the ledger, and returns the exit code of the host.
    pub(super) fn last_words(self) -> ExitCode {
        drop(self.log);
        match self.ended {
            Some(ended) => ending::tell(&ended, self.format),
            None => ExitCode::FAILURE,
        }
    }
}
