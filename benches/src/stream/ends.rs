//! The process with both ends of a stream.

use crate::peer::Process;
use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// The ends, bound and waiting for what is between them; the process ends when this is dropped.
pub struct Ends {
    process: Process,
    /// Where messages come from.
    pub from: String,
    /// Where they go to.
    pub to: String,
}

impl Ends {
    /// Starts the peer with these arguments.
    pub fn start(arguments: Vec<String>) -> Result<Self> {
        let mut process = Process::peer(arguments)?;
        let places = process.wait_for("ready")?;
        let (from, to) = places.split_once(' ').context("the ends name one place, not two")?;
        Ok(Self { from: from.to_owned(), to: to.to_owned(), process })
    }

    /// Waits for what the ends have measured, and takes the processor time that was used meanwhile.
    pub fn measure<T: DeserializeOwned>(
        &mut self,
        processor_time: impl Fn() -> Result<Duration>,
    ) -> Result<(T, Duration)> {
        self.process.wait_for("begin")?;
        let before = processor_time()?;
        let measured =
            serde_json::from_str(&self.process.wait_for("end")?).context("reading what the ends measured")?;
        Ok((measured, processor_time()?.saturating_sub(before)))
    }
}
