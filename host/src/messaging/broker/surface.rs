//! The broker as a surface of the host.

use super::{Broker, BrokerControl, Hops};
use crate::flow::{Command, Health, PeerList, Side, State, Statistics, Status, Surface};
use crate::ledger::{Hop, Reason};
use crate::messaging::socket::statistics::SocketStatistics;
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A broker that runs, until it is told to end.
pub struct BrokerSurface {
    name: &'static str,
    endpoint: String,
    control: Arc<BrokerControl>,
    figures: Arc<SocketStatistics>,
    hops: [Arc<Hop>; 3],
    broker: Mutex<Option<Broker>>,
}

impl BrokerSurface {
    /// `name` and `hops` are those that the broker was started with.
    pub fn new(name: &'static str, broker: Broker, hops: &Hops) -> Self {
        Self {
            name,
            endpoint: broker.endpoint().to_owned(),
            control: Arc::clone(broker.control()),
            figures: Arc::clone(broker.figures()),
            hops: [&hops.policy, &hops.schedule, &hops.reply].map(Arc::clone),
            broker: Mutex::new(Some(broker)),
        }
    }
}

impl Surface for BrokerSurface {
    fn name(&self) -> &str {
        self.name
    }

    fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    fn side(&self) -> Side {
        Side::Source
    }

    fn peers(&self) -> Option<PeerList> {
        Some(self.figures.peer_list())
    }

    fn health(&self) -> Health {
        let state = self.control.state();
        let obstacle = match state {
            State::Running => {
                self.control.obstacle().map(|obstacle| format!("the frontend reads no requests: {obstacle}"))
            }
            State::Paused => Some("the broker is paused".to_owned()),
            State::Draining => Some("the broker is draining".to_owned()),
            State::Drained => Some("the broker is drained".to_owned()),
        };
        Health { state, obstacle }
    }

    fn statistics(&self, statistics: &mut Statistics) {
        self.figures.add_to(statistics, self.name());
    }

    fn status(&self) -> Option<Status> {
        Some(self.control.status())
    }

    fn command(&self, command: Command) -> Result<(), String> {
        self.control.command(command)
    }

    fn end(self: Arc<Self>, deadline: Instant) -> BoxFuture<'static, u64> {
        let broker = self.broker.lock().unwrap_or_else(PoisonError::into_inner).take();
        let drained = broker.map(|broker| tokio::task::spawn_blocking(move || broker.drain(deadline)));
        Box::pin(async move {
            if let Some(drained) = drained {
                let _ = drained.await;
            }
            self.hops.iter().map(|hop| hop.figures().dropped(Reason::Abandoned)).sum()
        })
    }
}
