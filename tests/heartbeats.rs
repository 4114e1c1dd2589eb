//! Heartbeats end no connection whose peer is alive, and no peer can use them to end the host or to read its memory.

use crate::harness::{LONG_PATIENCE, Setup};
use crate::raw_peer::{RawPeer, command, frame};
use std::time::Duration;

/// A ROUTER that receives only when a test calls for it, with a queue of one message per peer; and its endpoint.
fn unread_frontend(heartbeat_timeout: Duration) -> (zmq::Socket, String) {
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

/// An unpatched libzmq fails an assertion, at its next heartbeat or at one of the peer's, and ends the process.
#[test]
fn a_peer_that_goes_while_its_queue_is_full_does_not_end_the_process() {
    const SENT: usize = 100;
    for what in [frame(0, b"x"), [frame(0, b"x"), command("PING", b"\0\0")].concat()] {
        let (socket, endpoint) = unread_frontend(LONG_PATIENCE);
        let mut peer = RawPeer::connect(&endpoint, "DEALER", b"");
        let mut other = RawPeer::connect(&endpoint, "DEALER", b"");
        peer.write(&what.repeat(SENT)).unwrap();
        // By the second heartbeat of another one libzmq has read as much as its queue has room for.
        for _ in 0..2 {
            other.receive_ping().unwrap();
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
    let (socket, endpoint) = unread_frontend(Duration::from_secs(1));
    let mut peer = RawPeer::connect(&endpoint, "DEALER", b"");
    let mut other = RawPeer::connect(&endpoint, "DEALER", b"");
    peer.write(&frame(0, b"x").repeat(SENT)).unwrap();
    // For longer than the timeout, what the peer says waits behind messages that the queue has no room for.
    for _ in 0..100 {
        other.receive_ping().unwrap();
    }
    for _ in 0..SENT {
        assert_eq!(socket.recv_multipart(0).unwrap()[1], b"x");
    }
    peer.write(&frame(0, b"y")).unwrap();
    assert_eq!(socket.recv_multipart(0).unwrap()[1], b"y");
}

/// An unpatched libzmq sends a heartbeat to a peer that has gone, whose system answers with a reset: the rest is lost.
#[test]
fn what_a_peer_sent_before_it_went_is_read_however_long_that_takes() {
    const SENT: usize = 2_000;
    let (socket, endpoint) = unread_frontend(LONG_PATIENCE);
    let mut other = RawPeer::connect(&endpoint, "DEALER", b"");
    let peer = zmq::Context::new().socket(zmq::DEALER).unwrap();
    peer.set_sndhwm(0).unwrap();
    peer.connect(&endpoint).unwrap();
    for number in 0..SENT {
        peer.send(&format!("{number} {}", "x".repeat(1_000)), 0).unwrap();
    }
    // It closes once its system has everything.
    peer.set_linger(-1).unwrap();
    let closing = std::thread::spawn(move || drop(peer));
    for number in 0..SENT {
        let message = socket.recv_multipart(0).unwrap();
        assert!(message[1].starts_with(format!("{number} ").as_bytes()));
        // Several heartbeats are due while there is something to be read.
        if number % 200 == 0 {
            other.receive_ping().unwrap();
        }
    }
    closing.join().unwrap();
}

/// An unpatched libzmq answers with the memory behind the command.
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
