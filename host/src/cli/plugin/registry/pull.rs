//! `tidegate plugin pull`: gets a component from a registry into a file.

use super::Registry;
use crate::config::Limits;
use crate::oci::Artifact;
use crate::plugin::write_at_once;
use crate::system::output::{note, print};
use anyhow::{Context, bail};
use clap::Args;
use std::io::{IsTerminal, Write, stderr, stdin};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The flags of `plugin pull`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Pull {
    #[command(flatten)]
    registry: Registry,
    /// The file to write, at once [default: the last part of the repository, with .wasm]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the file without asking
    #[arg(short, long)]
    force: bool,
}

impl Pull {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { registry, output, force } = self;
        let reference = registry.reference.clone();
        let file = output.unwrap_or_else(|| format!("{}.wasm", reference.name()).into());
        if !force {
            ask_before_overwriting(&file)?;
        }
        let bytes_max = Limits::default().component_bytes_max;
        let (artifact, bytes) = registry.ask(&format!("pulling {reference}"), async |registries| {
            let artifact = registries.resolve(&reference, None).await?;
            let bytes = registries.pull(&reference, &artifact, bytes_max).await?;
            let bytes = match artifact.is_packed {
                true => Artifact::unpacked(&reference, &bytes, bytes_max)?,
                false => bytes,
            };
            Ok((artifact, bytes))
        })?;
        write_at_once(&file, &bytes).with_context(|| format!("writing {}", file.display()))?;
        note(format_args!("pulled {reference} to {} ({} bytes)", file.display(), bytes.len()));
        print(format!("{}\n", reference.pinned(&artifact.digest)))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Asks whoever sits at the terminal whether a file that exists may be replaced.
///
/// # Errors
/// When it may not be, or nobody can be asked.
fn ask_before_overwriting(file: &Path) -> anyhow::Result<()> {
    let name = file.display();
    if file.symlink_metadata().is_err() {
        return Ok(());
    }
    if !(stdin().is_terminal() && stderr().is_terminal()) {
        bail!("{name} exists: say --force to overwrite it, or name another file with -o");
    }
    write!(stderr(), "{name} exists. Overwrite it? [y/N] ").context("asking")?;
    let mut answer = String::new();
    stdin().read_line(&mut answer).context("reading the answer")?;
    if !matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        bail!("{name} stays as it is");
    }
    Ok(())
}
