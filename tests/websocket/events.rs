//! Events by WebSocket: as SUB gets them, as JSON, and as text.

use super::client::{BINARY, TEXT, WebSocket};
use crate::fixtures;
use crate::harness::{Host, Setup, wait_for};
use serde_json::json;

const EVENTS: &str = "\
[events]
enabled = true
[sockets.in]
type = 'pull'
bind = ['tcp://127.0.0.1:*']
[flows.f]
from = ['in']
through = ['same']
to = ['events']
";

/// A host whose events are what is pushed to it.
fn start(config: &str) -> (Host, zmq::Socket) {
    let host = Setup::new()
        .plugin("same", &fixtures::repeating(1))
        .config(&EVENTS.replace("[sockets.in]", &format!("{config}[sockets.in]")))
        .start();
    let pusher = crate::flows::unconnected(zmq::PUSH);
    pusher.connect(host.surface("in")).unwrap();
    (host, pusher)
}

/// Pushes messages, and waits until they were events, whatever became of them.
fn push(host: &Host, pusher: &zmq::Socket, messages: &[&[&str]]) {
    let events = || host.ledger()["hops"]["events"].clone();
    let before = events()["in"].as_u64().unwrap();
    for frames in messages {
        pusher.send_multipart(*frames, 0).unwrap();
    }
    let expected = before + messages.len() as u64;
    wait_for("events", || {
        let hop = events();
        (hop["in"] == expected && hop["in_flight"] == 0).then_some(())
    });
}

#[test]
fn a_sub_gets_what_it_subscribes_to() {
    let (host, pusher) = start("");
    let mut sub = WebSocket::zws(&host, "/events", "");
    sub.send(BINARY, b"\0\x01a");
    sub.send(BINARY, b"\x02\x09SUBSCRIBEb");
    // Whoever is answered has been heard.
    sub.send(BINARY, b"\x02\x04PING\0\0x");
    assert_eq!(sub.receive(), (BINARY, b"\x02\x04PONGx".to_vec()));
    push(&host, &pusher, &[&["a1", "x"], &["c", "no"], &["b", "1", "", "2"], &["a"]]);
    assert_eq!(sub.frames(), ["a1", "x"]);
    assert_eq!(sub.frames(), ["b", "1", "", "2"]);
    assert_eq!(sub.frames(), ["a"]);
    sub.send(BINARY, b"\0\0a");
    sub.send(BINARY, b"\x02\x04PING\0\0y");
    assert_eq!(sub.receive(), (BINARY, b"\x02\x04PONGy".to_vec()));
    push(&host, &pusher, &[&["a", "no"], &["b", "yes"]]);
    assert_eq!(sub.frames(), ["b", "yes"]);
    assert_eq!(host.stop(), 0);
}

/// Subscribes by JSON, and returns the id that the host answers with.
#[track_caller]
fn subscribe(client: &mut WebSocket, order: serde_json::Value) -> serde_json::Value {
    client.send(TEXT, order.to_string().as_bytes());
    let answer = client.json();
    assert!(answer["id"].is_string() && answer.as_object().unwrap().len() == 1, "{answer}");
    answer["id"].clone()
}

