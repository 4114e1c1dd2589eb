//! async-nats alone, which stores messages as `contenders/async-nats` says.

use super::MESSAGE_BYTES;
use super::server::Server;
use crate::host;
use anyhow::{Context, Result, ensure};
use std::cell::Cell;
use std::path::PathBuf;
use std::process::{Command, Stdio};

pub struct Alone {
    program: PathBuf,
    /// For a stream of its own each time.
    turns: Cell<u32>,
}

impl Alone {
    pub fn build() -> Result<Self> {
        eprintln!("building async-nats alone");
        let directory = host::root().join("benches/contenders/async-nats");
        let program = host::cargo_build(&directory, &[], "async-nats-publish")?;
        Ok(Self { program, turns: Cell::new(0) })
    }

    /// The seconds until so many messages are stored.
    pub fn publish(&self, server: &Server, how: &str, messages: u64, in_flight: usize) -> Result<f64> {
        let turn = self.turns.replace(self.turns.get() + 1);
        let output = Command::new(&self.program)
            .args([&server.url, &format!("alone{turn}"), how])
            .args([messages.to_string(), MESSAGE_BYTES.to_string(), in_flight.to_string()])
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("starting {}", self.program.display()))?;
        ensure!(output.status.success(), "async-nats alone: {}", output.status);
        let said = String::from_utf8_lossy(&output.stdout);
        said.trim().parse().with_context(|| format!("reading {said}"))
    }
}
