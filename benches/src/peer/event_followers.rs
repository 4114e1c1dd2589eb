//! Clients of `/events` that follow one topic.

use crate::event_client::EventClient;
use anyhow::{Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often all of them take what has come.
const LOOK: Duration = Duration::from_millis(5);
/// If nothing comes to anyone for this long, nothing will.
const PATIENCE: Duration = Duration::from_secs(20);

/// Opens streams, and reads them until a number of messages has come to each.
#[derive(Args)]
pub struct EventFollowers {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    topic: String,
    #[arg(long)]
    clients: usize,
    #[arg(long)]
    messages: u64,
    /// So many further ones are opened and never read
    #[arg(long, default_value_t = 0)]
    stopped: usize,
}

/// What came to those that read.
#[derive(Deserialize, Serialize)]
pub struct Followed {
    pub delivered: u64,
    /// What did not come, or not in its order.
    pub missed: u64,
}

impl EventFollowers {
    pub fn arguments(address: SocketAddr, topic: &str, clients: usize, messages: u64, stopped: usize) -> [String; 6] {
        [
            "event-followers".to_owned(),
            format!("--address={address}"),
            format!("--topic={topic}"),
            format!("--clients={clients}"),
            format!("--messages={messages}"),
            format!("--stopped={stopped}"),
        ]
    }

    pub(super) fn run(&self) -> Result<()> {
        let open = |count| (0..count).map(|_| EventClient::open(self.address, &self.topic)).collect::<Result<Vec<_>>>();
        let stopped = open(self.stopped)?;
        let mut clients = open(self.clients)?;
        super::tell("ready")?;
        let followed = self.follow(&mut clients)?;
        super::tell(&format!("end {}", serde_json::to_string(&followed)?))?;
        super::stay()?;
        drop(stopped);
        Ok(())
    }

    fn follow(&self, clients: &mut [EventClient]) -> Result<Followed> {
        let (mut delivered, mut last) = (0, Instant::now());
        while clients.iter().any(|client| client.messages < self.messages && !client.has_ended) {
            sleep(LOOK);
            clients.iter_mut().try_for_each(EventClient::take)?;
            let now = clients.iter().map(|client| client.messages).sum();
            if now > delivered {
                (delivered, last) = (now, Instant::now());
            }
            ensure!(last.elapsed() < PATIENCE, "{delivered} messages came to all clients together, and no more do");
        }
        let missed = clients.iter().map(|client| self.messages.abs_diff(client.messages) + client.out_of_order).sum();
        Ok(Followed { delivered, missed })
    }
}
