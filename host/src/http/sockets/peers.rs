//! The peers of a ROUTER by their identities, each with a bounded queue of what goes to it: the sink of the socket.

use super::ZwsSettings;
use crate::byte_budget::{ByteBudget, Held};
use crate::flow::mailbox::{Mailbox, PushError, Room};
use crate::flow::{Frames, Message, OfferError, Receipt, Reserved, Sink};
use crate::http::websocket::Close;
use crate::ledger::{Hop, Passage, Reason};
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::HashMap;
use std::future::poll_fn;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// All peers that are connected.
pub(super) struct Peers {
    name: String,
    hop: Arc<Hop>,
    messages_max: usize,
    peer_bytes_max: usize,
    /// For what waits for all of them.
    budget: Arc<ByteBudget>,
    connected: Mutex<Connected>,
}

struct Connected {
    by_identity: HashMap<Bytes, Arc<Queue>>,
    /// Of the next identity that is given.
    next: u32,
    is_closed: bool,
}

/// What waits for one peer.
pub(super) type Queue = Mailbox<Queued>;

/// A message that waits for its peer.
pub(super) struct Queued {
    /// Those behind the identity.
    frames: Frames,
    passage: Passage,
    _held: Held,
}

/// One peer, for as long as it is connected.
pub(super) struct Peer {
    peers: Arc<Peers>,
    pub(super) identity: Bytes,
    pub(super) queue: Arc<Queue>,
}

/// What was taken for a peer and is not sent yet. Dropped, it counts as lost with its client.
pub(super) struct Sending {
    passage: Passage,
    _held: Held,
    _room: Room,
}

impl Sending {
    /// It was handed to the connection.
    pub(super) fn done(self) {
        self.passage.out();
    }
}

impl Peers {
    pub(super) fn new(settings: &ZwsSettings, hop: Arc<Hop>) -> Self {
        Self {
            name: settings.name.clone(),
            hop,
            messages_max: settings.queue_messages_max,
            peer_bytes_max: settings.peer_queue_bytes_max,
            budget: ByteBudget::new(settings.queue_bytes_max),
            connected: Mutex::new(Connected::new()),
        }
    }

    pub(super) fn hop(&self) -> &Arc<Hop> {
        &self.hop
    }

    /// A peer with this identity, or with one that it is given if it has none.
    ///
    /// # Errors
    /// When another one has it.
    pub(super) fn join(self: &Arc<Self>, identity: Bytes) -> Result<Peer, Close> {
        let mut connected = self.lock();
        let identity = if identity.is_empty() { connected.free_identity() } else { identity };
        if connected.by_identity.contains_key(&identity) {
            return Err(Close::policy("another peer with this identity is connected"));
        }
        let queue = Arc::new(Queue::new(self.messages_max, self.peer_bytes_max));
        if connected.is_closed {
            queue.close();
        }
        connected.by_identity.insert(identity.clone(), Arc::clone(&queue));
        Ok(Peer { peers: Arc::clone(self), identity, queue })
    }

    /// Takes in nothing more. What waits is still sent.
    pub(super) fn close(&self) {
        let mut connected = self.lock();
        connected.is_closed = true;
        connected.by_identity.values().for_each(|queue| queue.close());
    }

