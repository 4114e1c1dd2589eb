//! Who answers `/downcase/`: a server that is started for its turn and then stopped.

use crate::host::Host;
use crate::process::Process;
use crate::tap::Tap;
use anyhow::{Context, Result};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use tempfile::NamedTempFile;

/// How often an instance serves where it serves more than once; the same for all who can.
pub const REUSE: u32 = 10_000;

/// How a server is started.
pub struct Contender {
    pub name: &'static str,
    /// Whether it is ours: then no message may be lost.
    pub is_host: bool,
    start: Box<dyn Fn() -> Result<Running>>,
}

/// A server that listens.
pub struct Running {
    pub address: SocketAddr,
    /// Who gets what it publishes, if it does.
    pub tap: Option<Tap>,
    pub server: Server,
}

/// What ends at the end of the turn.
pub enum Server {
    Host(Host),
    /// With what it has written to stderr.
    Other(Process, NamedTempFile),
}

impl Server {
    pub fn process(&self) -> u32 {
        match self {
            Self::Host(host) => host.id(),
            Self::Other(process, _) => process.id(),
        }
    }

    /// Starts one that is not ours.
    pub fn start(command: &mut Command) -> Result<Self> {
        let log = NamedTempFile::new()?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.reopen()?).spawn();
        let child = child.with_context(|| format!("starting {}", command.get_program().display()))?;
        Ok(Self::Other(Process::of(child), log))
    }

    /// What it complained of, where that is not told otherwise.
    pub fn complaint(&self) -> String {
        match self {
            Self::Host(_) => String::new(),
            Self::Other(_, log) => std::fs::read_to_string(log.path()).unwrap_or_default(),
        }
    }
}

impl Contender {
    pub fn new(name: &'static str, start: impl Fn() -> Result<Running> + 'static) -> Self {
        Self { name, is_host: false, start: Box::new(start) }
    }

    /// One of our own.
    pub fn host(name: &'static str, start: impl Fn() -> Result<Running> + 'static) -> Self {
        Self { is_host: true, ..Self::new(name, start) }
    }

    pub fn start(&self) -> Result<Running> {
        (self.start)()
    }
}

/// For a server that cannot choose a port and say so. Somebody else may take it meanwhile; then the server does not start.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
