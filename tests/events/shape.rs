//! Whatever a message has in it, it is one event, and its client can tell what it was.

use super::follower::Follower;
use super::{host, push};
use crate::harness::Setup;
use serde_json::json;

/// The frames of a message, and the name and the data of its event.
type Case = (&'static [&'static [u8]], Option<&'static str>, &'static str);

#[test]
fn hostile_topics_and_bodies_stay_within_their_event() {
    let (host, socket) = host("");
    let mut follower = Follower::of(&host, "/events");
    let messages: [Case; 9] = [
        (&[b"<img src=x onerror=alert(1)>", b"<b>"], Some("<img src=x onerror=alert(1)>"), "<b>"),
        (&[b"t", b"x\n\nid: 7\nevent: evil\ndata: y"], Some("t"), "x\n\nid: 7\nevent: evil\ndata: y"),
        (&[b"t\n\ndata: evil", b"x"], None, r#"{"topic":"t\n\ndata: evil","frames":["x"]}"#),
        (&[b"t\rdata: evil", b"x"], None, r#"{"topic":"t\rdata: evil","frames":["x"]}"#),
        (&[b"t", b"x\rid: 7"], Some("t"), r#"{"base64":"eA1pZDogNw=="}"#),
        (&[b"gap", b"{\"missed\":1}"], None, r#"{"topic":"gap","frames":["{\"missed\":1}"]}"#),
        (&[b"\xff\xfe", b"\x00"], None, r#"{"topic":{"base64":"//4="},"frames":["\u0000"]}"#),
        (&[b"", b"", b""], None, r#"{"topic":"","frames":["",""]}"#),
        (&[b""], None, ""),
    ];
    for (frames, event, data) in messages {
        push(&socket, frames);
        let shown = follower.event();
        assert_eq!((shown.event.as_deref(), shown.data.as_deref()), (event, Some(data)), "{frames:?}");
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_is_too_large_to_be_kept_is_told_as_missing() {
    let (host, socket) = host("ring_bytes_max = 65536\n");
    let mut follower = Follower::of(&host, "/events?topic=t");
    let mut other = Follower::of(&host, "/events?topic=u");
    push(&socket, &[b"t", &[b'x'; 70_000]]);
    push(&socket, &[b"t", &[b'x'; 60_000]]);
    push(&socket, &[b"u", b"small"]);
    assert_eq!(follower.event().gap(), Some(json!(1)));
    assert_eq!(follower.event().data.unwrap().len(), 60_000);
    assert_eq!(other.event().data.unwrap(), "small");
    host.wait_for_hop("events", &json!({"in": 3, "out": 2, "dropped": {"too-large": 1}, "in_flight": 0}));
    host.wait_for_hop("events.streams", &json!({"in": 3, "out": 2, "dropped": {"too-large": 1}, "in_flight": 0}));
    assert_eq!(host.stop(), 0);
}

#[test]
fn events_is_the_name_of_no_plugin_and_no_route() {
    let setup = Setup::new();
    std::fs::create_dir(setup.path().join("plugins")).unwrap();
    let process = |setup: &Setup| {
        let output = setup.command().output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let named = setup.plugin("events", &crate::harness::bytes("downcase"));
    let (code, stderr) = process(&named);
    assert!(code == Some(2) && stderr.contains("`events` is that of a part of the host"), "{code:?} {stderr}");
    let routed = Setup::new().config("[routes.events]\nthrough = ['downcase']");
    let (code, stderr) = process(&routed);
    assert!(code == Some(2) && stderr.contains("give the route another name"), "{code:?} {stderr}");
}
