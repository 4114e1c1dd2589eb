//! `tidegate flow test`: tries flows on examples of what goes in by their sources and what comes out at their sinks.

mod compare;
mod examples;
mod trial;

use super::offline;
use crate::config::Config;
use crate::plugin::Seed;
use crate::system::output::print;
use anyhow::{Context, anyhow};
use clap::Args;
use examples::Examples;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

/// The flags of `flow test`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    /// The configuration
    #[arg(value_name = "FILE", default_value = "tidegate.toml")]
    config: PathBuf,
    /// The examples [default: the file beside the configuration that ends with .test.toml in place of .toml]
    #[arg(long, value_name = "FILE")]
    examples: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What came of all examples.
#[derive(Debug, Serialize)]
struct Report {
    passed: usize,
    failed: usize,
    examples: Vec<Tried>,
}

/// What came of one.
#[derive(Debug, Serialize)]
struct Tried {
    name: String,
    flow: String,
    /// Lines for people to read; none if it passed.
    difference: Option<String>,
}

impl Test {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (mut config, document) = Config::read(&self.config).map_err(anyhow::Error::msg)?;
        config.check(&document).map_err(anyhow::Error::msg)?;
        // A plugin that fails as it should is not to be paused for that.
        config.rollback.failures = 0;
        let file = self.examples.unwrap_or_else(|| self.config.with_extension("test.toml"));
        let text =
            std::fs::read_to_string(&file).with_context(|| format!("reading the examples {}", file.display()))?;
        let examples = Examples::parse(&text, &config).map_err(|error| anyhow!("{}: {error}", file.display()))?;
        let runtime = tokio::runtime::Runtime::new().context("starting threads")?;
        let report = runtime.block_on(try_all(&config, &examples))?;
        print(if self.json { serde_json::to_string_pretty(&report)? + "\n" } else { report.text() })?;
        Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

async fn try_all(config: &Config, examples: &Examples) -> anyhow::Result<Report> {
    let names = examples.iter().flat_map(|example| &config.flows[&example.flow].through);
    let slots = offline::load(config, names, Seed::new(config.seed)).await?;
    let mut tried = Vec::new();
    for example in examples.iter() {
        let difference = trial::try_on(config, &slots, example).await.err();
        tried.push(Tried { name: example.name.clone(), flow: example.flow.clone(), difference });
    }
    let failed = tried.iter().filter(|tried| tried.difference.is_some()).count();
    Ok(Report { passed: tried.len() - failed, failed, examples: tried })
}

impl Report {
    fn text(&self) -> String {
        let lines = self.examples.iter().map(|Tried { name, flow, difference }| match difference {
            None => format!("ok      {flow}: {name}\n"),
            Some(difference) => format!("FAILED  {flow}: {name}\n   {difference}\n"),
        });
        lines.collect::<String>() + &format!("{} passed, {} failed\n", self.passed, self.failed)
    }
}
