//! Builds the host, and starts it as a user would, in a directory of its own.

use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// For the host to end its work after SIGTERM; its own grace period is shorter.
const STOP_MAX: Duration = Duration::from_secs(15);

/// The repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Builds the host in release mode and gives the path of the binary.
pub fn build() -> Result<PathBuf> {
    eprintln!("building the host");
    build_with(&[])
}

/// The same, with the logic of `downcase` and `echo` compiled in, as a copy. Comes before [`build`]: both end up in one place.
pub fn build_compiled_in() -> Result<PathBuf> {
    eprintln!("building the host with the logic compiled in");
    let built = build_with(&["--features=compiled-in"])?;
    let kept = built.with_file_name("tidegate-compiled-in");
    std::fs::copy(&built, &kept).with_context(|| format!("copying {}", built.display()))?;
    Ok(kept)
}

fn build_with(features: &[&str]) -> Result<PathBuf> {
    cargo_build(root(), &[&["-p", "host"], features].concat(), "tidegate")
}

/// Builds a package in release mode and gives the path of its program `name`.
pub fn cargo_build(directory: &Path, arguments: &[&str], name: &str) -> Result<PathBuf> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--locked", "--message-format=json-render-diagnostics"])
        .args(arguments)
        .current_dir(directory)
        .stderr(Stdio::inherit())
        .output()
        .context("starting cargo")?;
    let arguments = arguments.join(" ");
    ensure!(output.status.success(), "cargo build --release {arguments}: {}", output.status);
    for line in output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let message: serde_json::Value = serde_json::from_slice(line).context("reading what cargo says")?;
        if message["target"]["name"] == name
            && let Some(path) = message["executable"].as_str()
        {
            return Ok(path.into());
        }
    }
    bail!("cargo build --release {arguments} names no program {name}")
}

/// A host that is ready; it ends when this is dropped.
pub struct Host {
    process: Child,
    surfaces: BTreeMap<String, String>,
    _directory: tempfile::TempDir,
}

impl Host {
    /// Starts `binary` with the plugins, by name and file, and with `config`.
    pub fn start(binary: &Path, plugins: &[(&str, &Path)], config: &str) -> Result<Self> {
        let directory = tempfile::tempdir().context("making a directory")?;
        let (config_file, log_file) = (directory.path().join("tidegate.toml"), directory.path().join("log"));
        std::fs::write(&config_file, config)?;
        let mut command = Command::new(std::path::absolute(binary)?);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TIDEGATE_") {
                command.env_remove(name);
            }
        }
        for (name, path) in plugins {
            command.arg(format!("--plugin={name}={}", std::path::absolute(path)?.display()));
        }
        let process = command
            .args(["--http=127.0.0.1:0", "--admin=127.0.0.1:0", "--publish=tcp://127.0.0.1:*", "--frontend=none"])
            .arg("--config")
            .arg(config_file)
            .current_dir(directory.path())
            .env("XDG_CACHE_HOME", directory.path().join("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log_file)?)
            .spawn()
            .with_context(|| format!("starting {}", binary.display()))?;
        let mut host = Self { process, surfaces: BTreeMap::new(), _directory: directory };
        let stdout = host.process.stdout.take().context("the host has no stdout")?;
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            if line == "ready" {
                return Ok(host);
            }
            if let Some((surface, place)) = line.split_once(' ') {
                host.surfaces.insert(surface.to_owned(), place.to_owned());
            }
        }
        bail!("the host did not start:\n{}", std::fs::read_to_string(log_file)?)
    }

    /// Where HTTP listens.
    pub fn http(&self) -> Result<SocketAddr> {
        let place = self.surfaces.get("http").context("the host names no HTTP surface")?;
        place.trim_start_matches("http://").parse().with_context(|| format!("reading {place}"))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let began = Instant::now();
        while began.elapsed() < STOP_MAX && matches!(self.process.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
