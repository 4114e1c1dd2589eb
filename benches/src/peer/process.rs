//! A process of a comparison, and the lines that it writes to stdout.

use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A process that ends when this is dropped.
pub struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
    name: String,
}

impl Process {
    /// Starts this program again, as one of its peers.
    pub fn peer<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<Self> {
        let program = std::env::current_exe().context("finding this program")?;
        Self::start(Command::new(program).arg("peer").args(arguments))
    }

    pub fn start(command: &mut Command) -> Result<Self> {
        let name = format!("{command:?}");
        // The end of its stdin tells the peer that its parent has ended.
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = started.with_context(|| format!("starting {name}"))?;
        let stdout = BufReader::new(child.stdout.take().context("it has no stdout")?);
        Ok(Self { child, stdout, name })
    }

    /// Waits for a line `WORD REST` and gives its rest.
    pub fn wait_for(&mut self, word: &str) -> Result<String> {
        let mut line = String::new();
        ensure!(self.stdout.read_line(&mut line)? > 0, "{} ended before it said {word}", self.name);
        match line.trim_end().strip_prefix(word) {
            Some(rest) => Ok(rest.trim_start().to_owned()),
            None => bail!("{} said {line:?} where {word} was expected", self.name),
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
