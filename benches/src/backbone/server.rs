//! A server of NATS with JetStream, in a directory of its own.

use crate::process::Process;
use anyhow::{Context, Result, bail};
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const START_MAX: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);

/// It ends when this is dropped.
pub struct Server {
    pub url: String,
    _process: Process,
    _directory: tempfile::TempDir,
}

impl Server {
    /// None where it is not installed.
    pub fn start() -> Result<Option<Self>> {
        let directory = tempfile::tempdir().context("making a directory")?;
        let started = Command::new("nats-server")
            .args(["--jetstream", "--addr", "127.0.0.1", "--port", "-1", "--store_dir"])
            .arg(directory.path().join("streams"))
            .arg("--ports_file_dir")
            .arg(directory.path())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = match started {
            Ok(process) => Process::of(process),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context("starting nats-server"),
        };
        let file = directory.path().join(format!("nats-server_{}.ports", process.id()));
        let began = Instant::now();
        while began.elapsed() < START_MAX {
            if let Some(url) = url(&file) {
                return Ok(Some(Self { url, _process: process, _directory: directory }));
            }
            std::thread::sleep(LOOK);
        }
        bail!("nats-server says no port within {} s", START_MAX.as_secs())
    }
}

/// Where it listens, once its file is written.
fn url(ports: &Path) -> Option<String> {
    let ports: serde_json::Value = serde_json::from_slice(&std::fs::read(ports).ok()?).ok()?;
    Some(ports["nats"][0].as_str()?.to_owned())
}
