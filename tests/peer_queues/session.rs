//! A message that is sent in part when its connection ends.

use super::{LARGE, SYSTEM_BYTES_MAX};
use crate::harness::LONG_PATIENCE;
use crate::raw_peer;
use std::io::{Read, Write};
use std::net::TcpListener;

#[test]
fn an_endpoint_that_is_let_go_of_in_the_middle_of_a_message_ends_no_process() {
    let context = zmq::Context::new();
    let [socket, monitor] = [zmq::PUSH, zmq::PAIR].map(|kind| context.socket(kind).unwrap());
    socket.set_linger(0).unwrap();
    socket.monitor("inproc://monitor", zmq::SocketEvent::DISCONNECTED.to_raw().into()).unwrap();
    monitor.set_rcvtimeo(LONG_PATIENCE.as_millis() as i32).unwrap();
    monitor.connect("inproc://monitor").unwrap();
    for _ in 0..10 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
        socket.connect(&endpoint).unwrap();
        let mut peer = listener.accept().unwrap().0;
        peer.set_read_timeout(Some(LONG_PATIENCE)).unwrap();
        peer.write_all(&[raw_peer::greeting(), raw_peer::ready("PULL", b"")].concat()).unwrap();
        socket.send_multipart([&b"first"[..], &vec![0; SYSTEM_BYTES_MAX], b"last"], 0).unwrap();
        // So much of it has come that the second frame is on its way, behind which there is another one.
        peer.read_exact(&mut vec![0; LARGE]).unwrap();
        // The socket is asked for nothing from now on, and so does not hear what its connection has to say.
        socket.disconnect(&endpoint).unwrap();
        drop(peer);
        monitor.recv_multipart(0).expect("the end of the connection");
    }
}
