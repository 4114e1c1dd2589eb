//! The end of a host: messages in flight are finished within the grace period, and the rest is reported as abandoned.

use crate::balance::at_exit;
use crate::fixtures;
use crate::harness::{Client, EMPTY_REQUEST, Host, LONG_PATIENCE, Setup, assert_balanced, wait_for};
use crate::raw_http::Raw;
use std::time::{Duration, Instant};

/// A host and a client whose request `x` the broker has received; the reply is delayed by `delay_ms`.
fn waiting_client(delay_ms: u32, config: &str) -> (Host, zmq::Socket) {
    let host = Setup::new().plugin("late", &fixtures::replying_late_unless_asked(delay_ms)).config(config).start();
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_rcvtimeo(LONG_PATIENCE.as_millis() as i32).unwrap();
    socket.set_linger(0).unwrap();
    socket.connect(host.surface("frontend")).unwrap();
    socket.send("x", 0).unwrap();
    // This request is behind the other on the connection, and is answered at once.
    socket.send_multipart(EMPTY_REQUEST, 0).unwrap();
    assert_eq!(socket.recv_multipart(0).unwrap(), EMPTY_REQUEST);
    (host, socket)
}

#[test]
fn a_request_in_flight_is_answered() {
    let host = Setup::new().plugin("wait", &fixtures::waiting()).start();
    let client = Client::new(&host);
    let call = std::thread::spawn(move || client.request("GET", "/wait/?param=x", None).unwrap().status);
    wait_for("the call", || (host.status("wait")["calls_in_flight"] == 1).then_some(()));
    assert_eq!(host.stop(), 0);
    assert_eq!(call.join().unwrap(), 504);
}

#[test]
fn replies_that_fall_due_are_sent() {
    let (host, socket) = waiting_client(1_500, "");
    assert_eq!(host.stop(), 0);
    assert_eq!(socket.recv_bytes(0).unwrap(), b"x");
}

#[test]
fn what_does_not_end_in_time_is_abandoned_and_said() {
    let (mut host, _socket) = waiting_client(50_000, "[shutdown]\ngrace_ms = 300");
    let started = Instant::now();
    let process = &mut host.process;
    process.signal("INT");
    assert_eq!(process.wait().code(), Some(3));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(process.stderr().contains("abandoned=1"), "{}", process.stderr());
}

/// A call that still runs when the grace period is over is counted as abandoned, not left in flight.
#[test]
fn a_call_that_is_given_up_is_in_the_ledger() {
    let config = "[shutdown]\ngrace_ms = 300\n[plugins.wait.limits]\ncall_deadline_ms = 60000";
    let mut host = Setup::new().plugin("wait", &fixtures::waiting()).config(config).start();
    let client = Client::new(&host);
    let call = std::thread::spawn(move || client.request("GET", "/wait/?param=x", None).is_err());
    wait_for("the call", || (host.status("wait")["calls_in_flight"] == 1).then_some(()));
    host.process.signal("TERM");
    assert_eq!(host.process.wait().code(), Some(3));
    assert!(call.join().unwrap());
    let stderr = host.process.stderr();
    assert_balanced(&stderr);
    let ledger = at_exit(&stderr);
    for figures in [&ledger["hops"]["http"], &ledger["hops"]["transform"], &ledger["plugins"]["wait"]] {
        assert_eq!(figures["dropped"]["abandoned"], 1, "{stderr}");
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let (mut host, _socket) = waiting_client(8_000, "");
        let process = &mut host.process;
        process.signal(signal);
        process.wait_for_log("stopping");
        wait_for("the listener to close", || {
            let address = host_address(&process.stdout());
            std::net::TcpStream::connect(address).is_err().then_some(())
        });
        process.signal(signal);
        assert_eq!(process.wait().code(), Some(code));
    }
}

fn host_address(stdout: &str) -> String {
    stdout.lines().find_map(|line| line.strip_prefix("http http://")).unwrap().to_owned()
}

#[test]
fn idle_connections_do_not_hold_up_the_end() {
    let host = Setup::new().committed("downcase").start();
    let client = Client::new(&host);
    assert_eq!(client.request("GET", "/downcase/?param=x", None).unwrap().status, 200);
    let started = Instant::now();
    assert_eq!(host.stop(), 0);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

/// A connection with an incomplete request head does not delay the end, on either surface.
#[test]
fn unfinished_heads_do_not_hold_up_the_end() {
    let host = Setup::new().committed("downcase").start();
    let unfinished: Vec<_> = ["http", "admin"]
        .into_iter()
        .flat_map(|surface| ["G", "GET /livez HTTP/1.1\r\nhost: localhost\r\n", ""].map(|head| (surface, head)))
        .map(|(surface, head)| {
            let mut raw = Raw::connect(&host, surface);
            raw.send(head);
            raw
        })
        .collect();
    // Incomplete heads behind a whole request, which is answered.
    let behind: Vec<_> = [("http", "/downcase/?param=x"), ("admin", "/livez")]
        .map(|(surface, path)| {
            let mut raw = Raw::connect(&host, surface);
            raw.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\nGET"));
            assert_eq!(raw.answer().unwrap().status, 200);
            raw
        })
        .into();
    let started = Instant::now();
    assert_eq!(host.stop(), 0);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    for mut raw in unfinished.into_iter().chain(behind) {
        assert_eq!(raw.rest(), b"");
    }
}
