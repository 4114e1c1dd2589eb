//! The servers that answer DEALER clients, each in its own process.

use crate::host::{self, Host};
use crate::options::Options;
use crate::peer::{Process, Proxy};
use crate::python;
use anyhow::Result;
use std::path::PathBuf;

pub const TIDEGATE: &str = "tidegate";
pub const NATIVE: &str = "zmq_proxy, native workers";
const COMPILED_IN: &str = "logic compiled in";
const PYZMQ: &str = "demo in pyzmq";
const WORKERS: usize = 5;

pub struct Contender {
    pub name: &'static str,
    kind: Kind,
}

enum Kind {
    Host(PathBuf),
    Proxy,
    Python(PathBuf),
}

/// A server that is ready; it ends when this is dropped.
pub enum Server {
    Host(Host, String),
    Other(Process, String),
}

/// The contenders that can take part, and the others with the reason.
pub fn all(options: &Options) -> Result<(Vec<Contender>, Vec<String>)> {
    let (mut contenders, mut skipped) = (Vec::new(), Vec::new());
    let host = match &options.host {
        Some(host) => {
            skipped.push(format!("{COMPILED_IN}: it is built beside the host, and --host names one that is built"));
            host.clone()
        }
        None => {
            contenders.push(Contender { name: COMPILED_IN, kind: Kind::Host(host::build_compiled_in()?) });
            host::build()?
        }
    };
    contenders.insert(0, Contender { name: TIDEGATE, kind: Kind::Host(host) });
    contenders.push(Contender { name: NATIVE, kind: Kind::Proxy });
    match python::check(&options.python, "zmq") {
        Ok(()) => contenders.push(Contender { name: PYZMQ, kind: Kind::Python(options.python.clone()) }),
        Err(reason) => skipped.push(format!("{PYZMQ}: {reason}")),
    }
    Ok((contenders, skipped))
}

impl Contender {
    pub fn start(&self) -> Result<Server> {
        let process = match &self.kind {
            Kind::Host(binary) => {
                let echo = host::root().join("plugins/echo.wasm");
                let workers = format!("--workers={WORKERS}");
                let flags = ["--http=none", "--admin=none", "--publish=none", "--frontend=tcp://127.0.0.1:*", &workers];
                let host = Host::start_with(binary, &[("echo", &echo)], "", &flags)?;
                let endpoint = host.place("frontend")?.to_owned();
                return Ok(Server::Host(host, endpoint));
            }
            Kind::Proxy => Process::peer(Proxy::arguments(WORKERS)),
            Kind::Python(python) => Process::start(python::script(python, "pyzmq_broker.py").arg(WORKERS.to_string())),
        };
        let mut process = process?;
        let endpoint = process.wait_for("ready")?;
        Ok(Server::Other(process, endpoint))
    }
}

impl Server {
    pub fn endpoint(&self) -> &str {
        let (Self::Host(_, endpoint) | Self::Other(_, endpoint)) = self;
        endpoint
    }

    /// The processor time of its process.
    pub fn id(&self) -> u32 {
        match self {
            Self::Host(host, _) => host.id(),
            Self::Other(process, _) => process.id(),
        }
    }
}
