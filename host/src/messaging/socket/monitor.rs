//! The monitor of a socket: who is connected, how much is queued to each, who was refused, and how to be rid of one.
//!
//! libzmq tells of connections on a socket of its own, and of the depth of its queues when it is asked
//! (`zmq_socket_monitor_versioned`, `zmq_socket_monitor_pipes_stats`). A message names the descriptor that it came by.

use super::event;
use super::event::Event;
use super::refusals::{self, Refusal, Refusals};
use super::statistics::{PeerStatistics, SocketStatistics};
use crate::config::{PEER_LOG_INTERVAL_MS, PEER_LOG_LINES_MAX};
use crate::log_limit::LogLimit;
use crate::messaging::socket;
use std::collections::HashMap;
use std::ffi::CStr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use zmq_sys::connection::{self, Unsent};
use zmq_sys::{accept, beyond};

/// How often all peers are looked at, if they are not more than so many; with more of them in proportion less often.
const INTERVAL: Duration = Duration::from_secs(1);
const PEERS_PER_INTERVAL: u32 = 1_000;

/// One per context: each watched socket has a context of its own.
const ENDPOINT: &CStr = c"inproc://monitor";

/// Number of a descriptor of libzmq's; what names a connection while it lasts.
pub(crate) type Descriptor = i32;

/// What is known of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// As libzmq writes it: `tcp://127.0.0.1:40112`.
    pub(super) endpoint: String,
    /// Its CURVE key, as soon as a message of it was received.
    pub(crate) key: Option<String>,
    /// The identity under which the frontend sends to it, as soon as a message of it was received.
    pub(crate) identity: Option<Vec<u8>>,
    /// How many subscriptions it has.
    pub(crate) subscriptions: u64,
    /// It has subscribed to something, whether or not it still does.
    pub(crate) has_subscribed: bool,
    /// Messages queued to it when that was last looked at, their bytes, and whether that is all that has room.
    pub(crate) queue_messages: u64,
    pub(super) queue_bytes: u64,
    pub(crate) is_full: bool,
    accepted: Instant,
    /// Its handshake is over.
    established: bool,
    /// Its handshake failed.
    refused: bool,
    /// Its connection was ended here, and libzmq has not yet taken note.
    ending: bool,
}

impl Peer {
    /// The address and port alone.
    pub(crate) fn address(&self) -> &str {
        address(&self.endpoint)
    }

    /// The same; none over `ipc`.
    fn socket_address(&self) -> Option<SocketAddr> {
        socket_address(self.address())
    }
}

/// The peers of one socket. Belongs to the thread that owns the socket.
pub(crate) struct Monitor {
    surface: &'static str,
    events: zmq::Socket,
    figures: Arc<SocketStatistics>,
    peers: HashMap<Descriptor, Peer>,
    by_endpoint: HashMap<String, Descriptor>,
    refusals: Refusals,
    lines: LogLimit<(String, &'static str)>,
    handshake_timeout: Duration,
    due: Instant,
}

impl Monitor {
    /// Attaches to a socket, which must not be bound yet: the first connections would be missed. `curve` says whether the
    /// socket speaks CURVE, on which the advice in the log about refused handshakes depends.
    ///
    /// # Errors
    /// When libzmq does not start the monitor, or gives no socket that reads it.
    pub(crate) fn attach(
        context: &zmq::Context,
        socket: &mut zmq::Socket,
        surface: &'static str,
        curve: bool,
        figures: Arc<SocketStatistics>,
    ) -> Result<Self, String> {
        beyond::count_lost(socket.as_mut_ptr(), figures.peer_queues.counts()).map_err(socket::raw_cause)?;
        let handshake_ms = socket.get_handshake_ivl().map_err(socket::cause)?;
        beyond::monitor(socket.as_mut_ptr(), ENDPOINT, event::ALL).map_err(socket::raw_cause)?;
        let events = context.socket(zmq::PAIR).map_err(socket::cause)?;
        // Without a bound: libzmq would wait for room, on this very thread when it tells of depths.
        events.set_rcvhwm(0).map_err(socket::cause)?;
        events.set_linger(0).map_err(socket::cause)?;
        socket::connect(&events, &ENDPOINT.to_string_lossy())?;
        Ok(Self {
            surface,
            events,
            figures,
            peers: HashMap::new(),
            by_endpoint: HashMap::new(),
            refusals: Refusals::new(surface, curve),
            lines: LogLimit::new(PEER_LOG_LINES_MAX, Duration::from_millis(PEER_LOG_INTERVAL_MS)),
            handshake_timeout: Duration::from_millis(handshake_ms.unsigned_abs().into()),
            due: Instant::now() + INTERVAL,
        })
    }

