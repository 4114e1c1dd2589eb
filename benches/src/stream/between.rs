//! What can be between the ends of a stream.

use super::ends::Ends;
use super::flows;
use crate::host::Host;
use crate::peer::{Forwarder, Pattern, Process};
use crate::python;
use crate::usage;
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::time::Duration;

/// A contender.
pub struct Between {
    pub name: &'static str,
    pub kind: Kind,
}

pub enum Kind {
    /// A flow of this host.
    Host(PathBuf),
    /// A flow of this host that has no stages.
    Empty(PathBuf),
    /// libzmq's own proxy, which has no stages.
    Forwarder,
    /// This Python, a process for each stage.
    Python(PathBuf),
}

/// The processes, which end when this is dropped.
pub enum Running {
    Host(Host),
    Others {
        processes: Vec<Process>,
        /// Of the sockets between them.
        _directory: Option<tempfile::TempDir>,
    },
}

impl Between {
    pub fn start(&self, pattern: Pattern, stages: usize, ends: &Ends) -> Result<Running> {
        let mut processes = Vec::new();
        let mut directory = None;
        match &self.kind {
            Kind::Host(binary) => return Ok(Running::Host(flows::start(binary, pattern, stages, 1, ends)?)),
            Kind::Empty(binary) => return Ok(Running::Host(flows::start(binary, pattern, 0, 1, ends)?)),
            Kind::Forwarder => processes.push(Process::peer(Forwarder::arguments(&ends.from, &ends.to))?),
            Kind::Python(python) => {
                let between = tempfile::tempdir().context("making a directory")?;
                let place = |stage: usize| match stage {
                    0 => ends.from.clone(),
                    stage if stage == stages => ends.to.clone(),
                    stage => format!("ipc://{}/{stage}", between.path().display()),
                };
                let reads = match pattern {
                    Pattern::Publish => "sub",
                    Pattern::Push => "pull",
                };
                for stage in 0..stages {
                    let mut script = python::script(python, "pyzmq_relay.py");
                    processes.push(Process::start(script.args([reads, &place(stage), &place(stage + 1)]))?);
                }
                directory = Some(between);
            }
        }
        for process in &mut processes {
            process.wait_for("ready")?;
        }
        Ok(Running::Others { processes, _directory: directory })
    }
}

impl Running {
    /// The processor time of all processes.
    pub fn processor_time(&self) -> Result<Duration> {
        match self {
            Self::Host(host) => usage::processor_time(host.id()),
            Self::Others { processes, .. } => processes.iter().map(|process| usage::processor_time(process.id())).sum(),
        }
    }
}
