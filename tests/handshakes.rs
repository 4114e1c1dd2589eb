//! A failed handshake is logged in one line with the peer, the reason and what to do.

use crate::harness::{Host, Setup};
use std::io::{Read, Write};
use std::net::TcpStream;

fn connect(host: &Host, surface: &str) -> TcpStream {
    TcpStream::connect(host.surface(surface).trim_start_matches("tcp://")).unwrap()
}

#[test]
fn what_is_no_handshake_is_logged_with_its_peer() {
    let host = Setup::new().committed("echo").config("[messaging]\nhandshake_timeout_ms = 300").start();
    for surface in ["publish", "frontend"] {
        let surface_field = format!("surface=\"{surface}\"");
        let mut silent = connect(&host, surface);
        let peer = format!("peer=\"{}\"", silent.local_addr().unwrap());
        let _ = silent.read_to_end(&mut Vec::new());
        host.process.wait_for_line(&["handshake refused", &surface_field, &peer, "timed-out", "handshake_timeout_ms"]);

        // libzmq takes these bytes for ZMTP 1, and would wait for ever.
        let mut garbage = connect(&host, surface);
        let peer = format!("peer={}", garbage.local_addr().unwrap());
        garbage.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let _ = garbage.read_to_end(&mut Vec::new());
        host.process.wait_for_line(&["cut off: it has made no ZMTP 3 handshake in time", &surface_field, &peer]);
    }
    let refused = host.process.stderr().lines().filter(|line| line.contains("handshake refused")).count();
    for _ in 0..5 {
        let _ = connect(&host, "frontend").read_to_end(&mut Vec::new());
    }
    let again = host.process.stderr().lines().filter(|line| line.contains("handshake refused")).count();
    assert_eq!(again, refused, "one line per host and reason");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_client_with_curve_is_told_of_a_host_without() {
    let host = Setup::new().committed("echo").start();
    let (server, client) = (zmq::CurveKeyPair::new().unwrap(), zmq::CurveKeyPair::new().unwrap());
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_curve_serverkey(&server.public_key).unwrap();
    socket.set_curve_publickey(&client.public_key).unwrap();
    socket.set_curve_secretkey(&client.secret_key).unwrap();
    socket.set_linger(0).unwrap();
    socket.connect(host.surface("frontend")).unwrap();
    host.process.wait_for_line(&["handshake refused", "surface=\"frontend\"", "CURVE"]);
    assert_eq!(host.stop(), 0);
}
