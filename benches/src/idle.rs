//! Idle clients: a process of this program that makes one request per client and then stays connected.

use crate::client::Client;
use crate::event_client::EventClient;
use anyhow::{Context, Result, ensure};
use clap::Subcommand;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// Sockets per ZeroMQ context, below its default limit.
const SOCKETS_PER_CONTEXT: usize = 1_000;
/// Clients per process: each DEALER takes two descriptors.
const CLIENTS_PER_PROCESS: usize = 4_000;
/// The descriptors that a process needs beside those of its clients.
const OWN_DESCRIPTORS: u64 = 200;
const ANSWER_MAX_MS: i32 = 60_000;

/// The kind of clients.
#[derive(Subcommand, Clone)]
pub enum Idle {
    /// HTTP connections
    Connections { address: SocketAddr, count: usize },
    /// DEALER sockets
    Clients { endpoint: String, count: usize },
    /// Streams of events
    Streams { address: SocketAddr, topic: String, count: usize },
}

impl Idle {
    /// Connects, reports that, and stays until the parent is gone.
    pub fn run(&self) -> Result<()> {
        take_all_descriptors();
        match self {
            Self::Connections { address, count } => {
                let connections = connections(*address, *count)?;
                stay()?;
                drop(connections);
            }
            Self::Clients { endpoint, count } => {
                let clients = clients(endpoint, *count)?;
                stay()?;
                drop(clients);
            }
            Self::Streams { address, topic, count } => {
                let streams = (0..*count).map(|_| EventClient::open(*address, topic)).collect::<Result<Vec<_>>>()?;
                stay()?;
                drop(streams);
            }
        }
        Ok(())
    }

    fn arguments(&self) -> Vec<String> {
        match self {
            Self::Connections { address, count } => {
                vec!["connections".to_owned(), address.to_string(), count.to_string()]
            }
            Self::Clients { endpoint, count } => vec!["clients".to_owned(), endpoint.clone(), count.to_string()],
            Self::Streams { address, topic, count } => {
                vec!["streams".to_owned(), address.to_string(), topic.clone(), count.to_string()]
            }
        }
    }
}

fn connections(address: SocketAddr, count: usize) -> Result<Vec<Client>> {
    let connection = |_| {
        let mut client = Client::connect(address, "/downcase/?param=x").context("connecting")?;
        let status = client.get().context("asking once")?.status;
        ensure!(status == 200, "status {status}");
        Ok(client)
    };
    (0..count).map(connection).collect()
}

/// The sockets are dropped first, because a context ends only after all its sockets are closed.
fn clients(endpoint: &str, count: usize) -> Result<Vec<(Vec<zmq::Socket>, zmq::Context)>> {
    let mut all = Vec::new();
    for first in (0..count).step_by(SOCKETS_PER_CONTEXT) {
        let context = zmq::Context::new();
        let mut sockets = Vec::new();
        for _ in first..count.min(first + SOCKETS_PER_CONTEXT) {
            let socket = context.socket(zmq::DEALER).context("opening a DEALER")?;
            socket.set_linger(0)?;
            socket.set_rcvtimeo(ANSWER_MAX_MS)?;
            socket.connect(endpoint)?;
            socket.send("x", 0)?;
            socket.recv_bytes(0).context("waiting for the first reply")?;
            sockets.push(socket);
        }
        all.push((sockets, context));
    }
    Ok(all)
}

fn stay() -> Result<()> {
    println!("ready");
    std::io::stdout().flush()?;
    std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink())?;
    Ok(())
}

/// How many clients of both kinds the machine's limits of open files allow.
pub fn clients_max() -> usize {
    let maximum = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    usize::try_from(maximum.saturating_sub(OWN_DESCRIPTORS)).unwrap_or(usize::MAX)
}

fn take_all_descriptors() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Processes of clients, which end when this is dropped.
#[derive(Default)]
pub struct Crowd {
    processes: Vec<Child>,
    count: usize,
}

impl Crowd {
    /// Adds processes until there are `count` clients; `idle` makes the clients of one process.
    pub fn grow(&mut self, count: usize, idle: impl Fn(usize) -> Idle) -> Result<()> {
        while self.count < count {
            let more = (count - self.count).min(CLIENTS_PER_PROCESS);
            let mut command = Command::new(std::env::current_exe().context("finding this program")?);
            command.arg("idle").args(idle(more).arguments()).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut process = command.spawn().context("starting this program again")?;
            let stdout = process.stdout.take().context("it has no stdout")?;
            self.processes.push(process);
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line)?;
            ensure!(line == "ready\n", "the idle clients did not connect");
            self.count += more;
        }
        Ok(())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
