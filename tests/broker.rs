//! The broker: every request is answered as its policy says, with its envelope, and no client waits for another.

use crate::fixtures;
use crate::harness::{Host, LONG_PATIENCE, PATIENCE, Process, Setup, tidegate, wait_up_to};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

fn socket(host: &Host, kind: zmq::SocketType, identity: Option<&[u8]>) -> zmq::Socket {
    let socket = zmq::Context::new().socket(kind).unwrap();
    if let Some(identity) = identity {
        socket.set_identity(identity).unwrap();
    }
    socket.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    socket.set_linger(0).unwrap();
    socket.connect(host.surface("frontend")).unwrap();
    socket
}

fn dealer(host: &Host) -> zmq::Socket {
    socket(host, zmq::DEALER, None)
}

#[track_caller]
fn assert_echo(socket: &zmq::Socket, frames: &[&[u8]]) {
    socket.send_multipart(frames, 0).unwrap();
    assert_eq!(socket.recv_multipart(0).unwrap(), frames);
}

#[test]
fn frames_and_envelopes_come_back_as_they_were() {
    let host = Setup::new().committed("echo").start();
    assert_echo(&dealer(&host), &[b"request #1"]);
    assert_echo(&dealer(&host), &[b"", b""]);
    assert_echo(&dealer(&host), &[b"one", b"", b"three", b"\xff\0", b"five"]);
    assert_echo(&dealer(&host), &[b"", b"body"]);
    assert_echo(&dealer(&host), &[b"", b"", b"body"]);
    // An identity may hold any bytes, but a leading zero is reserved by libzmq.
    let identity: Vec<u8> = (1..=255).collect();
    assert_echo(&socket(&host, zmq::DEALER, Some(&identity)), &[b"named"]);
    let req = socket(&host, zmq::REQ, None);
    assert_echo(&req, &[b"from REQ"]);
    assert_echo(&req, &[b"", b"again"]);
    let large = vec![7; 4 << 20];
    assert_echo(&dealer(&host), &[&large]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn replies_come_in_order_each_after_its_wait() {
    let host = Setup::new().plugin("three", &fixtures::replying(3, 150)).start();
    let socket = dealer(&host);
    let started = Instant::now();
    socket.send("x", 0).unwrap();
    for number in 1..=3 {
        socket.recv_bytes(0).unwrap();
        assert!(started.elapsed() >= Duration::from_millis(150 * number), "{:?}", started.elapsed());
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn random_replies_are_zero_to_four_copies() {
    const REQUESTS: usize = 500;
    let host = Setup::new().committed("random-replies").start();
    let socket = dealer(&host);
    for number in 0..REQUESTS {
        socket.send(&format!("request #{number}"), 0).unwrap();
    }
    // All that are to come have left once every request is decided on and nothing is scheduled any more.
    let replies = wait_up_to(LONG_PATIENCE, "the last reply", || {
        let hops = host.ledger()["hops"].take();
        let is_over = hops["policy"]["in"] == REQUESTS && hops["policy"]["in_flight"] == 0;
        let is_over = is_over && hops["reply"]["in"] == hops["schedule"]["in"] && hops["reply"]["in_flight"] == 0;
        is_over.then(|| hops["reply"]["out"].as_u64().unwrap())
    });
    let mut copies = BTreeMap::<Vec<u8>, usize>::new();
    for _ in 0..replies {
        *copies.entry(socket.recv_bytes(0).unwrap()).or_default() += 1;
    }
    let mut counts = [REQUESTS - copies.len(), 0, 0, 0, 0];
    for count in copies.into_values() {
        counts[count] += 1;
    }
    // The expected count of each is 100; six standard deviations are 54.
    assert!(counts.iter().all(|count| (46..=154).contains(count)), "{counts:?}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn ten_thousand_delayed_replies_hold_up_nobody() {
    const DELAYED: usize = 10_000;
    let host = Setup::new().plugin("late", &fixtures::replying_late_unless_asked(10_000)).start();
    let patient = dealer(&host);
    patient.set_sndhwm(0).unwrap();
    // The replies are delayed by ten seconds.
    patient.set_rcvtimeo(LONG_PATIENCE.as_millis() as i32).unwrap();
    for _ in 0..DELAYED {
        patient.send("later", 0).unwrap();
    }
    let hasty = dealer(&host);
    // This request is the last on its connection: once it is answered, the others are in the schedule or at a worker.
    assert_echo(&patient, &[b"", b""]);
    let mut times: Vec<Duration> = (0..100)
        .map(|_| {
            let started = Instant::now();
            assert_echo(&hasty, &[b"", b""]);
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    let scheduled = host.admin("/broker").json()["replies_scheduled"].as_u64().unwrap();
    assert!(scheduled > DELAYED as u64 / 2, "{scheduled} replies were still to come: delay them for longer");
    // This does not measure speed: a worker that waited would cost seconds.
    assert!(times[50] < Duration::from_millis(100), "{:?}", times[50]);
    for _ in 0..DELAYED {
        assert_eq!(patient.recv_bytes(0).unwrap(), b"later");
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_client_that_comes_back_with_its_identity_is_served_at_once() {
    let host = Setup::new().committed("echo").start();
    let first = socket(&host, zmq::DEALER, Some(b"worker-0"));
    assert_echo(&first, &[b"before"]);
    // The first connection is still open, like that of a killed client until the system notices.
    let second = socket(&host, zmq::DEALER, Some(b"worker-0"));
    assert_echo(&second, &[b"after"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_failed_call_sends_nothing_and_the_next_is_served() {
    for (policy, reason) in [
        (fixtures::replying(1_000_000, 0), "over output_bytes_max"),
        (fixtures::replying(1_001, 0), "1001 replies are more than replies_max 1000"),
        (fixtures::replying(1, 60_001), "waits 60001 ms, over delay_ms_max 60000"),
        (fixtures::replying_without_frames(), "has no frames"),
        (fixtures::reply_policy("", "(unreachable)"), "wasm `unreachable` instruction executed"),
        (fixtures::waiting_policy(), "ran longer than call_deadline_ms 1000"),
    ] {
        let host = Setup::new().plugin("p", &policy).start();
        let socket = dealer(&host);
        socket.send("lost", 0).unwrap();
        host.process.wait_for_line(&["call failed", reason]);
        std::fs::write(host.plugin_path("p"), std::fs::read(crate::harness::component("echo")).unwrap()).unwrap();
        host.process.wait_for_log("generation=2");
        assert_echo(&socket, &[b"served"]);
        assert_eq!(host.stop(), 0);
    }
}

#[test]
fn the_policy_is_swapped_under_traffic() {
    let host = Setup::new().committed("echo").start();
    let socket = dealer(&host);
    assert_echo(&socket, &[b"one"]);
    std::fs::write(host.plugin_path("echo"), fixtures::replying(2, 0)).unwrap();
    host.process.wait_for_log("generation=2");
    socket.send("two", 0).unwrap();
    assert_eq!((socket.recv_bytes(0).unwrap(), socket.recv_bytes(0).unwrap()), (b"two".to_vec(), b"two".to_vec()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_request_over_the_bounds_is_counted_and_the_rest_is_served() {
    let mut host = Setup::new().committed("echo").config("[messaging]\nframes_max = 3").start();
    let socket = dealer(&host);
    socket.send_multipart(["a", "b", "c", "d"], 0).unwrap();
    assert_echo(&socket, &[b"a", b"b", b"c"]);
    host.process.signal("TERM");
    assert_eq!(host.process.wait().code(), Some(0));
    assert!(host.process.stderr().contains("too-large=1"), "{}", host.process.stderr());
}

#[test]
fn the_request_command_counts_its_replies() {
    let host = Setup::new().committed("echo").start();
    let mut command = tidegate();
    command.args(["request", "--clients=2", "--requests=3", "--timeout=500ms", "--connect", host.surface("frontend")]);
    let mut process = Process::start(&mut command);
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
    let stdout = process.stdout();
    for line in ["Req #3 sent..", "Client worker-0 received: request #1", "Client worker-1 received: request #3"] {
        assert!(stdout.lines().any(|found| found == line), "{line} is not in\n{stdout}");
    }
    assert!(stdout.lines().last().unwrap().starts_with("sent=6 replies=6 none=0 rtt_ms p50="), "{stdout}");
    assert_eq!(host.stop(), 0);

    let mut command = tidegate();
    command.args(["request", "--clients=1", "--requests=1", "--timeout=200ms", "--connect=tcp://127.0.0.1:9"]);
    assert_eq!(Process::start(&mut command).wait().code(), Some(1));
}
