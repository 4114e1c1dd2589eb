//! Processes of the comparisons that are this program started again: libzmq's own proxy, and the clients of libzmq.

mod collector;
mod dealers;
mod feeder;
mod process;
mod proxy;

pub use collector::Collector;
pub use dealers::{Dealers, Exchanged};
pub use feeder::{Feeder, MESSAGE_BYTES};
pub use process::Process;
pub use proxy::Proxy;

use anyhow::Result;
use clap::Subcommand;
use std::io::Write;

/// What the program is when it is started again.
#[derive(Subcommand)]
pub enum Peer {
    Proxy(Proxy),
    Dealers(Dealers),
    Feeder(Feeder),
    Collector(Collector),
}

/// Does the peer's work, which it tells of on stdout, line by line.
pub fn run(peer: &Peer) -> Result<()> {
    match peer {
        Peer::Proxy(proxy) => proxy.run(),
        Peer::Dealers(dealers) => dealers.run(),
        Peer::Feeder(feeder) => feeder.run(),
        Peer::Collector(collector) => collector.run(),
    }
}

/// Tells whoever started this process.
fn tell(line: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}

/// Keeps the sockets open until whoever started this process ends it, or has ended itself.
fn stay() -> Result<()> {
    std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink())?;
    Ok(())
}