    pub(crate) fn as_poll_item(&self) -> zmq::PollItem<'_> {
        self.events.as_poll_item(zmq::POLLIN)
    }

    /// Processes the events that libzmq has sent. Returns the peers that have gone.
    ///
    /// # Errors
    /// When the events cannot be received.
    pub(crate) fn receive_events(&mut self) -> zmq::Result<Vec<(Descriptor, Peer)>> {
        let mut gone = Vec::new();
        while let Some(frames) = socket::receive_now(&self.events, usize::MAX)? {
            let Some(event) = Event::read(&frames) else { continue };
            gone.extend(self.take(event));
        }
        Ok(gone)
    }

    fn take(&mut self, event: Event<'_>) -> Option<(Descriptor, Peer)> {
        let Event { kind, values: [value, bytes, full], remote } = event;
        match kind {
            event::ACCEPTED => self.accepted(value as Descriptor, remote),
            // Others, such as that of a client that went away before, are no loss.
            event::ACCEPT_FAILED if i32::try_from(value) == Ok(accept::NO_DESCRIPTORS) => {
                self.refuse(Refusal::NoDescriptors, remote);
            }
            event::SUCCEEDED => {
                tracing::debug!(surface = self.surface, peer = address(remote), "connected");
                self.update_by_endpoint(remote, |peer| peer.established = true);
            }
            event::DISCONNECTED => return self.disconnected(value as Descriptor, remote),
            event::DEPTHS => {
                let descriptor = self.by_endpoint.get(remote).copied();
                let known = descriptor.and_then(|descriptor| self.peers.get(&descriptor));
                // Of ten thousand peers nearly all have nothing queued, and nobody has to be told again.
                let told = (value, bytes, full != 0);
                if let (Some(descriptor), Some(peer)) = (descriptor, known)
                    && (peer.queue_messages, peer.queue_bytes, peer.is_full) != told
                {
                    self.update(descriptor, |peer| {
                        (peer.queue_messages, peer.queue_bytes, peer.is_full) = told;
                    });
                }
            }
            // A moment after the peer is known to have gone. libzmq has counted it.
            event::LOST => {
                let (surface, peer, messages) = (self.surface, address(remote), value);
                let what = "thrown away: what was queued to a peer that has gone";
                if let Some(repeats) = self.admit_line(peer, what) {
                    tracing::warn!(surface, peer, messages, repeats, "{what}");
                }
            }
            event::TOO_LARGE => {
                let (surface, peer, why) =
                    (self.surface, address(remote), "it sent a larger message than a peer may send");
                if let Some(repeats) = self.admit_line(peer, why) {
                    tracing::warn!(surface, peer, repeats, "cut off: {why}");
                }
                self.figures.cut_off.fetch_add(1, Ordering::Relaxed);
            }
            event::FAILED_NO_DETAIL | event::FAILED_PROTOCOL | event::FAILED_AUTH => {
                let refusal = match kind {
                    event::FAILED_AUTH => Refusal::Denied,
                    event::FAILED_PROTOCOL => Refusal::of_protocol_error(value),
                    _ => {
                        let peer = self.by_endpoint.get(remote).and_then(|descriptor| self.peers.get(descriptor));
                        let open_for = peer.map_or(Duration::ZERO, |peer| peer.accepted.elapsed());
                        Refusal::of_system_error(value, open_for, self.handshake_timeout)
                    }
                };
                self.refuse(refusal, remote);
            }
            _ => {}
        }
        None
    }

