//! The broker: a ROUTER frontend, and the reply policy that answers its requests.

mod broker_loop;
mod control;
mod core;
pub(crate) mod envelope;
mod frontend;
mod origin;
mod policy;
mod running_calls;
mod surface;
mod tap;

pub use control::BrokerControl;
pub use surface::BrokerSurface;

use self::core::BrokerCore;
use super::curve::Curve;
use super::socket::ipc::IpcAccess;
use super::socket::statistics::SocketStatistics;
use super::socket::{self, BindError, Reservation};
use crate::config;
use crate::flow::{Recording, Stage, Taps};
use crate::ledger::Hop;
use crate::record::dead_letters::DeadLetters;
use crate::request_id::RequestIds;
use crate::system::supervisor::Supervisor;
use crate::traces::Tracer;
use broker_loop::{BrokerLoop, Parts};
use policy::Policy;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;
use tap::Tap;
use tokio::runtime::Handle;

/// How many threads of a broker are busy under load: the loop, and the I/O thread of libzmq.
const BUSY_THREADS: usize = 2;

/// What the configuration says of the broker, and what was made of it.
pub struct Settings {
    /// What the surface is called.
    pub name: &'static str,
    /// Where the frontend binds, and the bounds.
    pub messaging: config::Messaging,
    /// How envelopes are read, and what happens to replies for which a client has no room.
    pub broker: config::Broker,
    /// How many bytes one call of the policy may return.
    pub output_bytes_max: usize,
    /// Who may connect, where the endpoint is in the file system.
    pub ipc: IpcAccess,
    /// Admits only clients with an authorized key; without it every client is admitted.
    pub curve: Option<Curve>,
}

/// The hops of the broker, its dead letters and its traces.
#[derive(Clone, Debug)]
pub struct Hops {
    /// Requests.
    pub policy: Arc<Hop>,
    /// Replies that wait for their delay.
    pub schedule: Arc<Hop>,
    /// Replies that are due.
    pub reply: Arc<Hop>,
    /// Gets requests whose call failed, and replies that cannot be sent.
    pub dead_letters: DeadLetters,
    /// Begins a span for each request.
    pub tracer: Tracer,
    /// Where whoever watches sees requests and replies.
    pub taps: Taps,
    /// Where calls of the policy are recorded.
    pub recording: Recording,
}

/// The handle of the broker's thread.
pub struct Broker {
    endpoint: String,
    control: Arc<BrokerControl>,
    statistics: Arc<SocketStatistics>,
    broker_loop: JoinHandle<()>,
}

/// The kind of socket that a broker binds.
const ROLE: &str = "ROUTER";

impl Broker {
    /// Takes the port of a frontend that is opened later.
    ///
    /// # Errors
    /// When the endpoint cannot be bound.
    pub fn reserve(endpoint: &str) -> Result<Reservation, BindError> {
        let failed = |cause| BindError { act: "binding", role: ROLE.to_owned(), endpoint: endpoint.to_owned(), cause };
        Reservation::of(endpoint).map_err(failed)
    }

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
        let statistics = Arc::new(SocketStatistics::after(&hops.reply));
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let (dead_letters, tap) =
            (hops.dead_letters.clone(), Tap::new(policy.name(), hops.taps.clone(), hops.recording.clone()));
        let core = BrokerCore::new(&settings, policy.name(), processors > BUSY_THREADS, hops, Instant::now());
        let parts = Parts {
            core,
            policy: Policy { stage: policy, request_ids, tap: tap.clone() },
            tap,
            runtime,
            control: Arc::clone(&control),
            statistics: Arc::clone(&statistics),
            dead_letters,
        };
        let open = move || BrokerLoop::open(&settings, parts);
        let (broker_loop, endpoint) = socket::spawn_owner((supervisor, "broker"), open, BrokerLoop::run)
            .map_err(|cause| BindError { act: "binding", role: ROLE.to_owned(), endpoint, cause })?;
        Ok(Self { endpoint, control, statistics, broker_loop })
    }

    /// The frontend's endpoint with its real port.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// For commands to the broker, and its status.
    pub fn control(&self) -> &Arc<BrokerControl> {
        &self.control
    }

    /// The statistics of the frontend.
    pub fn figures(&self) -> &Arc<SocketStatistics> {
        &self.statistics
    }

    /// Reads no more requests, lets the calls in flight end, sends the replies that fall due by `deadline`, and closes.
    /// What is not done by then is abandoned, which the ledger counts. Blocks until the broker has ended.
    pub fn drain(self, deadline: Instant) {
        self.control.end(deadline);
        // The supervisor has reported a panic.
        let _ = self.broker_loop.join();
    }
}
