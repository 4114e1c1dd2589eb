//! Heartbeats end nobody who is alive, and nobody can end the host or read its memory by them.

use crate::harness::{LONG_PATIENCE, Setup};
use crate::raw_peer::{RawPeer, command, frame};
use std::time::Duration;

/// A frontend that reads from nobody until it is told to, with room for one message of each; and its endpoint.
fn lazy_frontend(heartbeat_timeout: Duration) -> (zmq::Socket, String) {
    let socket = zmq::Context::new().socket(zmq::ROUTER).unwrap();
    socket.set_linger(0).unwrap();
    socket.set_rcvhwm(1).unwrap();
    socket.set_heartbeat_ivl(20).unwrap();
    socket.set_heartbeat_timeout(heartbeat_timeout.as_millis() as i32).unwrap();
    socket.set_rcvtimeo(LONG_PATIENCE.as_millis() as i32).unwrap();
    socket.bind("tcp://127.0.0.1:*").unwrap();
    let endpoint = socket.get_last_endpoint().unwrap().unwrap();
    (socket, endpoint)
}

/// libzmq would fail an assertion at the next heartbeat, or when it came to those of the peer, and end the process.
#[test]
fn a_peer_that_goes_while_its_queue_is_full_does_not_end_the_process() {
    const SENT: usize = 100;
    for what in [frame(0, b"x"), [frame(0, b"x"), command("PING", b"\0\0")].concat()] {
        let (socket, endpoint) = lazy_frontend(LONG_PATIENCE);
        let mut peer = RawPeer::connect(&endpoint, "DEALER", b"");
        let mut other = RawPeer::connect(&endpoint, "DEALER", b"");
        peer.write(&what.repeat(SENT)).unwrap();
        // By the second heartbeat as much of it is read as there is room for.
        for _ in 0..2 {
            peer.receive_ping().unwrap();
        }
        drop(peer);
        for _ in 0..10 {
            other.receive_ping().unwrap();
        }
        for _ in 0..SENT {
            assert_eq!(socket.recv_multipart(0).unwrap()[1], b"x");
        }
    }
}

#[test]
fn a_peer_that_is_not_read_from_is_not_taken_for_dead() {
    const SENT: usize = 10;
    let (socket, endpoint) = lazy_frontend(Duration::from_secs(1));
    let mut peer = RawPeer::connect(&endpoint, "DEALER", b"");
    peer.write(&frame(0, b"x").repeat(SENT)).unwrap();
    // Its answers to them, within more than a second, are behind what there is no room for.
    for _ in 0..100 {
        peer.receive_ping().unwrap();
    }
    for _ in 0..SENT {
        assert_eq!(socket.recv_multipart(0).unwrap()[1], b"x");
    }
    peer.write(&frame(0, b"y")).unwrap();
    assert_eq!(socket.recv_multipart(0).unwrap()[1], b"y");
}

/// libzmq would answer with what lies behind it in memory.
#[test]
fn a_heartbeat_that_is_cut_short_is_not_answered() {
    let host = Setup::new().committed("downcase").start();
    let mut peer = RawPeer::connect(host.surface("publish"), "SUB", b"");
    for data in [&b""[..], b"\0", b"\0\0context"] {
        peer.write(&command("PING", data)).unwrap();
    }
    assert_eq!(peer.receive_command().unwrap().escape_ascii().to_string(), "\\x04PONGcontext");
    assert_eq!(host.stop(), 0);
}
