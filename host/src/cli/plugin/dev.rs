//! `tidegate plugin dev`: builds a guest on every save, tries its examples and swaps it into a host.

mod live;
mod own_host;

use super::admin::TOKEN_FILE;
use super::changes::{Changes, WatchedSources};
use super::source_folder::SourceFolder;
use super::test::{Tested, line};
use super::workbench::Workbench;
use crate::cli::output::progress::Stderr;
use crate::config::{Address, GIVE_UP_MS, Limits};
use crate::system::output::{note, try_print};
use crate::system::shutdown::{Ask, Signals};
use anyhow::Context;
use clap::Args;
use live::{Live, Swapped};
use own_host::HostFlags;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The flags of `plugin dev`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Dev {
    /// The guest's folder, as `plugin build` takes it
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The plugin's name, which is its route [default: the folder's name]
    #[arg(long)]
    name: Option<String>,
    /// The admin address of the running host to swap it into
    #[arg(long, value_name = "ADMIN_ADDR", conflicts_with = "host_flags")]
    host: Option<Address>,
    /// The file with the token that the running host asks for
    #[arg(long, value_name = "FILE", requires = "host", env = TOKEN_FILE)]
    token_file: Option<PathBuf>,
    /// After --: flags of the own host, such as -- --http 127.0.0.1:8000 --config tidegate.toml
    #[arg(last = true, value_name = "HOST FLAGS")]
    host_flags: Vec<OsString>,
}

impl Dev {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let folder = SourceFolder::new(&self.dir, self.name)?;
        let over = CancellationToken::new();
        let flags = HostFlags::read(self.host_flags)?;
        let workbench = Workbench::new(flags.cache(), Limits::default(), None, Stderr::WithLog);
        let live = match self.host {
            Some(address) => Live::in_running_host(folder.name(), address, self.token_file),
            None => Live::in_own_host(flags, over.clone()),
        };
        let runtime = tokio::runtime::Runtime::new().context("starting threads")?;
        let ended = runtime.block_on(rounds_until_signal(folder, &workbench, live, over));
        // A compiler of the guest's language that is at work is not waited for.
        runtime.shutdown_timeout(Duration::from_millis(GIVE_UP_MS));
        ended.map(Live::last_words)
    }
}

/// Ends with a signal, or with its own host, and then with the exit code of that.
async fn rounds_until_signal(
    folder: SourceFolder,
    workbench: &Workbench,
    mut live: Live,
    over: CancellationToken,
) -> anyhow::Result<Live> {
    let mut signals = Signals::listen().context("listening to signals")?;
    tokio::select! {
        // A signal ends the start of the own host too, which then has failed.
        biased;
        () = async { while signals.next().await != Ask::Stop {} } => {}
        failed = rounds(&folder, workbench, &mut live) => return Err(failed),
        () = over.cancelled() => {}
    }
    live.end().await;
    Ok(live)
}

/// One round after another, until the own host cannot start.
async fn rounds(folder: &SourceFolder, workbench: &Workbench, live: &mut Live) -> anyhow::Error {
    let mut changes = match Changes::new(WatchedSources { files: Vec::new(), folder: Some(folder.dir().to_owned()) }) {
        Ok(changes) => changes,
        Err(error) => return error,
    };
    loop {
        match round(folder, workbench, live).await {
            // Whoever started this may have closed its output; that is no reason not to go on.
            Ok(line) => drop(try_print(format!("{line}\n"))),
            Err(error) => return error,
        }
        changes.next().await;
    }
}

/// Builds, tests and swaps, and says in one line what came of it; what tools and examples say stands above, on stderr.
async fn round(folder: &SourceFolder, workbench: &Workbench, live: &mut Live) -> anyhow::Result<String> {
    let began = Instant::now();
    let component = folder.build().await;
    let build_ms = began.elapsed().as_millis();
    let component = match component {
        Ok(component) => component,
        Err(error) => return Ok(format!("build failed after {build_ms} ms: {error:#}; {live}")),
    };
    let tested = match Tested::of(workbench, &component, BTreeMap::new(), None).await {
        Ok(tested) => tested,
        Err(error) => return Ok(format!("built {build_ms} ms, not tested: {error:#}; {live}")),
    };
    let mut summary = format!("built {build_ms} ms, ");
    match tested {
        None => summary += "no examples",
        Some(tested) => {
            summary += &format!("tested {}/{}", tested.passed(), tested.count);
            if !tested.all_passed() {
                for missed in tested.outcomes.iter().filter(|outcome| outcome.difference.is_some()) {
                    note(line(missed));
                }
                return Ok(format!("{summary}, not swapped: what differs stands above; {live}"));
            }
        }
    }
    let swapped = live.swap(folder, &component).await?;
    let total_ms = began.elapsed().as_millis();
    Ok(match swapped {
        Swapped::Live => format!("{summary}, {live}, {total_ms} ms"),
        Swapped::Unchanged => format!("{summary}, unchanged, {live}, {total_ms} ms"),
        Swapped::Refused(error) => format!("{summary}, not swapped: {error:#}; {live}"),
    })
}
