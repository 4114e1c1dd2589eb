//! The end: what is in flight is finished within the grace period, and what is not is said.

use crate::fixtures;
use crate::harness::{Client, Setup, wait_for};
use std::time::{Duration, Instant};

fn dealer(frontend: &str) -> zmq::Socket {
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_rcvtimeo(10_000).unwrap();
    socket.set_linger(0).unwrap();
    socket.connect(frontend).unwrap();
    socket
}

#[test]
fn a_request_in_flight_is_answered() {
    let host = Setup::new().plugin("loop", &fixtures::looping()).start();
    let client = Client::new(&host);
    let call = std::thread::spawn(move || client.request("GET", "/loop/?param=x", None).unwrap().status);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(host.stop(), 0);
    assert_eq!(call.join().unwrap(), 504);
}

#[test]
fn replies_that_fall_due_are_sent() {
    let host = Setup::new().plugin("late", &fixtures::replying(1, 1_500)).start();
    let socket = dealer(host.surface("frontend"));
    socket.send("x", 0).unwrap();
    // Scheduled once a second request, which the same connection carries behind it, has been taken in.
    socket.send("y", 0).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(host.stop(), 0);
    assert_eq!((socket.recv_bytes(0).unwrap(), socket.recv_bytes(0).unwrap()), (b"x".to_vec(), b"y".to_vec()));
}

#[test]
fn what_does_not_end_in_time_is_abandoned_and_said() {
    let host = Setup::new().plugin("late", &fixtures::replying(1, 50_000)).config("[shutdown]\ngrace_ms = 300").start();
    let socket = dealer(host.surface("frontend"));
    socket.send("x", 0).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let started = Instant::now();
    let mut process = host.process;
    process.signal("INT");
    assert_eq!(process.wait().code(), Some(3));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(process.stderr().contains("abandoned=1"), "{}", process.stderr());
}

#[test]
fn a_second_signal_ends_at_once() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let host = Setup::new().plugin("late", &fixtures::replying(1, 8_000)).start();
        let socket = dealer(host.surface("frontend"));
        socket.send("x", 0).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        let mut process = host.process;
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
