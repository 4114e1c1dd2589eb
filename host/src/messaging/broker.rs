//! The broker: ROUTER frontend, with the policy behind it.

mod broker_loop;
mod control;
mod core;
pub(crate) mod envelope;
mod frontend;
mod origin;
mod policy;
mod running_calls;
mod surface;

pub use control::BrokerControl;
pub use surface::BrokerSurface;

use self::core::BrokerCore;
use super::curve::Curve;
use super::socket::ipc::IpcAccess;
use super::socket::statistics::SocketStatistics;
use super::socket::{self, BindError};
use crate::config;
use crate::dead_letters::DeadLetters;
use crate::flow::Stage;
use crate::ledger::Hop;
use crate::request_id::RequestIds;
use crate::system::supervisor::Supervisor;
use broker_loop::{BrokerLoop, Parts};
use policy::Policy;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;
use tokio::runtime::Handle;

/// Threads of a broker that have work at the same time: the loop and libzmq's own.
const BUSY_THREADS: usize = 2;

/// What the configuration says of the broker, and what was made of it.
pub struct Settings {
    /// What the surface is called.
    pub name: &'static str,
    /// Where the frontend binds, and the bounds.
    pub messaging: config::Messaging,
    /// How requests are read, and what becomes of replies for which a client has no room.
    pub broker: config::Broker,
    /// What one call of the policy may return.
    pub output_bytes_max: usize,
    /// Who may connect, where the endpoint is in the file system.
    pub ipc: IpcAccess,
    /// Lets in clients with an authorized key alone; none lets in everybody.
    pub curve: Option<Curve>,
}

/// Where the broker counts what it does, and writes what it could not do.
#[derive(Clone, Debug)]
pub struct Hops {
    /// Requests.
    pub policy: Arc<Hop>,
    /// Replies that wait for their time.
    pub schedule: Arc<Hop>,
    /// Replies that are due.
    pub reply: Arc<Hop>,
    /// Requests whose call failed, and replies that cannot be sent.
    pub dead_letters: DeadLetters,
}

/// The handle of the broker's thread.
pub struct Broker {
    endpoint: String,
    control: Arc<BrokerControl>,
    figures: Arc<SocketStatistics>,
    broker_loop: JoinHandle<()>,
}

impl Broker {
    /// Binds the frontend; calls of the policy run on its thread or on `runtime`.
    ///
    /// # Errors
    /// When the system has no thread or descriptor for it, or the endpoint cannot be bound.
    pub fn start(
        settings: Settings,
        policy: Arc<dyn Stage>,
        runtime: Handle,
        hops: Hops,
        request_ids: Arc<RequestIds>,
        supervisor: &Supervisor,
    ) -> Result<Self, BindError> {
        let endpoint = settings.messaging.frontend.to_string();
        let control = Arc::new(BrokerControl::new(settings.messaging.workers));
        let figures = Arc::new(SocketStatistics::after(&hops.reply));
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let dead_letters = hops.dead_letters.clone();
        let core = BrokerCore::new(&settings, policy.name(), processors > BUSY_THREADS, hops, Instant::now());
        let parts = Parts {
            core,
            policy: Policy { stage: policy, request_ids },
            runtime,
            control: Arc::clone(&control),
            figures: Arc::clone(&figures),
            dead_letters,
        };
        let open = move || BrokerLoop::open(&settings, parts);
        let (broker_loop, endpoint) = socket::spawn_owner((supervisor, "broker"), open, BrokerLoop::run)
            .map_err(|cause| BindError { role: "ROUTER", endpoint, cause })?;
        Ok(Self { endpoint, control, figures, broker_loop })
    }

    /// The frontend's endpoint with its real port.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Pauses and resumes the broker, and tells how it does.
    pub fn control(&self) -> &Arc<BrokerControl> {
        &self.control
    }

    /// What the frontend tells of itself.
    pub fn figures(&self) -> &Arc<SocketStatistics> {
        &self.figures
    }

    /// Reads no more requests, lets the calls in flight end, sends the replies that fall due by `deadline`, and closes.
    /// What is not done by then is given up, which the ledger counts. Waits for all that.
    pub fn drain(self, deadline: Instant) {
        self.control.end(deadline);
        // The supervisor tells of a panic.
        let _ = self.broker_loop.join();
    }
}
