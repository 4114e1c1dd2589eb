//! The monitor of a socket: which peers are connected, how much is queued to each, which handshakes were refused, and
//! how a peer is cut off.
//!
//! libzmq reports connections on a monitor socket (`zmq_socket_monitor_versioned`), and the depths of its queues there
//! when it is asked for them (`zmq_socket_monitor_pipes_stats`). A received message carries the descriptor of its
//! connection.

mod cut_off;
mod event;
mod event_handling;
mod peer;

pub(crate) use peer::{Descriptor, Peer};

use super::refusals::{self, Refusals};
use super::statistics::{PeerStatistics, SocketStatistics};
use crate::config::{PEER_LOG_INTERVAL_MS, PEER_LOG_LINES_MAX};
use crate::log_limit::LogLimit;
use crate::messaging::socket;
use std::collections::HashMap;
use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use zmq_sys::beyond;

/// How often all peers are polled, for up to so many of them; with more peers proportionally less often.
const INTERVAL: Duration = Duration::from_secs(1);
const PEERS_PER_INTERVAL: u32 = 1_000;

/// What the endpoint of each monitor socket begins with. A number follows, because several watched sockets may share a
/// context.
const ENDPOINT: &str = "inproc://monitor-";

/// What became of a connection that was made from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outgoing {
    /// It is open, and the handshake begins.
    Connected,
    /// It is not open, and libzmq will try again.
    Retried,
    /// It has ended. Depending on the cause, libzmq tries again, or never does.
    Ended,
}

/// The peers of one socket. Belongs to the thread that owns the socket.
pub(crate) struct Monitor {
    surface: Arc<str>,
    events: zmq::Socket,
    statistics: Arc<SocketStatistics>,
    peers: HashMap<Descriptor, Peer>,
    by_endpoint: HashMap<String, Descriptor>,
    /// What became of connections that were made from here, with the endpoints that they go to.
    outgoing: Vec<(String, Outgoing)>,
    /// Peers that were disconnected from here, whose end is told with that of others.
    forgotten: Vec<(Descriptor, Peer)>,
    refusals: Refusals,
    log_limit: LogLimit<(String, &'static str)>,
    handshake_timeout: Duration,
    due: Instant,
}

impl Monitor {
    /// Attaches to a socket, which must not be bound yet: the first connections would be missed. `curve` says whether
    /// the socket speaks CURVE, on which the advice in the log about refused handshakes depends.
    ///
    /// # Errors
    /// When libzmq does not start the monitor, or gives no socket that reads it.
    pub(crate) fn attach(
        context: &zmq::Context,
        socket: &mut zmq::Socket,
        surface: &str,
        curve: bool,
        statistics: Arc<SocketStatistics>,
    ) -> Result<Self, String> {
        beyond::count_lost(socket.as_mut_ptr(), statistics.peer_queues.counts()).map_err(socket::raw_cause)?;
        let handshake_ms = socket.get_handshake_ivl().map_err(socket::cause)?;
        let endpoint = next_endpoint();
        beyond::monitor(socket.as_mut_ptr(), &endpoint, event::ALL).map_err(socket::raw_cause)?;
        let events = context.socket(zmq::PAIR).map_err(socket::cause)?;
        // Without a bound: libzmq would block until there is room, and it sends depths from this very thread.
        events.set_rcvhwm(0).map_err(socket::cause)?;
        events.set_linger(0).map_err(socket::cause)?;
        socket::connect(&events, &endpoint.to_string_lossy())?;
        let surface: Arc<str> = surface.into();
        Ok(Self {
            refusals: Refusals::new(&surface, curve),
            surface,
            events,
            statistics,
            peers: HashMap::new(),
            by_endpoint: HashMap::new(),
            outgoing: Vec::new(),
            forgotten: Vec::new(),
            log_limit: LogLimit::new(PEER_LOG_LINES_MAX, Duration::from_millis(PEER_LOG_INTERVAL_MS)),
            handshake_timeout: Duration::from_millis(handshake_ms.unsigned_abs().into()),
            due: Instant::now() + INTERVAL,
        })
    }

    pub(crate) fn as_poll_item(&self) -> zmq::PollItem<'_> {
        self.events.as_poll_item(zmq::POLLIN)
    }

    /// The descriptor that is readable when libzmq has sent an event.
    ///
    /// # Errors
    /// When libzmq does not say.
    pub(crate) fn descriptor(&self) -> zmq::Result<Descriptor> {
        self.events.get_fd()
    }

    /// What has become of connections that were made from here, since it was last asked for.
    pub(crate) fn take_outgoing(&mut self) -> Vec<(String, Outgoing)> {
        std::mem::take(&mut self.outgoing)
    }

    /// The socket was disconnected from this remote endpoint, of which libzmq reports nothing more.
    pub(crate) fn forget(&mut self, remote: &str) {
        let descriptor = self.by_endpoint.get(remote).copied();
        let is_outgoing = |descriptor: &Descriptor| self.peers.get(descriptor).is_some_and(|peer| peer.is_outgoing);
        if let Some(descriptor) = descriptor.filter(is_outgoing)
            && let Some(peer) = self.peers.remove(&descriptor)
        {
            self.by_endpoint.remove(remote);
            self.statistics.remove_peer(descriptor);
            self.forgotten.push((descriptor, peer));
        }
    }

