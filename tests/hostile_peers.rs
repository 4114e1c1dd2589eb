//! A peer that does what no library does gets no other peer into trouble, nor the host.

use crate::harness::PATIENCE;
use crate::raw_peer::{RawPeer, frame};

/// libzmq would fail an assertion at the next heartbeat, and end the process.
#[test]
fn a_peer_that_goes_while_its_queue_is_full_does_not_end_the_process() {
    let socket = zmq::Context::new().socket(zmq::ROUTER).unwrap();
    socket.set_rcvhwm(1).unwrap();
    socket.set_heartbeat_ivl(20).unwrap();
    socket.set_heartbeat_timeout(PATIENCE.as_millis() as i32).unwrap();
    socket.bind("tcp://127.0.0.1:*").unwrap();
    let endpoint = socket.get_last_endpoint().unwrap().unwrap();
    let mut peer = RawPeer::connect(&endpoint, "DEALER", b"");
    let mut other = RawPeer::connect(&endpoint, "DEALER", b"");
    peer.write(&frame(0, b"x").repeat(100)).unwrap();
    drop(peer);
    for _ in 0..10 {
        other.receive_ping().unwrap();
    }
    assert_eq!(socket.recv_multipart(0).unwrap()[1], b"x");
}
