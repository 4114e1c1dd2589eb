//! The sockets of `[sockets]` that browsers reach: PULL and ROUTER at paths of the public surface, by WebSocket and ZWS.

mod clients;
mod intake;
mod peers;
mod serve;

use super::problem::Problem;
use super::server::head::Head;
use super::websocket::zws::{Decoder, MessageBounds, OwnEnd};
use super::websocket::{Endpoint, Serve, Subprotocol, WebSockets};
use crate::flow::{Client, Command, Health, Inlet, PeerList, Side, Sink, State, Statistics, Status, Surface};
use crate::ledger::{Hop, Reason};
use clients::Clients;
use futures_util::future::BoxFuture;
use intake::Intake;
use peers::Peers;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const PULL: OwnEnd = OwnEnd { kind: "PULL", peers: &["PUSH"] };
const ROUTER: OwnEnd = OwnEnd { kind: "ROUTER", peers: &["DEALER", "REQ", "ROUTER"] };

/// What a socket is opened with.
pub struct ZwsSettings {
    /// Its name.
    pub name: String,
    /// The paths of the public surface that it is at.
    pub paths: Vec<String>,
    /// Where those are: `ws://127.0.0.1:5000`.
    pub place: String,
    /// Frames of a message.
    pub frames_max: usize,
    /// Bytes of a message.
    pub message_bytes_max: usize,
    /// Messages that wait for one peer of a ROUTER.
    pub queue_messages_max: usize,
    /// Their bytes.
    pub peer_queue_bytes_max: usize,
    /// The bytes of those that wait for all peers.
    pub queue_bytes_max: usize,
}

/// Where the messages of a socket are counted.
pub struct ZwsHops {
    /// Those that come in.
    pub reads: Arc<Hop>,
    /// Those that go out, which make it a ROUTER; without them it is a PULL.
    pub writes: Option<Arc<Hop>>,
}

/// A socket that is open, until it is told to end.
pub struct ZwsSocket {
    name: String,
    paths: Vec<String>,
    endpoint: String,
    bounds: MessageBounds,
    websockets: Arc<WebSockets>,
    intake: Intake,
    /// Those of a ROUTER.
    peers: Option<Arc<Peers>>,
    clients: Clients,
    opened: AtomicU64,
    /// Those that are open, for which the end waits.
    tasks: TaskTracker,
    /// Cancelled when it waits no longer.
    given_up: CancellationToken,
}

impl ZwsSocket {
    /// Opens a socket, which no flow reads yet.
    ///
    /// # Errors
    /// When something else has one of its paths; names the socket and the path.
    pub fn open(settings: ZwsSettings, hops: ZwsHops, websockets: &Arc<WebSockets>) -> Result<Arc<Self>, String> {
        let peers = hops.writes.map(|hop| Arc::new(Peers::new(&settings, hop)));
        let endpoints: Vec<_> = settings.paths.iter().map(|path| format!("{}{path}", settings.place)).collect();
        let socket = Arc::new(Self {
            endpoint: endpoints.join(" "),
            bounds: MessageBounds { frames_max: settings.frames_max, bytes_max: settings.message_bytes_max },
            websockets: Arc::clone(websockets),
            intake: Intake::new(hops.reads),
            peers,
            clients: Clients::default(),
            opened: AtomicU64::new(0),
            tasks: TaskTracker::new(),
            given_up: CancellationToken::new(),
            paths: settings.paths,
            name: settings.name,
        });
        let endpoint = Arc::clone(&socket) as Arc<dyn Endpoint>;
        websockets.add(&socket.paths, &endpoint).map_err(|cause| format!("binding {}: {cause}", socket.name))?;
        Ok(socket)
    }

    /// Where its messages go; none if it does not write.
    pub fn sink(&self) -> Option<Arc<dyn Sink>> {
        self.peers.clone().map(|peers| peers as Arc<dyn Sink>)
    }

    /// From now on this flow reads it, of which there is one at most. Without one the socket is not read.
    pub fn set_inlets(&self, inlets: Vec<Arc<Inlet>>) {
        self.intake.set_inlet(inlets.into_iter().next());
    }

    fn own_end(&self) -> OwnEnd {
        if self.peers.is_some() { ROUTER } else { PULL }
    }

    fn hops(&self) -> impl Iterator<Item = &Arc<Hop>> {
        std::iter::once(self.intake.hop()).chain(self.peers.as_ref().map(|peers| peers.hop()))
    }

    fn state(&self) -> State {
        match (self.intake.is_paused(), self.intake.held()) {
            (false, _) => State::Running,
            (true, 0) => State::Paused,
            (true, _) => State::Draining,
        }
    }
}

impl Endpoint for ZwsSocket {
    fn subprotocols(&self) -> &'static [Subprotocol] {
        &[Subprotocol::ZwsNull, Subprotocol::Zws]
    }

    fn message_bytes_max(&self) -> usize {
        // With the byte of flags.
        self.bounds.bytes_max + 1
    }

    fn ends_with_listener(&self) -> bool {
        // A ROUTER still sends what flows make of what came in.
        false
    }

    fn given_up(&self) -> CancellationToken {
        self.given_up.clone()
    }

    fn open(self: Arc<Self>, head: &Head, subprotocol: Subprotocol) -> Result<Serve, Problem> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let token = self.tasks.token();
        let decoder = Decoder::new(subprotocol, self.own_end(), self.bounds);
        let client = Client::new("websocket", subprotocol.name(), head.from);
        Ok(Box::new(move |websocket| {
            Box::pin(async move {
                let ended = self.serve(websocket, decoder, client).await;
                (ended, Box::new(token) as Box<dyn Send>)
            })
        }))
    }
}

impl Surface for ZwsSocket {
    fn name(&self) -> &str {
        &self.name
    }

    fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    fn side(&self) -> Side {
        // A ROUTER has to outlive the flows that write to it. It is read no more once these take nothing in.
        if self.peers.is_some() { Side::Sink } else { Side::Source }
    }

    fn peers(&self) -> Option<PeerList> {
        Some(self.clients.list())
    }

    fn health(&self) -> Health {
        let obstacle = self.intake.is_paused().then(|| format!("the socket {} is paused", self.name));
        Health { state: self.state(), obstacle }
    }

    fn statistics(&self, statistics: &mut Statistics) {
        let mut counted = statistics.of(Some(("socket", &self.name)));
        let open = ("socket_websockets_open", None, "WebSockets of a socket at present");
        counted.gauge(open, self.tasks.len() as u64);
        let opened = ("socket_websockets", None, "WebSockets of a socket that were opened");
        counted.counter(opened, self.opened.load(Ordering::Relaxed));
    }

    fn status(&self) -> Option<Status> {
        Some(Status { state: self.state(), counts: BTreeMap::from([("held_messages", self.intake.held())]) })
    }

    fn command(&self, command: Command) -> Result<(), String> {
        self.intake.pause(match command {
            Command::Pause | Command::Drain => true,
            Command::Resume => false,
        });
        Ok(())
    }

    fn end(self: Arc<Self>, deadline: Instant) -> BoxFuture<'static, u64> {
        self.websockets.remove(&self.paths);
        self.intake.end();
        if let Some(peers) = &self.peers {
            peers.close();
        }
        self.tasks.close();
        Box::pin(async move {
            if timeout_at(deadline.into(), self.tasks.wait()).await.is_err() {
                // From now on it is the host that gives up.
                self.hops().for_each(|hop| hop.close());
                self.given_up.cancel();
                self.tasks.wait().await;
            }
            self.hops().map(|hop| hop.figures().dropped(Reason::Abandoned)).sum()
        })
    }
}
