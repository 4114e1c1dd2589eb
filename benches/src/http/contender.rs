//! The contenders that answer `/downcase/`: servers that are started for their turn and then stopped.

use crate::host::Host;
use crate::process::Process;
use crate::tap::Tap;
use anyhow::{Context, Result};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use tempfile::NamedTempFile;

/// The number of calls per instance of the contenders that reuse instances.
pub const REUSE: u32 = 10_000;

/// How a server is started.
pub struct Contender {
    pub name: &'static str,
    /// Whether it is Tidegate, which may lose no message.
    pub is_host: bool,
    start: Box<dyn Fn() -> Result<Running>>,
}

/// A server that listens.
pub struct Running {
    pub address: SocketAddr,
    /// The subscriber to what it publishes, if it publishes.
    pub tap: Option<Tap>,
    pub server: Server,
}

/// The process that is stopped at the end of the turn.
pub enum Server {
    Host(Host),
    /// A process and its stderr.
    Other(Process, NamedTempFile),
}

impl Server {
    pub fn process(&self) -> u32 {
        match self {
            Self::Host(host) => host.id(),
            Self::Other(process, _) => process.id(),
        }
    }

    /// Starts a server that is not Tidegate.
    pub fn start(command: &mut Command) -> Result<Self> {
        let log = NamedTempFile::new()?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.reopen()?).spawn();
        let child = child.with_context(|| format!("starting {}", command.get_program().display()))?;
        Ok(Self::Other(Process::of(child), log))
    }

    /// What the server has written to stderr, for an error message.
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

    /// A Tidegate host.
    pub fn host(name: &'static str, start: impl Fn() -> Result<Running> + 'static) -> Self {
        Self { is_host: true, ..Self::new(name, start) }
    }

    pub fn start(&self) -> Result<Running> {
        (self.start)()
    }
}

/// A free port, for servers that cannot choose one and report it. If another program takes it meanwhile, the server
/// fails to start.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
