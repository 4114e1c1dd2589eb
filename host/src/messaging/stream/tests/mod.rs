//! The streams with real sockets as their peers.

mod changes;
mod hostile;
mod reading;
mod writing;

use super::*;
use crate::config::{Endpoint, Messaging};
use crate::flow::{Entered, Frames, Message, OfferError, Receipt, Surface};
use crate::ledger::Reason;
use std::future::poll_fn;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);

/// Streams with the hops of one socket and of one flow.
struct Fixture {
    supervisor: Supervisor,
    streams: Streams,
    reads: Arc<Hop>,
    writes: Arc<Hop>,
    flow: Arc<Hop>,
}

impl Fixture {
    fn new() -> Self {
        Self::with(Messaging::default(), None)
    }

    fn with(messaging: Messaging, curve: Option<Curve>) -> Self {
        let (supervisor, ipc) = (Supervisor::default(), IpcAccess { mode: 0o700, group: None });
        let streams = Streams::start(StreamSettings { messaging, ipc, curve }, &supervisor).expect("a thread");
        Self { supervisor, streams, reads: Arc::default(), writes: Arc::default(), flow: Arc::default() }
    }

    fn hops(&self) -> StreamHops {
        StreamHops { reads: Some(Arc::clone(&self.reads)), writes: Some(Arc::clone(&self.writes)) }
    }

    fn inlet(&self, messages_max: usize) -> Arc<Inlet> {
        Arc::new(Inlet::new("source", Arc::clone(&self.flow), messages_max, usize::MAX))
    }

    fn open(&self, config: config::Socket, inlets: Vec<Arc<Inlet>>) -> Arc<StreamSocket> {
        self.streams.open(settings(config), self.hops(), inlets).expect("it is opened")
    }

    fn end(&self, socket: Arc<StreamSocket>, within: Duration) -> u64 {
        block_on(socket.end(Instant::now() + within))
    }

    /// Nothing has died, and all counts balance.
    fn check(&self) {
        assert_eq!(self.supervisor.deaths(), []);
        for hop in [&self.reads, &self.writes, &self.flow] {
            assert!(hop.figures().balanced(), "{:?}", hop.figures());
        }
    }
}

fn settings(config: config::Socket) -> SocketSettings {
    SocketSettings { name: "the-socket".to_owned(), config, keys: None }
}

fn bound(kind: SocketType, endpoint: &str) -> config::Socket {
    config::Socket { bind: vec![Endpoint(Some(endpoint.to_owned()))], ..empty(kind) }
}

fn connected(kind: SocketType, endpoint: &str) -> config::Socket {
    config::Socket { connect: vec![Endpoint(Some(endpoint.to_owned()))], ..empty(kind) }
}

fn empty(kind: SocketType) -> config::Socket {
    config::Socket {
        kind,
        bind: Vec::new(),
        connect: Vec::new(),
        subscribe: Vec::new(),
        curve: None,
        server_key: None,
        sequence: None,
        on_full: None,
        queue_messages_max: None,
        queue_bytes_max: None,
        peer_queue_bytes_max: None,
    }
}

/// A socket of somebody else.
fn peer(kind: zmq::SocketType) -> zmq::Socket {
    let socket = zmq::Context::new().socket(kind).expect("a socket");
    socket.set_rcvtimeo(SOON.as_millis() as i32).expect("a timeout");
    socket.set_sndtimeo(SOON.as_millis() as i32).expect("a timeout");
    socket.set_linger(0).expect("a linger");
    socket.set_sndhwm(0).expect("a bound");
    socket.set_ipv6(true).expect("IPv6");
    socket
}

fn bound_peer(kind: zmq::SocketType) -> (zmq::Socket, String) {
    let socket = peer(kind);
    socket.bind("tcp://127.0.0.1:*").expect("a free port");
    let endpoint = socket.get_last_endpoint().expect("an endpoint").expect("a text");
    (socket, endpoint)
}

fn connected_peer(kind: zmq::SocketType, socket: &StreamSocket) -> zmq::Socket {
    let peer = peer(kind);
    if kind == zmq::SUB {
        peer.set_subscribe(b"").expect("a subscription");
    }
    peer.connect(&socket.endpoints()[0]).expect("a connection");
    peer
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(SOON, future).await.expect("it takes too long") })
}

/// The next message that comes into a flow.
fn next(inlet: &Inlet) -> Entered {
    block_on(poll_fn(|context| inlet.poll_take(context))).expect("the inlet is open")
}

/// The same, processed.
fn take(inlet: &Inlet) -> Message {
    let Entered { message, passage, .. } = next(inlet);
    passage.out();
    message
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < SOON, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A message with a number in its first frame, of one to five frames.
fn numbered(number: u64) -> Vec<Vec<u8>> {
    let mut frames = vec![number.to_be_bytes().to_vec()];
    frames.extend((0..number % 5).map(|length| vec![b'x'; length as usize * 20]));
    frames
}

fn message(frames: &[Vec<u8>]) -> Message {
    Message { frames: frames.iter().map(|frame| frame.clone().into()).collect(), ..Message::default() }
}

fn plain(frames: &Frames) -> Vec<Vec<u8>> {
    frames.iter().map(|frame| frame.to_vec()).collect()
}
