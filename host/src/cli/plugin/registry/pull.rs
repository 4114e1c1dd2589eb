//! `tidegate plugin pull`: gets a component from a registry into a file.

use super::Registry;
use crate::config::Limits;
use crate::plugin::write_at_once;
use crate::system::output::{note, print};
use anyhow::Context;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// The flags of `plugin pull`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Pull {
    #[command(flatten)]
    registry: Registry,
    /// The file to write, at once [default: the last part of the repository, with .wasm]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Pull {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { registry, output } = self;
        let reference = registry.reference.clone();
        let bytes_max = Limits::default().component_bytes_max;
        let (artifact, bytes) = registry.ask(&format!("pulling {reference}"), async |registries| {
            let artifact = registries.resolve(&reference, None).await?;
            let bytes = registries.pull(&reference, &artifact, bytes_max).await?;
            Ok((artifact, bytes))
        })?;
        let file = output.unwrap_or_else(|| format!("{}.wasm", reference.name()).into());
        write_at_once(&file, &bytes).with_context(|| format!("writing {}", file.display()))?;
        note(format_args!("pulled {reference} to {} ({} bytes)", file.display(), bytes.len()));
        print(format!("{}\n", reference.pinned(&artifact.digest)))?;
        Ok(ExitCode::SUCCESS)
    }
}
