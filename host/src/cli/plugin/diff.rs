//! `tidegate plugin diff`: what a newcomer makes of captured traffic, against what another component makes of it.

mod components;
mod page;
mod report;
mod save;

use super::workbench::block_on;
use crate::cli::compile_cache::CacheFlag;
use crate::cli::output::differences::percent;
use crate::cli::output::progress::{Stderr, while_told};
use crate::cli::output::render::one_line;
use crate::config::{Cache, Config, EXAMPLES_MAX, check_name};
use crate::plugin::Engine;
use crate::record::compare::{DifferenceBound, JsonPath, Rules};
use crate::rehearsal::{self, Compared, Pair, Progress, Reading, Skip};
use crate::system::exit_code;
use crate::system::output::{note, print};
use anyhow::Context;
use clap::Args;
use report::{Report, Side};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The flags of `plugin diff`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Diff {
    /// The component whose answers count as right
    old: PathBuf,
    /// The newcomer
    new: PathBuf,
    /// The captured traffic: a capture, or a file of dead letters
    #[arg(long, value_name = "FILE")]
    on: PathBuf,
    /// Whose calls to make again [default: the only plugin in the file]
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// A host's configuration, for the limits and settings of the plugin
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A place in JSON that may differ, such as $.ts or $.items[*].id. Repeatable
    #[arg(long = "ignore", value_name = "PATH")]
    ignored: Vec<JsonPath>,
    /// An array in JSON whose elements may stand in any order, such as $.items. Repeatable
    #[arg(long, value_name = "PATH")]
    unordered: Vec<JsonPath>,
    /// End with exit code 1 if more inputs differ, as a number or as a share such as 0.1%
    #[arg(long, value_name = "N|N%")]
    max_diff: Option<DifferenceBound>,
    /// Write so many of the most telling inputs as examples, with what OLD answers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=EXAMPLES_MAX as i64))]
    save_examples: Option<u16>,
    /// Where examples are written, behind those that are there [default: examples.toml in the folder that is called as NEW]
    #[arg(long, value_name = "FILE", requires = "save_examples")]
    examples: Option<PathBuf>,
    /// Write the report as one page of HTML
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    cache: CacheFlag,
}

impl Diff {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.config()?;
        let examples = match (self.save_examples, &self.examples) {
            (None, _) => None,
            (Some(count), Some(file)) => Some((file.clone(), count.into())),
            (Some(count), None) => Some((save::file_of(&self.new)?, count.into())),
        };
        if let Some((file, _)) = &examples {
            // Whoever has to mend it should not wait for the comparison.
            save::read(file)?;
        }
        block_on(self.compare_and_tell(&config, examples))
    }

    /// Prints the report before any file is written, and does all of it whatever fails: the comparison may have taken long.
    async fn compare_and_tell(&self, config: &Config, examples: Option<(PathBuf, usize)>) -> anyhow::Result<ExitCode> {
        let (plugin, pair, _engine, compared) = self.compare(config).await?;
        let side = |file: &Path, plugin, cost| Side::new(file, plugin, cost);
        let (old, new) = (side(&self.old, &pair.old, &compared.old), side(&self.new, &pair.new, &compared.new));
        let report = Report::new(plugin.clone(), &self.on, &compared, old, new);
        let printed = self.print(&report);
        let page = self.html.as_ref().map_or(Ok(()), |file| page::write(file, &report));
        let saved = match &examples {
            Some(wanted) => self.save(&plugin, &pair, &compared, wanted).await,
            None => Ok(()),
        };
        let broken = compared.skipped.get(&Skip::Broken).copied().unwrap_or_default();
        let held = self.max_diff.map_or(Ok(()), |bound| bound.check(compared.comparison.counts(), broken));
        let failures: Vec<_> =
            [held.map_err(anyhow::Error::msg), printed, page, saved].into_iter().filter_map(Result::err).collect();
        failures.iter().for_each(|error| note(format_args!("error: {error:#}")));
        Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(exit_code::FAILURE) })
    }

    fn print(&self, report: &Report) -> anyhow::Result<()> {
        print(if self.json { serde_json::to_string_pretty(report)? + "\n" } else { report.text() })
    }

    async fn save(
        &self,
        plugin: &str,
        pair: &Pair,
        compared: &Compared,
        (file, count): &(PathBuf, usize),
    ) -> anyhow::Result<()> {
        let source = rehearsal::open(&self.on).map_err(anyhow::Error::msg)?;
        let written = save::save(&*source, plugin, &compared.comparison, pair, (file, *count)).await?;
        note(format_args!("{written} examples written to {}", file.display()));
        Ok(())
    }

    fn config(&self) -> anyhow::Result<Config> {
        let Some(file) = &self.config else {
            return Ok(Config { cache: self.cache.clone().into(), ..Config::default() });
        };
        let (mut config, _) = Config::read(file).map_err(anyhow::Error::msg)?;
        let flag = Cache::from(self.cache.clone());
        if flag.directory.is_some() {
            config.cache = flag;
        }
        Ok(config)
    }

    /// The name of the plugin, both components with what they were loaded by, and what came of all calls.
    async fn compare(&self, config: &Config) -> anyhow::Result<(String, Pair, Engine, Compared)> {
        let of_file = || self.on.display().to_string();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let source = rehearsal::open(&self.on).map_err(anyhow::Error::msg)?;
        let reading = rehearsal::read(source, self.plugin.clone(), threads).await.map_err(anyhow::Error::msg);
        let Reading { plugin, batches, skipped } = reading.with_context(of_file)?;
        check_name(&plugin).map_err(|error| anyhow::anyhow!("{}: {}", of_file(), one_line(&error)))?;
        let (pair, engine) = components::load(&self.old, &self.new, &plugin, config).await?;
        let rules = Arc::new(Rules { ignored: self.ignored.clone(), unordered: self.unordered.clone() });
        let progress = Arc::new(Progress::default());
        let comparing = rehearsal::compare(&pair, &rules, batches, threads, &progress);
        let comparing = async { comparing.await.map_err(anyhow::Error::msg) };
        let mut compared = while_told(|| told(&progress), Stderr::Alone, comparing).await?;
        for (skip, count) in skipped.get().await.map_err(anyhow::Error::msg).with_context(of_file)? {
            *compared.skipped.entry(skip).or_default() += count;
        }
        Ok((plugin, pair, engine, compared))
    }
}

fn told(progress: &Progress) -> String {
    let (compared, differing) = (progress.compared.load(Ordering::Relaxed), progress.differing.load(Ordering::Relaxed));
    format!("comparing: {compared} inputs, {} differ", percent(differing, compared))
}