    fn accepted(&mut self, descriptor: Descriptor, remote: &str) {
        let peer = Peer {
            endpoint: remote.to_owned(),
            key: None,
            identity: None,
            subscriptions: 0,
            has_subscribed: false,
            queue_messages: 0,
            queue_bytes: 0,
            is_full: false,
            accepted: Instant::now(),
            established: false,
            refused: false,
            ending: false,
        };
        self.by_endpoint.insert(remote.to_owned(), descriptor);
        self.peers.insert(descriptor, peer);
    }

    fn disconnected(&mut self, descriptor: Descriptor, remote: &str) -> Option<(Descriptor, Peer)> {
        let peer = self.peers.remove(&descriptor)?;
        // Peers by `ipc` all have the same endpoint, and the next one may have it already.
        if self.by_endpoint.get(remote) == Some(&descriptor) {
            self.by_endpoint.remove(remote);
        }
        self.figures.remove_peer(descriptor);
        if !peer.established && !peer.refused {
            // libzmq is mute about what it took for a peer of its first version.
            self.refuse(Refusal::Protocol, remote);
        }
        peer.established.then_some((descriptor, peer))
    }

    /// The peer behind a descriptor.
    pub(crate) fn peer(&self, descriptor: Descriptor) -> Option<&Peer> {
        self.peers.get(&descriptor)
    }

    /// Whether a line about what a peer did is to be written, and how many like it were not since the last one: a host
    /// that does it again and again has so many lines in a time.
    pub(crate) fn admit_line(&mut self, address: &str, what: &'static str) -> Option<u64> {
        self.lines.admit((refusals::host(address).to_owned(), what), Instant::now())
    }

    fn refuse(&mut self, refusal: Refusal, remote: &str) {
        self.update_by_endpoint(remote, |peer| peer.refused = true);
        self.figures.count_refused_handshake(refusal.as_str());
        self.refusals.log(refusal, address(remote), Instant::now());
    }

    /// Changes what is known of a peer. Whoever watches is told of it.
    pub(crate) fn update(&mut self, descriptor: Descriptor, change: impl FnOnce(&mut Peer)) {
        let Some(peer) = self.peers.get_mut(&descriptor) else { return };
        change(peer);
        // Over `ipc` it may be the next one that was told to be.
        peer.established |= peer.has_subscribed || peer.identity.is_some();
        if peer.established {
            let figures = PeerStatistics {
                address: peer.address().to_owned(),
                key: peer.key.clone(),
                subscriptions: peer.subscriptions,
                queue_messages: peer.queue_messages,
                queue_bytes: peer.queue_bytes,
            };
            self.figures.put_peer(descriptor, figures);
        }
    }

    fn update_by_endpoint(&mut self, remote: &str, change: impl FnOnce(&mut Peer)) {
        if let Some(descriptor) = self.by_endpoint.get(remote) {
            self.update(*descriptor, change);
        }
    }

    /// Does what is due: has libzmq tell the depths of its queues, and ends connections that are no peers.
    pub(crate) fn look_around(&mut self, socket: &mut zmq::Socket, now: Instant) {
        if now >= self.due {
            let share = u32::try_from(self.peers.len()).unwrap_or(u32::MAX).div_ceil(PEERS_PER_INTERVAL).max(1);
            self.due = now + INTERVAL * share;
            self.ask_depths(socket);
            self.end_overdue(now);
        }
    }

