//! Builds the host, and starts it as a user would, in a directory of its own.

use crate::client::Client;
use crate::process::Process;
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The default addresses of the host's surfaces.
const SURFACES: [&str; 4] =
    ["--http=127.0.0.1:0", "--admin=127.0.0.1:0", "--publish=tcp://127.0.0.1:*", "--frontend=none"];

/// The root directory of the repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Builds the host in release mode and gives the path of the binary.
pub fn build() -> Result<PathBuf> {
    eprintln!("building the host");
    build_with(&[])
}

/// The same, with the logic of `downcase` and `echo` compiled in, as a copy. Comes before [`build`]: both end up in one
/// place.
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
    process: Process,
    surfaces: BTreeMap<String, String>,
    _directory: tempfile::TempDir,
}

impl Host {
    /// Starts `binary` with the plugins, by name and file, and with `config`, without a frontend.
    pub fn start(binary: &Path, plugins: &[(&str, &Path)], config: &str) -> Result<Self> {
        Self::start_with(binary, plugins, config, &[])
    }

    /// The same, with flags that go before the usual ones of their name.
    pub fn start_with(binary: &Path, plugins: &[(&str, &Path)], config: &str, flags: &[&str]) -> Result<Self> {
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
        let name = |flag: &str| flag.split('=').next().map(str::to_owned);
        let usual = SURFACES.iter().filter(|usual| flags.iter().all(|flag| name(flag) != name(usual)));
        let mut process = command
            .args(usual)
            .args(flags)
            .arg("--config")
            .arg(config_file)
            .current_dir(directory.path())
            .env("XDG_CACHE_HOME", directory.path().join("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log_file)?)
            .spawn()
            .with_context(|| format!("starting {}", binary.display()))?;
        let stdout = process.stdout.take().context("the host has no stdout")?;
        let mut host = Self { process: Process::of(process), surfaces: BTreeMap::new(), _directory: directory };
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

    /// The process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The address that the host printed for a surface.
    pub fn place(&self, surface: &str) -> Result<&str> {
        self.surfaces.get(surface).map(|place| &**place).with_context(|| format!("the host names no surface {surface}"))
    }

    /// Where HTTP listens.
    pub fn http(&self) -> Result<SocketAddr> {
        let place = self.place("http")?;
        place.trim_start_matches("http://").parse().with_context(|| format!("reading {place}"))
    }

    /// What the ledger has of a hop.
    pub fn figures(&self, hop: &str) -> Result<serde_json::Value> {
        let address = self.place("admin")?.trim_start_matches("http://").parse().context("reading where admin is")?;
        let mut client = Client::connect(address, "/ledger")?;
        let mut ledger: serde_json::Value = serde_json::from_slice(client.get()?.body).context("reading the ledger")?;
        Ok(ledger["hops"][hop].take())
    }
}
