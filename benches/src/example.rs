//! Contenders that link the host's library: they are examples of its package.

use crate::host;
use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Builds an example in release mode, or finds it beside the binary of the `host` that is measured.
pub fn build(host: Option<&Path>, name: &str, features: &[&str]) -> Result<PathBuf> {
    let arguments = [&["-p", "host", "--example", name], features].concat();
    let Some(host) = host else {
        eprintln!("building the {name} of the host");
        return host::cargo_build(host::root(), &arguments, name);
    };
    let beside = host.with_file_name("examples").join(name);
    ensure!(beside.exists(), "{} is missing: cargo build {}", beside.display(), arguments.join(" "));
    Ok(beside)
}

/// Runs an example that writes a line for each contender: its name, a tab, and its figure. Other lines are ignored.
pub fn figures(program: &Path, arguments: &[&OsStr]) -> Result<Vec<(String, f64)>> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("starting {}", program.display()))?;
    ensure!(output.status.success(), "{}: {}", program.display(), output.status);
    let text = String::from_utf8(output.stdout).context("reading figures")?;
    let figures: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, figure)| Ok((name.to_owned(), figure.parse().with_context(|| format!("reading {figure}"))?)))
        .collect::<Result<_>>()?;
    ensure!(!figures.is_empty(), "{} has no figures", program.display());
    Ok(figures)
}
