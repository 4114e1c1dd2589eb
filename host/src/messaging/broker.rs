//! The broker: ROUTER frontend, backend and N workers, with the policy behind them.

mod backend;
mod broker_loop;
mod client_shares;
mod control;
mod dispatch;
pub(crate) mod envelope;
mod exchange;
mod frontend;
mod origin;
mod outbox;
mod pace;
mod policy;
mod schedule;
mod waiting_replies;
mod worker;

pub use control::{BrokerControl, BrokerState, BrokerStatus};

use super::curve::Curve;
use super::socket::figures::SocketFigures;
use super::socket::ipc::IpcAccess;
use super::socket::{self, BindError};
use crate::byte_budget::ByteBudget;
use crate::config::{EnvelopeKind, OnFull};
use crate::dead_letters::DeadLetters;
use crate::ledger::Hop;
use crate::plugin::Slot;
use crate::request_id::RequestIds;
use backend::Backend;
use broker_loop::{BrokerLoop, Parts};

use dispatch::Dispatch;
use policy::Policy;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use worker::Worker;

/// Where the broker binds, and its bounds.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of the frontend, such as `tcp://127.0.0.1:5570`.
    pub endpoint: String,
    /// How many calls of the policy run at a time.
    pub workers: usize,
    /// The largest frame of a request in bytes; libzmq closes the connection of a client that sends a larger one.
    pub frame_bytes_max: usize,
    /// The most frames that a request may have after its envelope, and the most identities in that.
    pub frames_max: usize,
    /// With so many replies waiting for their time no request is read; and libzmq holds as many for one slow client.
    pub queue_messages_max: usize,
    /// The same of their bytes, and of what calls that run may return; and of the bytes of requests that wait for a call.
    pub queue_bytes_max: usize,
    /// The bytes that libzmq holds for one slow client, and of requests that one client has waiting.
    pub peer_queue_bytes_max: usize,
    /// What one call may return.
    pub output_bytes_max: usize,
    /// What becomes of a reply for which its client has no room.
    pub on_full: OnFull,
    /// Where the envelope of a request ends.
    pub envelope: EnvelopeKind,
    /// Who may connect, where the endpoint is in the file system.
    pub ipc: IpcAccess,
    /// How often a silent connection is asked whether it is still there; zero for never.
    pub heartbeat: Duration,
    /// How long a client may take for its handshake.
    pub handshake_timeout: Duration,
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

/// The handle of the broker's threads: the one that owns the frontend, and the workers.
pub struct Broker {
    endpoint: String,
    control: Arc<BrokerControl>,
    figures: Arc<SocketFigures>,
    backend: Arc<Backend>,
    give_up: CancellationToken,
    broker_loop: JoinHandle<()>,
    workers: Vec<JoinHandle<()>>,
}

impl Broker {
    /// Binds the frontend and starts the workers; calls of the policy run on `runtime`.
    pub fn start(
        settings: Settings,
        policy: Arc<Slot>,
        runtime: Handle,
        hops: Hops,
        request_ids: Arc<RequestIds>,
    ) -> Result<Self, BindError> {
        let context = zmq::Context::new();
        let endpoint = settings.endpoint.clone();
        let failed = |cause: String| BindError { role: "ROUTER", endpoint: endpoint.clone(), cause };
        let budget = ByteBudget::new(settings.queue_bytes_max);
        let (backend, bell) = Backend::open(budget, settings.output_bytes_max)
            .map_err(|error| failed(format!("making a pipe: {error}")))?;
        let backend = Arc::new(backend);
        let control = Arc::new(BrokerControl::new(context.clone(), settings.workers));
        let figures = Arc::new(SocketFigures::after(&hops.reply));
        let give_up = CancellationToken::new();
        let policy = Policy { slot: policy, request_ids, dead_letters: hops.dead_letters.clone() };
        let worker = Worker {
            backend: Arc::clone(&backend),
            policy: policy.clone(),
            runtime: runtime.clone(),
            give_up: give_up.clone(),
        };
        let (workers, bytes_max) = (settings.workers, settings.queue_bytes_max);

        let parts = Parts {
            settings,
            hops,
            control: Arc::clone(&control),
            figures: Arc::clone(&figures),
            dispatch: Dispatch::new(Arc::clone(&backend), bell, policy, workers, bytes_max),
            runtime,
        };
        let open = move || BrokerLoop::open(&context, parts);
        let (broker_loop, endpoint) = socket::spawn_owner("broker", open, BrokerLoop::run).map_err(failed)?;
        let mut broker = Self { endpoint, control, figures, backend, give_up, broker_loop, workers: Vec::new() };
        for index in 0..workers {
            let worker = worker.clone();
            match thread::Builder::new().name(format!("worker-{index}")).spawn(move || worker.run()) {
                Ok(thread) => broker.workers.push(thread),
                Err(error) => {
                    let endpoint = broker.endpoint.clone();
                    broker.drain(Instant::now());
                    return Err(BindError { role: "ROUTER", endpoint, cause: format!("starting a worker: {error}") });
                }
            }
        }
        Ok(broker)
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
    pub fn figures(&self) -> &Arc<SocketFigures> {
        &self.figures
    }

    /// Reads no more requests, lets the calls in flight end, sends the replies that fall due by `deadline`, and closes.
    /// What is not done by then is given up, which the ledger counts. Waits for all that.
    pub fn drain(self, deadline: Instant) {
        if let Err(cause) = self.control.end(deadline) {
            tracing::error!(cause, "commanding the broker to end");
        }
        join(self.broker_loop, "broker");
        self.give_up.cancel();
        self.backend.end();
        if let Some(context) = self.control.take_context() {
            socket::terminate(context);
        }
        for worker in self.workers {
            join(worker, "worker");
        }
    }
}

fn join(thread: JoinHandle<()>, name: &str) {
    if thread.join().is_err() {
        tracing::error!(thread = name, "thread panicked");
    }
}