#[test]
fn json_resumes_each_topic_where_its_client_stopped() {
    let (host, pusher) = start("");
    let mut client = WebSocket::open(&host, "/events", "tidegate.json.v1");
    subscribe(&mut client, json!({"sub": "a"}));
    client.send(TEXT, b"{}");
    assert!(client.json()["error"].as_str().unwrap().contains("sub"));
    push(&host, &pusher, &[&["a", "1"], &["b", "1"], &["a", "2"], &["b", "2"]]);
    let first = client.json();
    assert_eq!((&first["topic"], &first["data"]), (&json!("a"), &json!("1")));
    assert_eq!(client.json()["data"], "2");
    drop(client);
    push(&host, &pusher, &[&["a", "3"], &["b", "3"]]);

    // It comes back with the id of the first message, for both topics, one after the other.
    let mut client = WebSocket::open(&host, "/events", "tidegate.json.v1");
    subscribe(&mut client, json!({"sub": "a", "last": first["id"]}));
    let mut got: Vec<_> = (0..2).map(|_| client.json()).collect();
    subscribe(&mut client, json!({"sub": "b", "last": first["id"]}));
    got.extend((0..3).map(|_| client.json()));
    let shown =
        |event: &serde_json::Value| format!("{}{}", event["topic"].as_str().unwrap(), event["data"].as_str().unwrap());
    assert_eq!(got.iter().map(shown).collect::<Vec<_>>(), ["a2", "a3", "b1", "b2", "b3"]);
    push(&host, &pusher, &[&["a", "4"], &["b", "4"]]);
    assert_eq!([client.json(), client.json()].each_ref().map(shown), ["a4", "b4"]);
    client.send(TEXT, br#"{"unsub":"a"}"#);
    client.send(TEXT, b"[");
    assert!(client.json()["error"].is_string());
    push(&host, &pusher, &[&["a", "5"], &["b", "5"]]);
    assert_eq!(shown(&client.json()), "b5");
    // Of another run of the host.
    subscribe(&mut client, json!({"sub": "c", "last": "0000000000000000-1"}));
    assert_eq!(client.json()["gap"], "unknown");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_break_before_the_first_message_or_after_a_long_silence_loses_nothing() {
    let (host, pusher) = start("heartbeat_ms = 100\n");
    let open = |last: &serde_json::Value| {
        let mut client = WebSocket::open(&host, "/events", "tidegate.json.v1");
        subscribe(&mut client, json!({"sub": ["a", "b"], "last": last}));
        client
    };
    let data = |client: &mut WebSocket| loop {
        let message = client.json();
        if message.as_object().unwrap().len() > 1 {
            break message["data"].clone();
        }
    };
    let mut client = WebSocket::open(&host, "/events", "tidegate.json.v1");
    let last = subscribe(&mut client, json!({"sub": ["a", "b"]}));
    drop(client);
    push(&host, &pusher, &[&["b", "1"], &["c", "no"], &["a", "2"]]);
    let mut client = open(&last);
    assert_eq!([data(&mut client), data(&mut client)], ["1", "2"]);
    // What is not for it moves it on too: so what it says later is still known.
    push(&host, &pusher, &[&["c", "no"], &["c", "no"]]);
    let last = loop {
        let message = client.json();
        if message["id"].as_str().unwrap().ends_with("-5") {
            break message["id"].clone();
        }
    };
    drop(client);
    push(&host, &pusher, &[&["a", "3"]]);
    assert_eq!(data(&mut open(&last)), "3");
}

#[test]
fn a_large_event_comes_as_it_is_in_each_subprotocol() {
    let (host, pusher) = start("");
    let mut sub = WebSocket::zws(&host, "/events", "");
    sub.send(BINARY, b"\0\x01a");
    sub.send(BINARY, b"\x02\x04PING\0\0x");
    assert_eq!(sub.receive(), (BINARY, b"\x02\x04PONGx".to_vec()));
    let mut json = WebSocket::open(&host, "/events", "tidegate.json.v1");
    subscribe(&mut json, json!({"sub": "a"}));
    let mut text = WebSocket::open(&host, "/events", "");
    // Between small ones, of which some are gathered before it and some after.
    let large = "0123456789".repeat(20_000);
    for body in ["before", &large, "after"] {
        pusher.send_multipart(["a", body], 0).unwrap();
    }
    for body in ["before", &large, "after"] {
        assert!(sub.frames() == ["a", body], "{} bytes", body.len());
        assert!(json.json()["data"] == body, "{} bytes", body.len());
        assert!(text.text() == body, "{} bytes", body.len());
    }
}

#[test]
fn a_gap_is_told_and_topics_are_bounded() {
    let (host, pusher) = start("ring_messages_max = 2\ntopics_max = 2\n");
    let mut client = WebSocket::open(&host, "/events", "tidegate.json.v1");
    subscribe(&mut client, json!({"sub": ["", "a"]}));
    client.send(TEXT, br#"{"sub":"b"}"#);
    assert!(client.json()["error"].as_str().unwrap().contains("topics_max 2"));
    push(&host, &pusher, &[&["a", "1"]]);
    let first = client.json();
    push(&host, &pusher, &[&["a", "2"], &["a", "3"], &["a", "4"]]);
    let mut late = WebSocket::open(&host, "/events", "tidegate.json.v1");
    subscribe(&mut late, json!({"sub": "", "last": first["id"]}));
    assert_eq!(late.json()["gap"], 1);
    assert_eq!([late.json(), late.json()].map(|event| event["data"].clone()), ["3", "4"]);
}

#[test]
fn without_a_subprotocol_the_query_says_what_comes_as_text() {
    let (host, pusher) = start("");
    let mut some = WebSocket::open(&host, "/events?topic=a&topic=b", "");
    let mut all = WebSocket::open(&host, "/events", "");
    push(&host, &pusher, &[&["c", "1"], &["b", "<img onerror=x>"]]);
    pusher.send_multipart([&b"a"[..], b"\xff"], 0).unwrap();
    assert_eq!([some.text(), some.text()], ["<img onerror=x>", r#"{"base64":"/w=="}"#]);
    assert_eq!([all.text(), all.text(), all.text()], ["1", "<img onerror=x>", r#"{"base64":"/w=="}"#]);
    some.send(TEXT, b"hello");
    assert_eq!(some.closed().0, 1008);
}

#[test]
fn the_end_of_the_host_closes_with_a_hint_when_to_come_again() {
    let (mut host, pusher) = start("");
    let mut client = WebSocket::open(&host, "/events", "");
    push(&host, &pusher, &[&["a", "last"]]);
    host.process.signal("TERM");
    assert_eq!(client.text(), "last");
    let (code, reason) = client.closed();
    assert!(code == 1001 && reason.starts_with("come again in "), "{code} {reason}");
    assert_eq!(host.wait(), 0);
}
