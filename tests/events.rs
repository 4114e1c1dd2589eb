//! Events: whoever follows them by HTTP gets each once and in order, or is told how many are missing.

mod admission;
mod end;
mod follower;
mod http2;
mod peers;
mod resume;
mod shape;
mod slow;

use crate::flows::unconnected;
use crate::harness::{Host, Setup, wait_for};
use follower::Follower;
use serde_json::json;

/// What is pushed goes to events and nowhere else.
const PUSHED: &str = "\
[sockets.in]
type = 'pull'
bind = ['tcp://127.0.0.1:*']
[flows.f]
from = ['in']
to = ['events']
[events]
enabled = true
";

/// A host with these keys of `[events]` beside, and a socket to push messages with.
fn host(keys: &str) -> (Host, zmq::Socket) {
    host_of(Setup::new(), keys)
}

fn host_of(setup: Setup, keys: &str) -> (Host, zmq::Socket) {
    let host = setup.config(&format!("{PUSHED}{keys}")).start();
    let socket = unconnected(zmq::PUSH);
    socket.connect(host.surface("in")).unwrap();
    (host, socket)
}

fn push(socket: &zmq::Socket, frames: &[&[u8]]) {
    socket.send_multipart(frames, 0).expect("room");
}

/// Pushes messages of a topic whose bodies are numbers, and waits until all have come.
fn push_numbers(host: &Host, socket: &zmq::Socket, topic: &str, numbers: std::ops::Range<u64>) {
    let come = || {
        let hop = host.ledger()["hops"]["events"].clone();
        hop["in"].as_u64().unwrap() - hop["in_flight"].as_u64().unwrap()
    };
    let after = come() + numbers.end - numbers.start;
    numbers.for_each(|number| push(socket, &[topic.as_bytes(), number.to_string().as_bytes()]));
    wait_for("all to become events", || (come() == after).then_some(()));
}

#[test]
fn what_is_published_is_followed_in_a_browser_too() {
    let host = Setup::new().committed("downcase").with(&["--events"]).start();
    assert_eq!(host.surface("events"), format!("{}/events", host.surface("http")));
    assert!(host.get("/").text().contains("/events?topic="));
    let mut follower = Follower::of(&host, "/events");
    assert_eq!(follower.header("content-type"), "text/event-stream");
    assert_eq!(follower.header("cache-control"), "no-store");
    let opening = follower.block().unwrap();
    assert!(opening.retry.is_some_and(|retry| (2_000..=4_000).contains(&retry)), "{opening:?}");
    assert!(opening.id.as_ref().is_some_and(|id| id.ends_with("-0")) && opening.data.is_none(), "{opening:?}");
    for (number, param) in ["A", "B"].iter().enumerate() {
        assert_eq!(host.get(&format!("/downcase/?param={param}")).status, 200);
        let event = follower.event();
        assert_eq!(event.data.unwrap(), format!("lower case of {param} is {}", param.to_lowercase()));
        assert_eq!(event.event, None);
        assert_eq!(event.id.unwrap(), opening.id.clone().unwrap().replace("-0", &format!("-{}", number + 1)));
    }
    let hops = &host.ledger()["hops"];
    assert_eq!(hops["events"], json!({"in": 2, "out": 2, "dropped": {}, "in_flight": 0}));
    assert_eq!(hops["events.streams"], json!({"in": 2, "out": 2, "dropped": {}, "in_flight": 0}));
    assert_eq!(hops["publish"]["in"], 2);
    assert_eq!(host.stop(), 0);
}

#[test]
fn without_them_there_is_nothing_of_them() {
    let host = Setup::new().committed("downcase").start();
    assert_eq!(host.get("/events").status, 404);
    assert!(!host.get("/").text().contains("events"));
    assert!(!host.process.stdout().contains("events"));
    assert!(!host.admin("/metrics").text().contains("event_streams"));
    assert_eq!(host.ledger()["hops"].get("events"), None);
    assert_eq!(host.stop(), 0);
}

#[test]
fn they_need_no_zeromq() {
    let host = Setup::new().committed("downcase").with(&["--events", "--publish=none"]).start();
    let mut follower = Follower::of(&host, "/events");
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    assert_eq!(follower.event().data.unwrap(), "lower case of A is a");
    assert_eq!(host.stop(), 0);
}

#[test]
fn each_follows_its_own_topics() {
    let (host, socket) = host("");
    let mut all = Follower::of(&host, "/events");
    let mut some = Follower::of(&host, "/events?topic=EUR&topic=EURUSD&topic=%C3%A9");
    let mut none = Follower::of(&host, "/events?topic=nothing");
    for topic in ["EUR", "EURUSD", "USD", "é", "E"] {
        push(&socket, &[topic.as_bytes(), b"body"]);
    }
    let topics = |follower: &mut Follower, count| {
        let mut next = || follower.event().event.unwrap();
        (0..count).map(|_| next()).collect::<Vec<_>>()
    };
    assert_eq!(topics(&mut all, 5), ["EUR", "EURUSD", "USD", "é", "E"]);
    assert_eq!(topics(&mut some, 3), ["EUR", "EURUSD", "é"]);
    push(&socket, &[b"nothing", b"at last"]);
    assert_eq!(none.event().data.unwrap(), "at last");
    host.wait_for_hop("events.streams", &json!({"in": 10, "out": 10, "in_flight": 0}));
    assert_eq!(host.stop(), 0);
}