    /// When [`Monitor::look_around`] has something to do again.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// libzmq takes whatever does not begin like ZMTP 2 or 3 for a peer of its first version, subscribes it to all, and
    /// waits for ever. So a connection without a handshake of version 3 is ended here.
    fn end_overdue(&mut self, now: Instant) {
        let patience = self.handshake_timeout + INTERVAL;
        let overdue = self.select(|peer| !peer.established && now.duration_since(peer.accepted) > patience);
        for descriptor in overdue {
            self.cut_off(descriptor, "it has made no ZMTP 3 handshake in time");
        }
    }

    /// Has libzmq tell the depths of its queues. They come with the next [`Monitor::receive_events`].
    pub(crate) fn ask_depths(&self, socket: &mut zmq::Socket) {
        match beyond::pipes_stats(socket.as_mut_ptr()) {
            // There are no peers.
            Ok(()) | Err(zmq_sys::errno::EAGAIN) => {}
            Err(code) => {
                tracing::warn!(surface = self.surface, cause = socket::raw_cause(code), "asking for queue depths");
            }
        }
    }

    /// The connections for which `is_meant` says so.
    pub(crate) fn select(&self, is_meant: impl Fn(&Peer) -> bool) -> Vec<Descriptor> {
        self.peers.iter().filter(|(_, peer)| is_meant(peer)).map(|(descriptor, _)| *descriptor).collect()
    }

    /// Whether a peer's connection was ended here.
    pub(crate) fn is_ending(&self, descriptor: Descriptor) -> bool {
        self.peers.get(&descriptor).is_some_and(|peer| peer.ending)
    }

    /// Ends a peer's connection, and says why. Over `ipc` a peer has no address by which it could be told from others, and
    /// stays.
    pub(crate) fn cut_off(&mut self, descriptor: Descriptor, why: &'static str) {
        self.end(descriptor, why, Unsent::Delivered);
    }

    fn end(&mut self, descriptor: Descriptor, why: &'static str, unsent: Unsent) {
        if self.is_ending(descriptor) {
            return;
        }
        let Some(address) = self.peers.get(&descriptor).and_then(Peer::socket_address) else { return };
        match connection::cut_off(descriptor, address, unsent) {
            Ok(true) => self.ends(descriptor, why),
            // It has gone by itself.
            Ok(false) => {}
            Err(error) => tracing::warn!(surface = self.surface, peer = %address, %error, "cutting off"),
        }
    }

    /// As [`Monitor::cut_off`], of a subscriber that is served no more for what it sends: it may not wait for room to send
    /// more. Over `ipc` it may keep its connection, but counts like the others.
    pub(crate) fn shut_out(&mut self, descriptor: Descriptor, why: &'static str) {
        self.end(descriptor, why, Unsent::Dropped);
        if self.peers.get(&descriptor).and_then(Peer::socket_address).is_none() {
            self.ends(descriptor, why);
        }
    }

    fn ends(&mut self, descriptor: Descriptor, why: &'static str) {
        let Some(peer) = self.peers.get_mut(&descriptor).filter(|peer| !peer.ending) else { return };
        peer.ending = true;
        self.figures.cut_off.fetch_add(1, Ordering::Relaxed);
        let (surface, address, key) = (self.surface, peer.address(), peer.key.as_deref());
        if let Some(repeats) = self.lines.admit((refusals::host(address).to_owned(), why), Instant::now()) {
            let Peer { queue_messages, queue_bytes, .. } = *peer;
            tracing::warn!(surface, peer = %address, key, queue_messages, queue_bytes, repeats, "cut off: {why}");
        }
    }
}

/// Reads an address without the interface that libzmq names behind one of a link: `[fe80::1%eth0]:5570`.
fn socket_address(text: &str) -> Option<SocketAddr> {
    match (text.split_once('%'), text.rsplit_once(']')) {
        (Some((address, _)), Some((_, port))) => format!("{address}]{port}").parse().ok(),
        _ => text.parse().ok(),
    }
}

fn address(endpoint: &str) -> &str {
    endpoint.split_once("://").map_or(endpoint, |(_, address)| address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

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
