//! Who follows events is listed with what waits for it, until it goes.

use super::follower::{Follower, ask};
use super::{host, push};
use crate::admin::openapi::document::Document;
use crate::changes::overview;
use crate::harness::wait_for;
use serde_json::json;
use std::time::SystemTime;

/// A body of which some dozens fill the buffers of a connection.
const LARGE: usize = 128 << 10;

#[test]
fn a_stream_is_listed_until_its_client_goes() {
    let (host, _socket) = host("");
    assert_eq!(host.admin("/peers").json()["events"], json!({"count": 0, "peers": {}}));
    let began = jiff::Timestamp::try_from(SystemTime::now()).unwrap();
    let all = Follower::of(&host, "/events");
    let some = Follower::of(&host, "/events?topic=a&topic=%1B%5B31m&topic=a&topic=%3Cimg%3E");
    // Nothing is opened for who asks for the head alone, or is refused.
    assert_eq!(host.request("HEAD", "/events", None).status, 200);
    assert_eq!(ask(&host, "/events?topics=a", "").1.status, 400);
    let peers = host.peers("events");
    assert_eq!(peers.len(), 2, "{peers:?}");
    for (follower, subscriptions) in [(&all, 1), (&some, 3)] {
        let mut peer = peers[&follower.address()].clone();
        let connected_at: jiff::Timestamp = peer["connected_at"].take().as_str().unwrap().parse().unwrap();
        assert!((began.as_millisecond()..).contains(&connected_at.as_millisecond()), "{connected_at} after {began}");
        assert_eq!(
            peer,
            json!({
                "protocol": "sse", "address": follower.address(), "connected_at": null, "outgoing": false,
                "subscriptions": subscriptions, "queue_messages": 0, "queue_bytes": 0,
            })
        );
    }
    Document::of(&host).check("get /peers", &host.admin_request("GET", "/peers", None));
    assert_eq!(overview(&host)["peers"]["events"]["count"], 2);
    drop(all);
    let peers = host.wait_for_peers("events", 1);
    assert_eq!(peers.keys().collect::<Vec<_>>(), [&some.address()]);
    drop(some);
    host.wait_for_peers("events", 0);
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_waits_for_a_client_that_does_not_read_is_told() {
    let (host, socket) = host("");
    let (slow, mut fast) = (Follower::of(&host, "/events"), Follower::of(&host, "/events"));
    let body = vec![b'x'; LARGE];
    let peer = wait_for("a queue", || {
        push(&socket, &[b"t", &body]);
        assert_eq!(fast.event().data.unwrap().len(), LARGE);
        Some(host.peers("events").remove(&slow.address()).unwrap()).filter(|peer| peer["queue_messages"] == 2)
    });
    let bytes = peer["queue_bytes"].as_u64().unwrap() as usize;
    assert!((2 * LARGE..2 * LARGE + 1_000).contains(&bytes), "{peer}");
    wait_for("the other to have none", || {
        let other = host.peers("events").remove(&fast.address()).unwrap();
        (other["queue_messages"] == 0 && other["queue_bytes"] == 0).then_some(())
    });
    drop(slow);
    host.wait_for_peers("events", 1);
    assert_eq!(host.stop(), 0);
}
