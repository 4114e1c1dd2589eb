//! The broker is paused, resumed and drained on request while clients wait, and nothing is lost; a worker may panic.

use crate::fixtures;
use crate::harness::{EMPTY_REQUEST, Host, PATIENCE, Setup, wait_for};
use serde_json::json;
use std::time::{Duration, Instant};

fn dealer(host: &Host) -> zmq::Socket {
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    socket.set_linger(0).unwrap();
    socket.connect(host.surface("frontend")).unwrap();
    socket
}

#[track_caller]
fn command(host: &Host, command: &str) {
    let answer = host.admin_request("POST", &format!("/broker/{command}"), Some(b""));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[track_caller]
fn wait_for_state(host: &Host, state: &str) {
    wait_for(state, || (host.admin("/broker").json()["state"] == state).then_some(()));
}

#[test]
fn a_pause_holds_requests_back_and_replies_go_on() {
    let host = Setup::new().plugin("late", &fixtures::replying_late_unless_asked(700)).start();
    let socket = dealer(&host);
    socket.send("late", 0).unwrap();
    wait_for("the request", || (host.admin("/broker").json()["replies_scheduled"] == 1).then_some(()));
    command(&host, "pause");
    wait_for_state(&host, "paused");
    assert!(host.readiness().iter().any(|line| line.contains("broker is paused")), "{:?}", host.readiness());
    // The policy would answer an empty body at once.
    socket.send_multipart(EMPTY_REQUEST, 0).unwrap();
    assert_eq!(socket.recv_bytes(0).unwrap(), b"late", "what fell due was sent");
    assert_eq!(host.ledger()["hops"]["policy"]["in"], 1, "nothing was read");
    command(&host, "resume");
    assert_eq!(socket.recv_multipart(0).unwrap(), EMPTY_REQUEST);
    wait_for_state(&host, "running");
    assert_eq!(host.admin("/readyz").status, 200);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_drain_is_over_when_the_last_reply_has_left() {
    let host = Setup::new().plugin("late", &fixtures::replying_late_unless_asked(500)).start();
    let socket = dealer(&host);
    socket.send("late", 0).unwrap();
    wait_for("the request", || (host.admin("/broker").json()["replies_scheduled"] == 1).then_some(()));
    command(&host, "drain");
    wait_for_state(&host, "drained");
    assert_eq!(host.ledger()["hops"]["reply"]["out"], 1);
    assert_eq!(socket.recv_bytes(0).unwrap(), b"late");
    command(&host, "resume");
    socket.send_multipart(EMPTY_REQUEST, 0).unwrap();
    assert_eq!(socket.recv_multipart(0).unwrap(), EMPTY_REQUEST);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_host_can_be_drained_by_its_admin_surface() {
    let mut host = Setup::new().plugin("late", &fixtures::replying_late_unless_asked(500)).start();
    let socket = dealer(&host);
    socket.send("late", 0).unwrap();
    wait_for("the request", || (host.admin("/broker").json()["replies_scheduled"] == 1).then_some(()));
    let answer = host.admin_request("POST", "/drain", Some(b""));
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(host.wait(), 0);
    assert_eq!(socket.recv_bytes(0).unwrap(), b"late");
}

#[test]
fn there_is_no_broker_to_pause_without_a_frontend() {
    let host = Setup::new().committed("downcase").start();
    for (method, path) in [("GET", "/broker"), ("POST", "/broker/pause")] {
        let answer = host.admin_request(method, path, None);
        assert_eq!(answer.status, 404, "{}", answer.text());
        assert!(answer.text().contains("no frontend"), "{}", answer.text());
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_panic_costs_its_own_request_alone() {
    if !cfg!(debug_assertions) {
        return;
    }
    let host = Setup::new().committed("echo").with(&["--workers=1"]).env("TIDEGATE_FAULTS", "1").start();
    let socket = dealer(&host);
    for _ in 0..3 {
        socket.send("tidegate-fault-panic", 0).unwrap();
        socket.send("well", 0).unwrap();
        assert_eq!(socket.recv_bytes(0).unwrap(), b"well");
    }
    let policy = wait_for("six requests", || {
        let policy = host.ledger()["hops"]["policy"].clone();
        (policy["in_flight"] == 0 && policy["in"] == 6).then_some(policy)
    });
    assert_eq!((&policy["out"], &policy["dropped"]), (&json!(3), &json!({"panicked": 3})));
    host.process.wait_for_log("calling a plugin panicked");
    wait_for("the letters", || (host.ledger()["hops"]["dead-letter"]["out"] == 3).then_some(()));
    let letters = std::fs::read_to_string(host.directory.path().join("dead-letters.jsonl")).unwrap();
    let letter: serde_json::Value = serde_json::from_str(letters.lines().next().unwrap()).unwrap();
    assert_eq!((&letter["reason"], &letter["route"]), (&json!("panicked"), &json!("echo")));
    // The base64 of `tidegate-fault-panic`.
    assert_eq!(letter["request"]["frames_base64"], json!(["dGlkZWdhdGUtZmF1bHQtcGFuaWM="]));
    assert_eq!(host.stop(), 0);
}

/// Makes this many quick requests, so that the broker expects quick calls of the policy.
fn make_quick_calls(socket: &zmq::Socket, requests: usize) {
    for _ in 0..requests {
        socket.send("quick", 0).unwrap();
        socket.recv_bytes(0).unwrap();
    }
}

#[test]
fn a_slow_call_holds_back_two_requests_at_most() {
    // The policy waits if the first byte is `w`.
    let host = Setup::new()
        .plugin("slow", &fixtures::slow_policy(900))
        .with(&["--workers=2"])
        .config("[limits]\ncall_deadline_ms = 30000")
        .start();
    let (slow, quick) = (dealer(&host), dealer(&host));
    for known in [0, 200] {
        make_quick_calls(&quick, known);
        slow.send("wait", 0).unwrap();
        wait_for("the call", || (host.status("slow")["calls_in_flight"] == 1).then_some(()));
        let started = Instant::now();
        const REQUESTS: usize = 50;
        for _ in 0..REQUESTS {
            quick.send("quick", 0).unwrap();
        }
        let mut held_back = 0;
        for _ in 0..REQUESTS {
            quick.recv_bytes(0).unwrap();
            held_back += usize::from(started.elapsed() > Duration::from_millis(500));
        }
        println!("held back behind one slow call: {held_back} of {REQUESTS}");
        assert!(held_back <= 2, "{held_back}");
        slow.recv_bytes(0).unwrap();
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_policy_that_begins_to_spin_holds_back_nobody_else() {
    let host = Setup::new()
        .plugin("spin", &fixtures::spinning_policy())
        .with(&["--workers=2"])
        .config("[limits]\ncall_deadline_ms = 3000")
        .start();
    let (spinning, quick) = (dealer(&host), dealer(&host));
    for known in [0, 200] {
        make_quick_calls(&quick, known);
        spinning.send("wait", 0).unwrap();
        wait_for("the call", || (host.status("spin")["calls_in_flight"] == 1).then_some(()));
        for _ in 0..50 {
            quick.send("quick", 0).unwrap();
        }
        for _ in 0..50 {
            quick.recv_bytes(0).unwrap();
        }
        assert_eq!(host.status("spin")["calls_in_flight"], 1, "it still spins");
        wait_for("its deadline", || (host.status("spin")["calls_in_flight"] == 0).then_some(()));
    }
    let policy = wait_for("the end of the last", || {
        let policy = host.ledger()["hops"]["policy"].clone();
        (policy["in_flight"] == 0).then_some(policy)
    });
    // On a busy machine the calls may be starved instead.
    let dropped = ["deadline-exceeded", "starved"].map(|reason| policy["dropped"][reason].as_u64().unwrap_or(0));
    assert_eq!(dropped[0] + dropped[1], 2, "{policy}");
    assert_eq!(host.stop(), 0);
}
