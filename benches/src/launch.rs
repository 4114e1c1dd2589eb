//! A host that is started repeatedly in one directory, with the same plugins, cache and flags.

use crate::host::root;
use crate::process::terminate;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long the host gets to end after SIGTERM; its own grace period is shorter.
const STOP_MAX: Duration = Duration::from_secs(60);

/// The directory and the configuration that a host is started with.
pub struct Launch {
    binary: PathBuf,
    directory: TempDir,
}

/// A host that is ready; it ends when this is dropped.
pub struct Running {
    process: Child,
    surfaces: BTreeMap<String, String>,
    /// The time from before the process was started to the line `ready`.
    pub ready_after: Duration,
}

impl Launch {
    /// A host of this binary and configuration, in a temporary directory with an empty `plugins`.
    pub fn new(binary: &Path, config: &str) -> Result<Self> {
        let directory = tempfile::tempdir().context("making a directory")?;
        std::fs::create_dir(directory.path().join("plugins"))?;
        std::fs::write(directory.path().join("tidegate.toml"), config)?;
        Ok(Self { binary: std::path::absolute(binary)?, directory })
    }

    /// The path at which the host finds the plugin of this name.
    pub fn plugin_path(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("plugins/{name}.wasm"))
    }

    /// Puts a plugin where the host finds it.
    pub fn put(&self, name: &str, component: &[u8]) -> Result<()> {
        let path = self.plugin_path(name);
        std::fs::write(&path, component).with_context(|| format!("writing {}", path.display()))
    }

    /// Deletes the compile cache.
    pub fn empty_cache(&self) -> Result<()> {
        let cache = self.directory.path().join("cache");
        if cache.exists() { std::fs::remove_dir_all(&cache).context("emptying the cache") } else { Ok(()) }
    }

    /// Starts the host, and waits until it is ready.
    pub fn start(&self) -> Result<Running> {
        let log = self.directory.path().join("log");
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TIDEGATE_") {
                command.env_remove(name);
            }
        }
        command
            .args(["--http=127.0.0.1:0", "--admin=127.0.0.1:0", "--config=tidegate.toml"])
            .args(["--publish=tcp://127.0.0.1:*", "--frontend=tcp://127.0.0.1:*"])
            .current_dir(self.directory.path())
            .env("XDG_CACHE_HOME", self.directory.path().join("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?);
        let began = Instant::now();
        let process = command.spawn().with_context(|| format!("starting {}", self.binary.display()))?;
        let mut running = Running { process, surfaces: BTreeMap::new(), ready_after: Duration::ZERO };
        let stdout = running.process.stdout.take().context("the host has no stdout")?;
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            if line == "ready" {
                running.ready_after = began.elapsed();
                return Ok(running);
            }
            if let Some((surface, place)) = line.split_once(' ') {
                running.surfaces.insert(surface.to_owned(), place.to_owned());
            }
        }
        bail!("the host did not start:\n{}", std::fs::read_to_string(log)?)
    }
}

impl Running {
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The address of the HTTP surface or the admin surface.
    pub fn address(&self, surface: &str) -> Result<SocketAddr> {
        let place = self.endpoint(surface)?;
        place.trim_start_matches("http://").parse().with_context(|| format!("reading {place}"))
    }

    /// The address that the host printed for a surface.
    pub fn endpoint(&self, surface: &str) -> Result<&str> {
        self.surfaces.get(surface).map(|place| &**place).with_context(|| format!("the host names no {surface}"))
    }

    /// Ends the host in order. Returns how long that took, and its exit status.
    pub fn stop(mut self) -> Result<(Duration, ExitStatus)> {
        let began = Instant::now();
        terminate(&mut self.process, STOP_MAX);
        match self.process.try_wait()? {
            Some(status) => Ok((began.elapsed(), status)),
            None => bail!("the host did not stop within {} s", STOP_MAX.as_secs()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            terminate(&mut self.process, STOP_MAX);
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// A component of the repository.
pub fn component(name: &str) -> Result<Vec<u8>> {
    let path = root().join(format!("plugins/{name}.wasm"));
    std::fs::read(&path).with_context(|| format!("reading {}", path.display()))
}

/// The same component with another digest, which is in no cache.
pub fn variant(component: &[u8], number: usize) -> Vec<u8> {
    const NAME: &[u8] = b"variant";
    let number = u64::try_from(number).unwrap_or(u64::MAX).to_le_bytes();
    let section = [&[NAME.len() as u8], NAME, &number].concat();
    // A custom section changes nothing but the digest.
    [component, &[0, section.len() as u8], &section].concat()
}
