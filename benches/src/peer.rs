//! Peers: this program started again as libzmq's proxy, or as a client of libzmq.

mod asker;
mod collector;
mod dealers;
mod ends;
mod event_followers;
mod feeder;
mod flood;
mod forwarder;
mod numbered;
mod pool_workers;
mod process;
mod proxy;
mod publisher;
mod steady;

pub use asker::{Answered, Asker};
pub use collector::Collector;
pub use dealers::{Dealers, Exchanged};
pub use ends::Pattern;
pub use event_followers::{EventFollowers, Followed};
pub use feeder::Feeder;
pub use flood::{Flood, Flooded};
pub use forwarder::Forwarder;
pub use numbered::{MESSAGE_BYTES, read_number, write_number};
pub use pool_workers::{PoolWorkers, WorkerProtocol};
pub use process::Process;
pub use proxy::Proxy;
pub use steady::{Arrived, Steady};

use anyhow::Result;
use clap::Subcommand;
use std::io::Write;

/// The peer that the program is when it is started again.
#[derive(Subcommand)]
pub enum Peer {
    Proxy(Proxy),
    Dealers(Dealers),
    Feeder(Feeder),
    Collector(Collector),
    Flood(Flood),
    Steady(Steady),
    Forwarder(Forwarder),
    PoolWorkers(PoolWorkers),
    Asker(Asker),
    EventFollowers(EventFollowers),
}

/// Runs the peer, which reports on stdout, line by line.
pub fn run(peer: &Peer) -> Result<()> {
    match peer {
        Peer::Proxy(proxy) => proxy.run(),
        Peer::Dealers(dealers) => dealers.run(),
        Peer::Feeder(feeder) => feeder.run(),
        Peer::Collector(collector) => collector.run(),
        Peer::Flood(flood) => flood.run(),
        Peer::Steady(steady) => steady.run(),
        Peer::Forwarder(forwarder) => forwarder.run(),
        Peer::PoolWorkers(workers) => workers.run(),
        Peer::Asker(asker) => asker.run(),
        Peer::EventFollowers(followers) => followers.run(),
    }
}

/// Writes a line for the parent process.
fn tell(line: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}

/// Keeps the sockets open until the parent process ends this one, or has ended itself.
fn stay() -> Result<()> {
    std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink())?;
    Ok(())
}