    fn place(&self, queue: &Queue, bytes: usize, body: &[Bytes]) -> Result<(), Reason> {
        let mut held = self.budget.reserve(bytes).ok_or(Reason::QueueFull)?;
        held.settle(bytes);
        let queued = || Queued { frames: body.into(), passage: self.hop.enter().of_client(), _held: held };
        queue.push(bytes, queued).map_err(|error| match error {
            PushError::TooManyItems | PushError::TooManyBytes => Reason::ClientFull,
            PushError::Closed => Reason::Unroutable,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Connected> {
        // It is whole at every panic: each change is a few assignments.
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connected {
    fn new() -> Self {
        // What is for a peer of an earlier run, as a dead letter may be that is sent again, is not to reach another one. The
        // standard library seeds its hash maps from the system's randomness.
        let next = RandomState::new().build_hasher().finish() as u32;
        Self { by_identity: HashMap::new(), next, is_closed: false }
    }

    /// As ROUTER gives them: a zero, with which no identity of a peer's own begins, and a number.
    fn free_identity(&mut self) -> Bytes {
        loop {
            let mut identity = BytesMut::with_capacity(5);
            identity.put_u8(0);
            identity.put_u32(self.next);
            self.next = self.next.wrapping_add(1);
            let identity = identity.freeze();
            if !self.by_identity.contains_key(&identity) {
                return identity;
            }
        }
    }
}

impl Peer {
    /// What is to be sent next; none when nothing comes any more.
    pub(super) async fn next(&self) -> Option<(Frames, Sending)> {
        poll_fn(|context| self.queue.poll_take(context)).await.map(sending)
    }

    /// The same if it is there already.
    pub(super) fn try_next(&self) -> Option<(Frames, Sending)> {
        match self.queue.poll_take(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(taken) => taken.map(sending),
            Poll::Pending => None,
        }
    }
}

fn sending((Queued { frames, passage, _held }, room): (Queued, Room)) -> (Frames, Sending) {
    (frames, Sending { passage, _held, _room: room })
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.peers.lock().by_identity.remove(&self.identity);
        // What nobody takes any more is lost with the client.
        self.queue.close();
        while self.try_next().is_some() {}
    }
}

impl Sink for Peers {
    fn name(&self) -> &str {
        &self.name
    }

    /// Never has no room: a client that does not read must not keep the flow from the others.
    fn offer(&self, message: &Message) -> Result<Receipt, OfferError> {
        let [identity, body @ ..] = &message.frames[..] else {
            self.hop.refuse(Reason::NoFrames);
            return Ok(Receipt::Placed);
        };
        let queue = {
            let connected = self.lock();
            if connected.is_closed {
                return Err(OfferError::Closed(format!("{} is closed", self.name)));
            }
            connected.by_identity.get(identity).cloned()
        };
        let bytes = body.iter().map(Bytes::len).sum();
        let placed = match (queue, body) {
            (_, []) => Err(Reason::NoFrames),
            (None, _) => Err(Reason::Unroutable),
            (Some(queue), _) => self.place(&queue, bytes, body),
        };
        if let Err(reason) = placed {
            self.hop.refuse(reason);
        }
        Ok(Receipt::Placed)
    }

    fn reserve<'a>(&'a self, message: &'a Message) -> Result<Reserved<'a>, OfferError> {
        Ok(Box::new(|| self.offer(message)))
    }

    fn await_room(&self, _bytes: usize, _waker: &Waker) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(queue_messages_max: usize, queue_bytes_max: usize) -> (Arc<Peers>, Arc<Hop>) {
        let settings = ZwsSettings {
            name: "in".to_owned(),
            paths: Vec::new(),
            place: String::new(),
            frames_max: 8,
            message_bytes_max: 100,
            queue_messages_max,
            peer_queue_bytes_max: 100,
            queue_bytes_max,
        };
        let hop = Arc::<Hop>::default();
        (Arc::new(Peers::new(&settings, Arc::clone(&hop))), hop)
    }

    fn offer(peers: &Peers, frames: &[&[u8]]) {
        let frames = frames.iter().map(|&frame| Bytes::copy_from_slice(frame)).collect();
        assert!(peers.offer(&Message { frames, ..Message::default() }).is_ok());
    }

    fn join(peers: &Arc<Peers>, identity: &'static [u8]) -> Option<Peer> {
        peers.join(Bytes::from_static(identity)).ok()
    }

    #[test]
    fn each_message_goes_to_the_peer_that_it_names() {
        let (peers, hop) = peers(10, 1_000);
        let (a, given) = (join(&peers, b"a").expect("a peer"), join(&peers, b"").expect("another"));
        assert_eq!((given.identity.len(), given.identity[0], join(&peers, b"a").is_none()), (5, 0, true));
        offer(&peers, &[b"a", b"x", b""]);
        offer(&peers, &[&given.identity, b"y"]);
        offer(&peers, &[b"b", b"nobody"]);
        offer(&peers, &[b"a"]);
        let (frames, sending) = a.try_next().expect("one");
        assert_eq!((&frames[..], a.try_next().is_none()), (&[Bytes::from("x"), Bytes::new()][..], true));
        sending.done();
        drop(given);
        let counts = hop.figures();
        assert_eq!((counts.entered, counts.out, counts.in_flight), (4, 1, 0));
        for reason in [Reason::Unroutable, Reason::NoFrames, Reason::ClientGone] {
            assert_eq!(counts.dropped(reason), 1, "{reason:?}");
        }
        drop(a);
        assert!(join(&peers, b"a").is_some(), "its name is free again");
    }

    #[test]
    fn identities_that_are_given_begin_anywhere() {
        let given = || join(&peers(1, 1).0, b"").expect("a peer").identity.clone();
        // One in four milliards is the same by chance.
        assert!((0..3).any(|_| given() != given()));
        let (peers, _) = peers(1, 1);
        let (one, other) = (join(&peers, b"").expect("a peer"), join(&peers, b"").expect("another"));
        assert_ne!(one.identity, other.identity);
    }

    #[test]
    fn what_waits_is_bounded_for_each_peer_and_for_all() {
        let (peers, hop) = peers(2, 92);
        let (a, b) = (join(&peers, b"a").expect("a peer"), join(&peers, b"b").expect("another"));
        (0..3).for_each(|_| offer(&peers, &[b"a", b"x"]));
        offer(&peers, &[b"b", &[0; 90]]);
        offer(&peers, &[b"b", &[0; 20]]);
        offer(&peers, &[b"b", &[0; 90]]);
        let counts = hop.figures();
        assert_eq!((counts.dropped(Reason::ClientFull), counts.dropped(Reason::QueueFull)), (1, 2));
        peers.close();
        assert!(a.try_next().is_some() && a.try_next().is_some(), "what waits is still there");
        drop((a, b));
        assert_eq!(hop.figures().in_flight, 0);
        assert!(matches!(peers.offer(&Message::of_topic("a", Vec::new(), "x")), Err(OfferError::Closed(_))));
        assert!(peers.budget.has_room_for(92));
    }
}
