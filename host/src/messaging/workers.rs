//! Pools of workers: a ROUTER that workers connect to, or a DEALER that REP workers connect to, and who of them has which
//! message.

mod codec;
mod control;
mod core;
mod counts;
mod pool_loop;
mod pool_socket;
mod protocol;
mod reply;
mod stage;
mod surface;
#[cfg(test)]
mod tests;

#[cfg(fuzzing)]
pub use codec::fuzzing::answer;

use super::curve::Curve;
use super::socket::ipc::IpcAccess;
use super::socket::statistics::SocketStatistics;
use super::socket::{self, BindError};
use crate::config::{self, Endpoint, QueueBounds, WorkerProtocol};
use crate::flow::Stage;
use crate::ledger::Hop;
use crate::system::supervisor::Supervisor;
use control::PoolControl;
use pool_loop::PoolLoop;
use stage::PoolStage;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What the configuration says of a pool, and what was made of it.
pub struct PoolSettings {
    /// What the surface is called: `workers.NAME`.
    pub name: String,
    /// What is said of it.
    pub config: config::WorkerPool,
    /// The bounds of its socket and of its queue.
    pub messaging: config::Messaging,
    /// Who may connect, where an endpoint is in the file system.
    pub ipc: IpcAccess,
    /// Admits only workers with an authorized key; without it every worker is admitted.
    pub curve: Option<Curve>,
}

impl PoolSettings {
    fn is_rep(&self) -> bool {
        self.config.protocol == WorkerProtocol::Rep
    }

    /// The error of a pool that cannot be bound at an endpoint, or, by its first one, at all.
    fn not_bound(&self, endpoint: Option<&Endpoint>, cause: String) -> BindError {
        let role = format!("{} {}", if self.is_rep() { "DEALER" } else { "ROUTER" }, self.name);
        BindError { act: "binding", role, endpoint: endpoint.map(ToString::to_string).unwrap_or_default(), cause }
    }
}

/// The hops of a pool.
#[derive(Clone, Debug)]
pub struct PoolHops {
    /// Messages for workers.
    pub messages: Arc<Hop>,
    /// What workers answer.
    pub answers: Arc<Hop>,
}

/// A pool that runs, until it is told to end.
pub struct WorkerPool {
    control: Arc<PoolControl>,
    endpoints: Vec<String>,
    hops: PoolHops,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl WorkerPool {
    /// Binds the socket. Blocks until that is done.
    ///
    /// # Errors
    /// When the system has no thread or descriptor for it, or an endpoint cannot be bound.
    pub fn open(settings: PoolSettings, hops: PoolHops, supervisor: &Supervisor) -> Result<Arc<Self>, BindError> {
        let (name, config) = (settings.name.clone(), settings.config.clone());
        let config::Messaging { queue_messages_max, queue_bytes_max, .. } = settings.messaging;
        let queue = QueueBounds { messages_max: queue_messages_max, bytes_max: queue_bytes_max };
        let not_started = settings.not_bound(config.bind.first(), String::new());
        let control = Arc::new(PoolControl::new(name.clone(), config, queue, SocketStatistics::after(&hops.messages)));
        let (of_loop, answers) = (Arc::clone(&control), Arc::clone(&hops.answers));
        let open = move || PoolLoop::open(&settings, of_loop, answers).map_err(Opening::Bind);
        let opened = socket::spawn_owner((supervisor, &name), open, PoolLoop::run);
        let (thread, endpoints) = opened.map_err(|error| match error {
            Opening::Bind(error) => error,
            Opening::Thread(cause) => BindError { cause, ..not_started },
        })?;
        Ok(Arc::new(Self { control, endpoints, hops, thread: Mutex::new(Some(thread)) }))
    }

    /// The workers as a stage, for messages of which a second worker may get one if the first is lost, or not.
    pub fn stage(&self, is_idempotent: bool) -> Arc<dyn Stage> {
        let (control, hop) = (Arc::clone(&self.control), Arc::clone(&self.hops.messages));
        Arc::new(PoolStage { control, hop, is_idempotent })
    }
}

/// Why a pool was not opened.
enum Opening {
    Bind(BindError),
    Thread(String),
}

impl From<String> for Opening {
    fn from(cause: String) -> Self {
        Self::Thread(cause)
    }
}
