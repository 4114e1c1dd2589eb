//! `tidegate plugin check`: takes a file through the same stages as the host, and tells what it found.

use super::test::Subject;
use super::workbench::{Workbench, block_on};
use crate::cli::compile_cache::CacheFlag;
use crate::cli::output::progress::Stderr;
use crate::config::Limits;
use crate::plugin::{Contract, Plugin};
use crate::system::output::print;
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

/// The flags of `plugin check`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    /// The component, or the folder of a guest, which is built first
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    path: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    cache: CacheFlag,
}

/// What is told of a component.
#[derive(Debug, serde::Serialize)]
struct CheckReport {
    name: String,
    digest: String,
    size_bytes: usize,
    contract: Option<&'static str>,
    /// What the host knows.
    contracts_known: [&'static str; Contract::ALL.len()],
    roles: Vec<String>,
    imports: Vec<String>,
    instances: String,
    examples: usize,
    compile_ms: f64,
    from_cache: bool,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let subject = Subject::of(&self.path)?;
        let workbench = Workbench::new(self.cache.into(), Limits::default(), None, Stderr::Alone);
        let report = block_on(async {
            let component = subject.component().await?;
            let plugin = workbench.load(&component, BTreeMap::new(), None).await?;
            Ok(CheckReport::new(component.name, &plugin))
        })?;
        if self.json {
            print(serde_json::to_string_pretty(&report)? + "\n")?;
        } else {
            print(report.text())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl CheckReport {
    fn new(name: String, plugin: &Plugin) -> Self {
        Self {
            name,
            digest: plugin.digest().to_string(),
            size_bytes: plugin.size_bytes,
            contract: plugin.contract().map(Contract::as_str),
            contracts_known: Contract::ALL.map(Contract::as_str),
            roles: plugin.roles().map(|role| role.to_string()).collect(),
            imports: plugin.imports.clone(),
            instances: plugin.isolation().to_string(),
            examples: plugin.examples,
            compile_ms: plugin.compile_time.as_micros() as f64 / 1_000.0,
            from_cache: plugin.from_cache,
        }
    }

    fn text(&self) -> String {
        let list = |items: &[String]| if items.is_empty() { "none".to_owned() } else { items.join(", ") };
        let known = self.contracts_known.join(" and ");
        let contract = self.contract.map(|version| format!("tidegate:plugin@{version}; this host knows {known}"));
        let Self { name, digest, size_bytes, instances, examples, compile_ms, from_cache, .. } = self;
        let from_cache = if *from_cache { ", from the cache" } else { "" };
        format!(
            "name: {name}\ndigest: {digest}\nsize: {size_bytes} bytes\ncontract: {}\nroles: {}\nimports: {}\n\
             instances: {instances}\nexamples: {examples} passed\ncompile time: {compile_ms:.1} ms{from_cache}\n",
            contract.as_deref().unwrap_or("wasi:http@0.2"),
            list(&self.roles),
            list(&self.imports),
        )
    }
}
