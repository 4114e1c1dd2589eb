//! `tidegate plugin test`: tries a component on its examples, as every load does, and tells of each.

use crate::config::Limits;
use crate::plugin::{EXAMPLES_SECTION, Engine, Examples, Plugin, Seed, Setup, custom_section, own_program, source_of};
use anyhow::{Context, bail};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// The flags of `plugin test`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    /// The component
    file: PathBuf,
    /// Examples to try instead of those that the component carries
    #[arg(long, value_name = "FILE")]
    examples: Option<PathBuf>,
}

impl Test {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let examples = match &self.examples {
            Some(path) => {
                let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
                Examples::parse(&text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?
            }
            None => carried(&self.file)?,
        };
        let count = examples.count();
        // Loaded without them: here each of them is to be told of, not only the first that fails.
        let loaded = load(&self.file, Some(Examples::default()));
        let (_, plugin) = loaded.with_context(|| format!("{} is refused", self.file.display()))?;
        let runtime = tokio::runtime::Runtime::new().context("starting threads")?;
        let outcomes = runtime.block_on(examples.try_on(&plugin));
        let mut failed = count - outcomes.len();
        for outcome in outcomes {
            match outcome.difference {
                None => println!("ok      {}", outcome.name),
                Some(difference) => {
                    failed += 1;
                    println!("FAILED  {}\n   {difference}", outcome.name);
                }
            }
        }
        println!("{} passed, {failed} failed", count - failed);
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn carried(file: &Path) -> anyhow::Result<Examples> {
    let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let Some(section) = custom_section(&bytes, EXAMPLES_SECTION) else {
        bail!(
            "{} carries no examples: put an examples.toml into its crate and build it again, or name one with --examples",
            file.display()
        );
    };
    let text = std::str::from_utf8(section).context("reading the component's examples")?;
    Examples::parse(text).map_err(|error| anyhow::anyhow!("the component's examples: {error}"))
}

/// Loads a file as the host would, with the default bounds. Also returns the plugin's name.
pub(super) fn load(file: &Path, examples: Option<Examples>) -> anyhow::Result<(String, Arc<Plugin>)> {
    let source = source_of(file.to_owned()).map_err(anyhow::Error::msg)?;
    let limits = Limits::default();
    let compiler = own_program().context("finding this program, which compiles")?;
    // Without the cache: what is told of the compilation is true of this one.
    let engine = Engine::new(&limits, Setup { compiler, cache: None, seed: Seed::new(None) })?;
    let runtime = tokio::runtime::Runtime::new().context("starting threads")?;
    let plugin = runtime.block_on(engine.load_file(&source.name, file, limits, examples))?;
    Ok((source.name, plugin))
}
