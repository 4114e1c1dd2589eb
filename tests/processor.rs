//! Version 0.2.0 of the contract: a processor makes none, one or many messages of one, beside plugins of version 0.1.0
//! and in their place.

mod bounds;
mod calls;
mod examples;
mod letters;
mod versions;

use crate::fixtures;
use crate::harness::{Host, PATIENCE, Setup, wait_for};
use std::time::{Duration, Instant};

fn host() -> Host {
    Setup::new().plugin("p", &fixtures::processor()).start()
}

/// A subscriber to everything whose subscription has reached the host, with no messages left to receive.
fn subscriber(host: &Host) -> zmq::Socket {
    let socket = zmq::Context::new().socket(zmq::SUB).unwrap();
    socket.set_subscribe(b"").unwrap();
    socket.connect(host.surface("publish")).unwrap();
    socket.set_rcvtimeo(50).unwrap();
    wait_for("the subscription", || {
        assert_eq!(host.post("/p/", b"probe").status, 200);
        socket.recv_multipart(0).ok()
    });
    socket.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    assert_eq!(host.post("/p/", b"last").status, 200);
    while socket.recv_bytes(0).unwrap() != b"last" {}
    socket
}

#[test]
fn a_message_is_filtered_mapped_or_split() {
    let host = host();
    let socket = subscriber(&host);
    let answer = |body: &str| {
        let answer = host.post("/p/", body.as_bytes());
        (answer.status, answer.text().to_owned())
    };
    let expect = |status: u16, body: &str| (status, body.to_owned());
    assert_eq!(answer("filter"), expect(204, ""));
    assert_eq!(answer("map:abc"), expect(200, "ABC"));
    assert_eq!(answer("split:a,b,c"), expect(200, "a"));
    assert_eq!(answer("reject:not today").0, 422);
    assert_eq!(answer("fail:out of ink").0, 502);
    assert_eq!(answer("split:,"), expect(200, ""));
    assert_eq!(answer("map:end"), expect(200, "END"));
    // All of them are published, in their order, and nothing of the calls that failed.
    for published in ["ABC", "a", "b", "c", "", "", "END"] {
        assert_eq!(socket.recv_multipart(0).unwrap(), [published.as_bytes()]);
    }
    assert_eq!(host.post("/p/", b"\xff\0").body, b"\xff\0");
    assert_eq!(socket.recv_multipart(0).unwrap(), [b"\xff\0"]);
    assert_eq!(host.stop(), 0);
}

/// In a debug build, as here, the host panics if a reset has left anything.
#[test]
fn every_call_begins_in_a_new_instance_or_in_one_like_it() {
    let isolated = |isolation: &str| {
        let config = format!("[plugins.p]\nisolation = '{isolation}'");
        Setup::new().plugin("p", &fixtures::processor()).config(&config).start()
    };
    for (isolation, instances) in [("reset", 1..=8), ("fresh", 100..=u64::MAX)] {
        let host = isolated(isolation);
        for _ in 0..100 {
            assert_eq!(host.post("/p/", b"calls").text(), "1", "{isolation}");
        }
        let made = host.status("p")["instances_made"].as_u64().unwrap();
        assert!(instances.contains(&made), "{isolation}: {made} instances");
        assert_eq!(host.stop(), 0);
    }
    let warm = "[plugins.p]\nisolation = 'fresh'\nwarm = 2";
    let host = Setup::new().plugin("p", &fixtures::processor()).config(warm).start();
    wait_for("warm instances", || (host.status("p")["instances_warm"] == 2).then_some(()));
    for _ in 0..20 {
        assert_eq!(host.post("/p/", b"calls").text(), "1");
    }
    assert_eq!(host.stop(), 0);
    let reused = Setup::new().plugin("p", &fixtures::processor()).config("[plugins.p]\nreuse = 1000").start();
    assert_eq!(reused.post("/p/", b"calls").text(), "1");
    assert_eq!(reused.post("/p/", b"calls").text(), "2");
    assert_eq!(reused.stop(), 0);
}

#[test]
fn a_reply_policy_replies_with_messages() {
    let host = host();
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_identity(b"me").unwrap();
    socket.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    socket.set_linger(0).unwrap();
    socket.connect(host.surface("frontend")).unwrap();
    let began = Instant::now();
    socket.send_multipart([&b"identity"[..], b"split:a,b,c"], 0).unwrap();
    for part in ["a", "b", "c"] {
        assert_eq!(socket.recv_multipart(0).unwrap(), [&b"identity"[..], part.as_bytes(), b"me"]);
    }
    assert!(began.elapsed() >= Duration::from_millis(20), "each further reply waits 10 ms");
    socket.send("filter", 0).unwrap();
    socket.send("no-frames", 0).unwrap();
    socket.send("map:end", 0).unwrap();
    assert_eq!(socket.recv_multipart(0).unwrap(), [b"END"]);
    host.process.wait_for_line(&["call failed", "reply 1 has no frames"]);
    assert_eq!(host.stop(), 0);
}
