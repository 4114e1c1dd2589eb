//! What the host needs of libzmq and the `zmq` crate has no function for, behind safe ones.
//!
//! Each takes the socket as `zmq::Socket::as_mut_ptr` gives it, and must be called on the thread that owns the socket.
//! libzmq answers `ENOTSOCK` to a socket that is closed. The functions of the monitor are libzmq's drafts, which
//! are compiled in without its draft flag.

#![allow(clippy::not_unsafe_ptr_arg_deref, reason = "libzmq checks what it is handed before it uses it")]

use crate::ffi::zmq_errno;
use crate::{
    ZMQ_PAIR, ZMQ_SUBSCRIBE, ZMQ_UNSUBSCRIBE, ZMQ_XPUB_MANUAL, ZMQ_XPUB_NODROP, ZMQ_XPUB_VERBOSER, zmq_curve_public,
    zmq_getsockopt, zmq_setsockopt,
};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// `ZMQ_EVENT_PIPES_STATS`: the depth of the queue to one peer, in messages, in bytes, and whether it is full (1) or not;
/// only as [`pipes_stats`] asks for it.
pub const ZMQ_EVENT_PIPES_STATS: u64 = 0x1_0000;
/// So many messages were in the queue to a peer when it went.
pub const EVENT_LOST: u64 = 0x100_0000;
/// A peer lost its connection since it sent a frame over `ZMQ_MAXMSGSIZE`, or a message without an end.
pub const EVENT_TOO_LARGE: u64 = 0x200_0000;

const ZMQ_ZAP_ENFORCE_DOMAIN: u32 = 93;
const ZMQ_XPUB_MANUAL_LAST_VALUE: u32 = 98;
// Of `patches/queues.patch`.
const TIDEGATE_QUEUE_BYTES_MAX: c_int = 10_000;
const TIDEGATE_LOST: c_int = 10_001;
// Of `patches/subscriptions.patch`.
const TIDEGATE_XPUB_BOUNDS: c_int = 10_010;
const TIDEGATE_XPUB_RENEW: c_int = 10_011;
const TIDEGATE_XPUB_TOLD: c_int = 10_012;
const TIDEGATE_XPUB_END: c_int = 10_013;
const EVENT_VERSION: c_int = 2;
const Z85_KEY_BYTES: usize = 40;

// In `beyond.cpp`.
unsafe extern "C" {
    fn tidegate_socket_monitor(
        socket: *mut c_void,
        endpoint: *const c_char,
        events: u64,
        version: c_int,
        kind: c_int,
    ) -> c_int;
    fn tidegate_socket_pipes_stats(socket: *mut c_void) -> c_int;
    fn tidegate_socket_peer_state(socket: *mut c_void, identity: *const c_void, size: usize) -> c_int;
}

/// Options that are switched on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// A message that a subscriber has no room for is refused for all, with `EAGAIN`, instead of dropped for that one; and
    /// one that nobody has subscribed to is refused with `EHOSTUNREACH`, instead of dropped.
    XpubNodrop,
    /// Every subscription and every unsubscription is told, not only the first and the last one of a topic.
    XpubVerboser,
    /// Subscriptions take effect by [`subscribe_last`] only.
    XpubManual,
    /// As [`Switch::XpubManual`], and the next message goes only to whoever sent the subscription received last.
    XpubManualLastValue,
    /// A handshake fails when nobody answers ZAP requests.
    ZapEnforceDomain,
}

/// Sets a switch.
///
/// # Errors
/// libzmq's error number.
pub fn set_switch(socket: *mut c_void, switch: Switch, on: bool) -> Result<(), c_int> {
    let option = match switch {
        Switch::XpubNodrop => ZMQ_XPUB_NODROP,
        Switch::XpubVerboser => ZMQ_XPUB_VERBOSER,
        Switch::XpubManual => ZMQ_XPUB_MANUAL,
        Switch::XpubManualLastValue => ZMQ_XPUB_MANUAL_LAST_VALUE,
        Switch::ZapEnforceDomain => ZMQ_ZAP_ENFORCE_DOMAIN,
    };
    let value = c_int::from(on);
    // SAFETY: libzmq reads one int from a pointer to one.
    done(unsafe { zmq_setsockopt(socket, option as c_int, (&raw const value).cast(), size_of::<c_int>()) })
}

/// Bounds, for a socket without connections, the queue to each peer in bytes, and the queue from it: of messages, with 64
/// bytes for each frame, or 128 for one of more than 33 bytes. A queue is full that has reached the bound, so an empty one takes a message of any size. A peer
/// that sends more than that and still no end of its message loses its connection.
///
/// # Errors
/// libzmq's error number.
pub fn bound_queues(socket: *mut c_void, bytes_max: u64) -> Result<(), c_int> {
    // SAFETY: libzmq reads 64 bits from a pointer to as many.
    done(unsafe { zmq_setsockopt(socket, TIDEGATE_QUEUE_BYTES_MAX, (&raw const bytes_max).cast(), size_of::<u64>()) })
}

/// Has libzmq count, for a socket without connections, the messages that went with the queues of its peers: those to
/// peers, and those from peers that were never received.
///
/// The counts are never freed, since libzmq adds to them until the context has ended.
///
/// # Errors
/// libzmq's error number.
pub fn count_lost(socket: *mut c_void, counts: Arc<[AtomicU64; 2]>) -> Result<(), c_int> {
    let counts = Arc::into_raw(counts);
    // SAFETY: libzmq keeps the pointer that it reads from a pointer to one. What that points at lives for ever, and is
    // used as what it is in both languages: two atomic integers of 64 bits.
    done(unsafe { zmq_setsockopt(socket, TIDEGATE_LOST, (&raw const counts).cast(), size_of::<*const ()>()) })
}

