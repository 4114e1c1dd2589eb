//! Delayed replies: no client fills the schedule for others, and no call begins without room for what it may return.

use crate::fixtures;
use crate::harness::{EMPTY_REQUEST, Host, LONG_PATIENCE, Setup, wait_for};
use serde_json::json;

fn dealer(host: &Host) -> zmq::Socket {
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_rcvtimeo(LONG_PATIENCE.as_millis() as i32).unwrap();
    socket.set_sndhwm(0).unwrap();
    // What the socket has sent is delivered after it is closed.
    socket.set_linger(LONG_PATIENCE.as_millis() as i32).unwrap();
    socket.connect(host.surface("frontend")).unwrap();
    socket
}

/// Sends a request that is answered without a delay, and waits for the reply.
#[track_caller]
fn assert_served(socket: &zmq::Socket) {
    socket.send_multipart(EMPTY_REQUEST, 0).unwrap();
    assert_eq!(socket.recv_multipart(0).unwrap(), EMPTY_REQUEST);
}

/// A host with room for 400 delayed replies.
fn host(policy: &[u8]) -> Host {
    Setup::new()
        .plugin("late", policy)
        .config("[messaging]\nqueue_messages_max = 400\n[shutdown]\ngrace_ms = 1000")
        .start()
}

fn ask_for(socket: &zmq::Socket, replies: usize) {
    (0..replies).for_each(|_| socket.send("late", 0).unwrap());
}

#[test]
fn one_client_takes_its_share_and_the_rest_is_counted() {
    let host = host(&fixtures::replying_late_unless_asked(60_000));
    let (greedy, other) = (dealer(&host), dealer(&host));
    ask_for(&greedy, 1_000);
    // This request is the last on its connection, so the others have been received.
    assert_served(&greedy);
    assert_served(&other);
    let schedule = wait_for("the end of all calls", || {
        let hops = host.ledger()["hops"].clone();
        (hops["policy"]["out"] == 1_002).then(|| hops["schedule"].clone())
    });
    assert_eq!((&schedule["in_flight"], &schedule["dropped"]), (&100.into(), &json!({"too-many-waiting": 900})));
    let line = ["WARN", "replies are dropped: as many wait for the client as may"];
    host.process.wait_for_line(&line);
    assert_eq!(host.process.stderr().lines().filter(|found| found.contains(line[1])).count(), 1);
    assert_eq!(host.admin("/readyz").status, 200);
    // Dropped replies become dead letters, as far as the bound on dead letters allows.
    wait_for("a letter", || {
        let letters = std::fs::read_to_string(host.directory.path().join("dead-letters.jsonl")).ok()?;
        letters.lines().next()?.contains("too-many-waiting").then_some(())
    });
    assert_eq!(host.stop(), 3, "what waits was abandoned");
}

#[test]
fn a_full_schedule_is_told_and_emptied_of_what_nobody_will_get() {
    let host = host(&fixtures::replying(8, 60_000));
    // The first request of each client is always accepted.
    let clients: Vec<_> = (0..60).map(|_| dealer(&host)).collect();
    clients.iter().for_each(|client| ask_for(client, 10));
    host.process.wait_for_line(&["WARN", "the frontend reads no requests: as many replies wait for their time as may"]);
    let ready = host.admin("/readyz");
    assert!(ready.status == 503 && ready.text().contains("the frontend reads no requests"), "{}", ready.text());
    clients.iter().for_each(|client| client.set_linger(0).unwrap());
    drop(clients);
    host.process.wait_for_log("the frontend reads requests again");
    wait_for("readiness", || (host.admin("/readyz").status == 200).then_some(()));
    let unroutable = || host.ledger()["hops"]["reply"]["dropped"]["unroutable"].as_u64().unwrap_or_default();
    wait_for("what nobody gets to be given up", || (unroutable() >= 200).then_some(()));
    let code = host.stop();
    assert!([0, 3].contains(&code), "{code}");
}

#[test]
fn a_client_that_comes_again_under_other_identities_fills_nothing() {
    let host = host(&fixtures::replying_late_unless_asked(60_000));
    let other = dealer(&host);
    for _ in 0..40 {
        let client = dealer(&host);
        ask_for(&client, 100);
        // Once this request is answered, all requests before it have been received.
        assert_served(&client);
        client.set_linger(0).unwrap();
        drop(client);
        assert_served(&other);
    }
    wait_for("room", || {
        let waiting = host.admin("/broker").json()["replies_scheduled"].as_u64().unwrap();
        (waiting <= 200).then_some(())
    });
    assert_eq!(host.admin("/readyz").status, 200);
    let code = host.stop();
    assert!([0, 3].contains(&code), "{code}");
}

#[test]
fn calls_begin_only_with_room_for_what_they_return() {
    const CLIENTS: u64 = 24;
    const REPLIES: u32 = 15;
    const MIB: u32 = 1 << 20;
    let host = Setup::new()
        .plugin("long", &fixtures::replying_at_length(REPLIES, MIB, 20))
        .config("[messaging]\nqueue_bytes_max = 33554432\nworkers = 20")
        .start();
    host.process.wait_for_line(&["WARN", "20 workers may return 16777216 bytes each", "has room for 2"]);
    let clients: Vec<_> = (0..CLIENTS).map(|_| dealer(&host)).collect();
    clients.iter().for_each(|client| client.send("x", 0).unwrap());
    let mut most = 0;
    wait_for("all to be answered", || {
        most = most.max(host.admin("/broker").json()["replies_scheduled"].as_u64().unwrap());
        (host.ledger()["hops"]["reply"]["out"] == CLIENTS * u64::from(REPLIES)).then_some(())
    });
    println!("of {} MiB at most {most} waited", CLIENTS * u64::from(REPLIES));
    // The bound of 32 MiB, and up to 16 MiB of one call that was admitted alone.
    assert!((1..=48).contains(&most), "{most}");
    for client in &clients {
        for _ in 0..REPLIES {
            assert_eq!(client.recv_bytes(0).unwrap().len(), MIB as usize);
        }
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_small_queue_slows_down_and_stops_nothing() {
    let host = Setup::new()
        .plugin("late", &fixtures::replying_late_unless_asked(60_000))
        .config("[messaging]\nqueue_bytes_max = 100000\n[shutdown]\ngrace_ms = 1000")
        .start();
    let (patient, hasty) = (dealer(&host), dealer(&host));
    ask_for(&patient, 5);
    assert_served(&patient);
    // The waiting replies take part of the room, and one call may return more than all of it.
    for _ in 0..100 {
        assert_served(&hasty);
    }
    assert_eq!(host.ledger()["hops"]["schedule"]["in_flight"], 5);
    assert_eq!(host.stop(), 3);
}