    /// The peer behind a descriptor.
    pub(crate) fn peer(&self, descriptor: Descriptor) -> Option<&Peer> {
        self.peers.get(&descriptor)
    }

    /// If a log line about what a peer did is to be written, returns how many like it were not since the last one.
    /// Lines are limited for each host and text, because a peer decides how often it does something.
    pub(crate) fn admit_line(&mut self, address: &str, what: &'static str) -> Option<u64> {
        self.log_limit.admit((refusals::host(address).to_owned(), what), Instant::now())
    }

    /// Changes what is known of a peer, and its statistics with it.
    pub(crate) fn update(&mut self, descriptor: Descriptor, change: impl FnOnce(&mut Peer)) {
        let Some(peer) = self.peers.get_mut(&descriptor) else { return };
        change(peer);
        // Over `ipc` all peers have the same endpoint, so the event may have been taken for that of another one.
        peer.established |= peer.has_subscribed || peer.identity.is_some();
        if peer.established {
            let statistics = PeerStatistics {
                address: peer.address().to_owned(),
                key: peer.key.clone(),
                identity: peer.identity.clone(),
                connected_at: peer.connected_at,
                is_outgoing: peer.is_outgoing,
                subscriptions: peer.subscriptions,
                queue_messages: peer.queue_messages,
                queue_bytes: peer.queue_bytes,
            };
            self.statistics.put_peer(descriptor, statistics);
        }
    }

    fn update_by_endpoint(&mut self, remote: &str, change: impl FnOnce(&mut Peer)) {
        if let Some(descriptor) = self.by_endpoint.get(remote) {
            self.update(*descriptor, change);
        }
    }

    /// If it is due, asks libzmq for the depths of its queues, and ends connections that made no handshake in time.
    pub(crate) fn poll_peers(&mut self, socket: &mut zmq::Socket, now: Instant) {
        if now >= self.due {
            let share = u32::try_from(self.peers.len()).unwrap_or(u32::MAX).div_ceil(PEERS_PER_INTERVAL).max(1);
            self.due = now + INTERVAL * share;
            self.ask_depths(socket);
            self.end_overdue(now);
        }
    }

    /// When [`Monitor::poll_peers`] has something to do again.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Asks libzmq for the depths of its queues. They come with the next [`Monitor::receive_events`].
    pub(crate) fn ask_depths(&self, socket: &mut zmq::Socket) {
        match beyond::pipes_stats(socket.as_mut_ptr()) {
            // There are no peers.
            Ok(()) | Err(zmq_sys::errno::EAGAIN) => {}
            Err(code) => {
                tracing::warn!(surface = &*self.surface, cause = socket::raw_cause(code), "asking for queue depths");
            }
        }
    }

    /// The connections for which `matches` says so.
    pub(crate) fn select(&self, matches: impl Fn(&Peer) -> bool) -> Vec<Descriptor> {
        self.peers.iter().filter(|(_, peer)| matches(peer)).map(|(descriptor, _)| *descriptor).collect()
    }
}

fn next_endpoint() -> CString {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    CString::new(format!("{ENDPOINT}{number}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// libzmq would crash, and the test with it, if it was asked at the wrong moment.
    #[test]
    fn depths_are_asked_for_while_peers_come_and_go() {
        let seconds = std::env::var("TIDEGATE_STORM_SECONDS").map_or(2, |text| text.parse().expect("seconds"));
        for kind in [zmq::XPUB, zmq::ROUTER] {
            let context = zmq::Context::new();
            let mut socket = context.socket(kind).expect("a socket");
            socket.set_linger(0).expect("linger");
            let mut monitor = Monitor::attach(&context, &mut socket, "test", false, Arc::default()).expect("a monitor");
            let endpoint = socket::bind(&socket, "tcp://127.0.0.1:*").expect("a free port");
            let over = AtomicBool::new(false);
            let (mut asked, mut gone) = (0, 0);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        while !over.load(Ordering::Relaxed) {
                            let peer =
                                zmq::Context::new().socket(if kind == zmq::XPUB { zmq::SUB } else { zmq::DEALER });
                            let peer = peer.expect("a socket");
                            peer.set_linger(0).expect("linger");
                            if kind == zmq::XPUB {
                                peer.set_subscribe(b"").expect("a subscription");
                            }
                            peer.connect(&endpoint).expect("a connection");
                            if kind == zmq::ROUTER {
                                let _ = peer.send("x", zmq::DONTWAIT);
                            }
                            std::thread::sleep(Duration::from_micros(700));
                        }
                    });
                }
                let began = Instant::now();
                while began.elapsed() < Duration::from_secs(seconds) {
                    monitor.ask_depths(&mut socket);
                    socket.get_events().expect("events");
                    while socket::receive_now(&socket, usize::MAX).expect("a message").is_some() {}
                    gone += monitor.receive_events().expect("heard").len();
                    asked += 1;
                }
                over.store(true, Ordering::Relaxed);
            });
            println!("{gone} peers went, depths were asked for {asked} times");
            assert!(gone > 10, "{gone}");
        }
    }
}