/// Gives a topic, on an XPUB socket with manual subscriptions, to whoever sent the subscription received last; or, if it is
/// not `on`, takes it away.
///
/// # Errors
/// libzmq's error number.
pub fn subscribe_last(socket: *mut c_void, topic: &[u8], on: bool) -> Result<(), c_int> {
    let option = if on { ZMQ_SUBSCRIBE } else { ZMQ_UNSUBSCRIBE };
    // SAFETY: libzmq reads as many bytes as it is told there are.
    done(unsafe { zmq_setsockopt(socket, option as c_int, topic.as_ptr().cast(), topic.len()) })
}

/// What a topic counts for beside its bytes, where the bytes of topics are counted here.
pub const TOPIC_OVERHEAD_BYTES: u64 = 64;

/// Bounds what an XPUB socket takes from its peers, before it is bound: of each so many bytes of changes of subscriptions,
/// with [`TOPIC_OVERHEAD_BYTES`] for each, until [`take_more`]; and no topic with more bytes than that. A longer one is
/// received like others, and not subscribed to. When a peer goes, the end of its subscriptions is not received.
///
/// # Errors
/// libzmq's error number.
pub fn bound_subscriptions(socket: *mut c_void, bytes_at_once: u64, topic_bytes_max: u64) -> Result<(), c_int> {
    let bounds = [bytes_at_once, topic_bytes_max];
    // SAFETY: libzmq reads two integers of 64 bits from a pointer to as many.
    done(unsafe { zmq_setsockopt(socket, TIDEGATE_XPUB_BOUNDS, (&raw const bounds).cast(), size_of_val(&bounds)) })
}

/// Has an XPUB socket take as much again from each of its peers.
///
/// # Errors
/// libzmq's error number.
pub fn take_more(socket: *mut c_void) -> Result<(), c_int> {
    // SAFETY: libzmq reads nothing.
    done(unsafe { zmq_setsockopt(socket, TIDEGATE_XPUB_RENEW, std::ptr::null(), 0) })
}

/// Who sent what was received last from an XPUB socket with [`bound_subscriptions`], and what that one has.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// libzmq's number of the connection, higher for each later one.
    pub connection: u64,
    /// How many topics it has subscribed to.
    pub topics: u64,
    /// Their bytes, with [`TOPIC_OVERHEAD_BYTES`] for each.
    pub bytes: u64,
    /// The same of all peers; a topic that several have subscribed to is counted once.
    pub bytes_in_all: u64,
}

/// Asks for it.
///
/// # Errors
/// libzmq's error number.
pub fn told(socket: *mut c_void) -> Result<Told, c_int> {
    let (mut told, mut size) = (Told::default(), size_of::<Told>());
    // SAFETY: libzmq writes four integers of 64 bits to a pointer to as many.
    done(unsafe { zmq_getsockopt(socket, TIDEGATE_XPUB_TOLD, (&raw mut told).cast(), &raw mut size) })?;
    Ok(told)
}

/// Has an XPUB socket forget what a peer has subscribed to, and throw away what else it sends.
///
/// # Errors
/// libzmq's error number.
pub fn end_subscriber(socket: *mut c_void, connection: u64) -> Result<(), c_int> {
    // SAFETY: libzmq reads 64 bits from a pointer to as many.
    done(unsafe { zmq_setsockopt(socket, TIDEGATE_XPUB_END, (&raw const connection).cast(), size_of::<u64>()) })
}

/// Has libzmq tell of these events of a socket at an `inproc` endpoint, to which a PAIR socket connects. Each event is
/// `[event, n, value 1 … value n, local endpoint, remote endpoint]`, numbers as native `u64`.
///
/// # Errors
/// libzmq's error number.
pub fn monitor(socket: *mut c_void, endpoint: &CStr, events: u64) -> Result<(), c_int> {
    // SAFETY: the endpoint ends with a NUL, and libzmq copies it.
    done(unsafe { tidegate_socket_monitor(socket, endpoint.as_ptr(), events, EVENT_VERSION, ZMQ_PAIR as c_int) })
}

/// Has one [`ZMQ_EVENT_PIPES_STATS`] told per peer, as of now.
///
/// # Errors
/// libzmq's error number; `EAGAIN` when there are no peers.
pub fn pipes_stats(socket: *mut c_void) -> Result<(), c_int> {
    // SAFETY: no pointer but the socket's goes in.
    done(unsafe { tidegate_socket_pipes_stats(socket) })
}

/// Whether a ROUTER has a peer of this identity, which has not gone; see `patches/peers.patch`.
pub fn has_peer(socket: *mut c_void, identity: &[u8]) -> bool {
    // SAFETY: libzmq reads as many bytes as it is told there are.
    unsafe { tidegate_socket_peer_state(socket, identity.as_ptr().cast(), identity.len()) >= 0 }
}

/// The public key that belongs to a secret one, both in Z85; none where that is no key.
pub fn public_key(secret: &CStr) -> Option<String> {
    // libzmq decodes as many characters as there are into room for a key.
    if secret.to_bytes().len() != Z85_KEY_BYTES {
        return None;
    }
    let mut public = [0u8; Z85_KEY_BYTES + 1];
    // SAFETY: libzmq reads up to the NUL, which makes 32 bytes, and writes 40 characters and a NUL.
    let code = unsafe { zmq_curve_public(public.as_mut_ptr().cast(), secret.as_ptr()) };
    let text = CStr::from_bytes_with_nul(&public).ok()?.to_str().ok()?;
    (code == 0).then(|| text.to_owned())
}

fn done(code: c_int) -> Result<(), c_int> {
    // SAFETY: takes and gives a number.
    if code == 0 { Ok(()) } else { Err(unsafe { zmq_errno() }) }
}
