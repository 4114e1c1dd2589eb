//! Who has a WebSocket is listed, with what waits for it, until it goes.

use super::client::{BINARY, TEXT, WebSocket};
use crate::admin::openapi::document::Document;
use crate::harness::{Host, Setup, wait_for};
use serde_json::{Value, json};

const SOCKETS: &str = "\
[events]
enabled = true
[sockets.push]
type = 'pull'
bind = ['ws:/push']
[sockets.ask]
type = 'router'
bind = ['ws:/ask']
peer_queue_bytes_max = 8_000_000
[sockets.more]
type = 'pull'
bind = ['tcp://127.0.0.1:*']
[flows.tell]
from = ['more']
to = ['ask']
[flows.take]
from = ['push']
through = ['downcase']
to = ['events']
[flows.answer]
from = ['ask']
through = ['downcase']
to = ['ask']
";

fn start() -> Host {
    Setup::new().committed("downcase").config(SOCKETS).start()
}

/// What is listed of a client once it is as it is wanted.
#[track_caller]
fn listed(host: &Host, surface: &str, client: &WebSocket, wanted: impl Fn(&Value) -> bool) -> Value {
    wait_for("a client to be listed", || host.peers(surface).remove(&client.address()).filter(&wanted))
}

#[test]
fn who_follows_events_is_listed_with_what_it_speaks() {
    let host = start();
    let mut plain = WebSocket::open(&host, "/events", "");
    let mut json = WebSocket::open(&host, "/events?topic=a&topic=b", "tidegate.json.v1");
    let mut sub = WebSocket::zws(&host, "/events", "me");
    for (client, subprotocol, subscriptions) in
        [(&plain, json!(null), 1), (&json, json!("tidegate.json.v1"), 2), (&sub, json!("ZWS2.0"), 0)]
    {
        let peer = listed(&host, "events", client, |peer| peer["subscriptions"] == subscriptions);
        assert_eq!((&peer["protocol"], &peer["subprotocol"]), (&json!("websocket"), &subprotocol), "{peer}");
        assert!(peer["connected_at"].is_string() && peer["outgoing"] == false && peer["queue_messages"] == 0, "{peer}");
    }
    Document::of(&host).check("get /peers", &host.admin_request("GET", "/peers", None));
    // What it says later counts too, a topic once.
    let since = listed(&host, "events", &json, |_| true)["connected_at"].clone();
    json.send(TEXT, br#"{"sub":"a"}"#);
    json.send(TEXT, br#"{"sub":"c"}"#);
    json.send(TEXT, br#"{"sub":"d","last":"earliest"}"#);
    let peer = listed(&host, "events", &json, |peer| peer["subscriptions"] == 4);
    assert_eq!(peer["connected_at"], since, "it is the same client, whatever it goes back to");
    json.send(TEXT, br#"{"unsub":"b"}"#);
    listed(&host, "events", &json, |peer| peer["subscriptions"] == 3);
    sub.send(BINARY, b"\0\x01x");
    listed(&host, "events", &sub, |peer| peer["subscriptions"] == 1);
    sub.send(BINARY, b"\0\0x");
    listed(&host, "events", &sub, |peer| peer["subscriptions"] == 0);
    // One goes without a word, one is told to, one says so.
    drop(json);
    plain.send(TEXT, b"what is not taken here");
    assert_eq!(plain.closed().0, 1008);
    host.wait_for_peers("events", 1);
    sub.send(super::client::CLOSE, &1000u16.to_be_bytes());
    assert_eq!(sub.closed().0, 1000);
    host.wait_for_peers("events", 0);
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_clients_of_a_socket_are_listed_with_their_identities() {
    let host = start();
    let _unfinished = WebSocket::open(&host, "/ask", "ZWS2.0");
    let (named, nameless) = (WebSocket::zws(&host, "/push", "sensor-7"), WebSocket::zws(&host, "/push", ""));
    let peer = listed(&host, "push", &named, |_| true);
    assert_eq!(
        (&peer["protocol"], &peer["subprotocol"], &peer["identity"]),
        (&json!("websocket"), &json!("ZWS2.0"), &json!("sensor-7"))
    );
    assert_eq!(listed(&host, "push", &nameless, |_| true)["identity"], json!(null));
    let (asks, given) = (WebSocket::zws(&host, "/ask", "me"), WebSocket::zws(&host, "/ask", ""));
    let mut hostile = Vec::new();
    for identity in [&b"<img onerror=alert(1)>"[..], b"\x1b[31m", b"\xff\xfe", b"0x01"] {
        let mut client = WebSocket::open(&host, "/ask", "ZWS2.0");
        client.send(BINARY, &[b"\0", identity].concat());
        hostile.push(client);
    }
    let identity = |client| listed(&host, "ask", client, |_| true)["identity"].as_str().unwrap().to_owned();
    assert_eq!(identity(&asks), "me");
    let chosen = identity(&given);
    assert!(chosen.starts_with("0x00") && chosen.len() == "0x0000000000".len(), "{chosen}");
    let hostile_identities: Vec<_> = hostile.iter().map(identity).collect();
    assert_eq!(
        hostile_identities,
        [
            "0x3c696d67206f6e6572726f723d616c6572742831293e".to_owned(),
            "0x1b5b33316d".to_owned(),
            "0xfffe".to_owned(),
            "0x30783031".to_owned()
        ]
    );
    // Whoever has not said who it is stands on no list.
    assert_eq!((host.peers("ask").len(), host.peers("push").len()), (6, 2));
    Document::of(&host).check("get /peers", &host.admin_request("GET", "/peers", None));
    drop(hostile);
    host.wait_for_peers("ask", 2);
    drop((asks, given, named, nameless));
    host.wait_for_peers("ask", 0);
    host.wait_for_peers("push", 0);
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_waits_for_a_client_of_a_router_is_told() {
    const SIZE: usize = 500_000;
    let host = start();
    let pusher = crate::flows::unconnected(zmq::PUSH);
    pusher.connect(host.surface("more")).unwrap();
    let deaf = WebSocket::zws(&host, "/ask", "deaf");
    assert_eq!(listed(&host, "ask", &deaf, |_| true)["queue_messages"], 0);
    let text = "x".repeat(SIZE);
    let peer = wait_for("a queue", || {
        pusher.send_multipart(["deaf", &text], 0).unwrap();
        let peer = host.peers("ask").remove(&deaf.address()).unwrap();
        (peer["queue_messages"].as_u64() > Some(2)).then_some(peer)
    });
    // One may just have been sent between two looks.
    let (messages, bytes) = (peer["queue_messages"].as_u64().unwrap(), peer["queue_bytes"].as_u64().unwrap());
    assert!(bytes >= (messages - 1) * SIZE as u64, "{peer}");
    drop(deaf);
    host.wait_for_peers("ask", 0);
    assert_eq!(host.stop(), 0);
}
