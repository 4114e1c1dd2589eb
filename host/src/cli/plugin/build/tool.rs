//! A program of a language's tools: it runs in the guest's folder, tells its progress on stderr, and is asked for where
//! it is missing.

use super::install::Packages;
use anyhow::{Context, bail, ensure};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

/// A call of a program.
pub(super) struct Tool {
    command: Command,
    /// What it is in.
    packages: &'static Packages,
}

impl Tool {
    pub(super) fn new(program: impl AsRef<OsStr>, directory: &Path, packages: &'static Packages) -> Self {
        let mut command = Command::new(program);
        // Stdout is for what this command itself has to say.
        command.current_dir(directory).stdin(Stdio::null()).stdout(std::io::stderr());
        Self { command, packages }
    }

    pub(super) fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(super) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it to its end, which has to be a success.
    ///
    /// # Errors
    /// When the tool cannot be started, or fails.
    pub(super) fn run(mut self) -> anyhow::Result<()> {
        let program = self.command.get_program().to_string_lossy().into_owned();
        let status = match self.command.status() {
            Ok(status) => status,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                bail!("{program} is missing: {}", self.packages)
            }
            Err(error) => return Err(error).with_context(|| format!("starting {program}")),
        };
        ensure!(status.success(), "{program} failed ({status}); its message above says why");
        Ok(())
    }
}

/// What a program prints; nothing if it is missing or fails.
pub(super) fn printed(program: impl AsRef<OsStr>, directory: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let output = command.args(arguments).current_dir(directory).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a program is there and ends well; what it prints is discarded.
pub(super) fn works(program: &str, arguments: &[&str]) -> bool {
    let quiet =
        Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}

/// Whether what was installed for `wanted` is in place: the copy of it that was left beside the last success.
///
/// # Errors
/// When the file `wanted` cannot be read.
pub(super) fn is_installed(wanted: &Path, mark: &Path) -> anyhow::Result<bool> {
    let wanted = std::fs::read(wanted).with_context(|| format!("reading {}", wanted.display()))?;
    Ok(std::fs::read(mark).is_ok_and(|installed| installed == wanted))
}

/// Leaves the copy of `wanted` that [`is_installed`] compares.
///
/// # Errors
/// When the copy cannot be written.
pub(super) fn mark_installed(wanted: &Path, mark: &Path) -> anyhow::Result<()> {
    std::fs::copy(wanted, mark).with_context(|| format!("writing {}", mark.display()))?;
    Ok(())
}
