//! The streams: all sockets of type SUB, PULL, PAIR and PUSH, which one thread owns.
//!
//! What a socket reads goes into the [`Inlet`]s of flows; one that writes is a [`Sink`](crate::flow::Sink) of flows. Its
//! handle is a [`StreamSocket`]. Sockets are opened and ended while the others run.

mod command;
mod doorbell;
mod intake;
mod opening;
mod outbox;
mod owned_socket;
mod ready;
mod receive;
mod sequence;
mod sink;
mod state;
mod stream_loop;
mod stream_socket;
#[cfg(test)]
mod tests;

pub use stream_socket::StreamSocket;

use super::curve::{ClientKeys, Curve};
use super::socket::ipc::IpcAccess;
use super::socket::statistics::SocketStatistics;
use super::socket::{self, BindError, BindPlace};
use crate::config::{self, OnFull, SocketType};
use crate::flow::Inlet;
use crate::ledger::Hop;
use crate::system::supervisor::Supervisor;
use command::Command;
use doorbell::{Call, Doorbell};
use opening::{Opening, word};
use sink::StreamSink;
use state::SocketState;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use stream_loop::StreamLoop;

/// What all sockets have in common.
#[derive(Clone, Debug)]
pub struct StreamSettings {
    /// The bounds and the timeouts, where a socket has none of its own.
    pub messaging: config::Messaging,
    /// Who may connect to endpoints in the file system.
    pub ipc: IpcAccess,
    /// The host's key and list, for sockets that speak CURVE as a server.
    pub curve: Option<Curve>,
}

/// One socket.
#[derive(Clone, Debug)]
pub struct SocketSettings {
    /// Its name.
    pub name: String,
    /// What the configuration says of it. Its type is any but PUB.
    pub config: config::Socket,
    /// The keys with which it speaks CURVE as a client, where `server_key` is set.
    pub keys: Option<ClientKeys>,
}

/// Where a socket counts its messages. A PAIR that reads and writes has both.
#[derive(Clone, Debug, Default)]
pub struct StreamHops {
    /// What it reads; none if it does not.
    pub reads: Option<Arc<Hop>>,
    /// What it writes; none if it does not.
    pub writes: Option<Arc<Hop>>,
}

/// The handle of the thread that owns the sockets.
pub struct Streams {
    doorbell: Arc<Doorbell>,
    messaging: config::Messaging,
    next_id: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Streams {
    /// Starts the thread, without any socket.
    ///
    /// # Errors
    /// When the system gives no thread or descriptors, or CURVE cannot be set up; says why.
    pub fn start(settings: StreamSettings, supervisor: &Supervisor) -> Result<Self, String> {
        let (doorbell, bell) = Doorbell::new().map_err(|error| format!("making a pipe: {error}"))?;
        let messaging = settings.messaging.clone();
        let open = {
            let (doorbell, supervisor) = (Arc::clone(&doorbell), supervisor.clone());
            move || StreamLoop::open(settings, (doorbell, bell), supervisor).map(|streams| (streams, ()))
        };
        let (thread, ()) = socket::spawn_owner((supervisor, stream_loop::NAME), open, StreamLoop::run)?;
        Ok(Self { doorbell, messaging, next_id: AtomicU64::new(0), thread: Mutex::new(Some(thread)) })
    }

    /// Opens a socket, whose messages these flows read. It is bound when this returns; connections are made from then
    /// on. Blocks, since it looks up the names to bind to.
    ///
    /// # Errors
    /// When it cannot be opened, bound or connected; names the socket, the endpoint and the cause.
    pub fn open(
        &self,
        settings: SocketSettings,
        hops: StreamHops,
        inlets: Vec<Arc<Inlet>>,
    ) -> Result<Arc<StreamSocket>, BindError> {
        let SocketSettings { name, config, keys } = settings;
        let role = format!("{} {name}", word(config.kind));
        let failed = |endpoint: &str, cause| BindError {
            act: "binding",
            role: role.clone(),
            endpoint: endpoint.to_owned(),
            cause,
        };
        let mut places = Vec::new();
        for endpoint in config.bind.iter().filter_map(|endpoint| endpoint.0.as_deref()) {
            let place = BindPlace::look_up(endpoint).map_err(|cause| failed(endpoint, cause))?;
            places.push((endpoint.to_owned(), place));
        }
        let state = Arc::new(self.state(&name.into(), &config, hops));
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let [room, queued, attend] =
            [Call::Room(id), Call::Queued(id), Call::LookedUp(id)].map(|call| self.doorbell.waker(call));
        let opening = Opening { id, state: Arc::clone(&state), config, places, keys, inlets, room, queued, attend };
        let (reply, opened) = mpsc::sync_channel(1);
        self.doorbell.command(Command::Open(Box::new(opening), reply));
        let endpoints = opened.recv().map_err(|mpsc::RecvError| failed("", "the streams have ended".to_owned()))??;
        Ok(Arc::new(StreamSocket::new(id, state, endpoints, Arc::clone(&self.doorbell))))
    }

    fn state(&self, name: &Arc<str>, config: &config::Socket, hops: StreamHops) -> SocketState {
        let reads = hops.reads.filter(|_| matches!(config.kind, SocketType::Sub | SocketType::Pull | SocketType::Pair));
        let writes = hops.writes.filter(|_| matches!(config.kind, SocketType::Push | SocketType::Pair));
        let statistics = writes.as_deref().or(reads.as_deref()).map(SocketStatistics::after).unwrap_or_default();
        let messages_max = config.queue_messages_max.unwrap_or(self.messaging.queue_messages_max);
        let bytes_max = config.queue_bytes_max.unwrap_or(self.messaging.queue_bytes_max);
        let drops = config.on_full == Some(OnFull::DropNewest);
        let sink = writes.map(|hop| Arc::new(StreamSink::new(name, messages_max, bytes_max, drops, hop)));
        SocketState::new(name, statistics, reads, sink, config.sequence.is_some())
    }

    /// Closes what is still open, and waits until what was handed to libzmq has been sent or its time is over. Blocks
    /// until the thread has ended.
    pub fn close(&self) {
        self.doorbell.command(Command::Stop);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The supervisor has reported a panic.
        let _ = thread.map(JoinHandle::join);
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.close();
    }
}
