//! Clients that break WebSocket or ZWS, send without end, or do not read: each ends alone, within bounds.

use super::client::{BINARY, PING, PONG, TEXT, WebSocket, frame};
use super::sockets::ROUTER;
use crate::harness::{Host, Setup, wait_for};
use serde_json::json;
use std::io::Write;

/// A host with events and a ROUTER, bounds that are met soon, and these further ones of `[http]`.
fn start(http: &str) -> Host {
    let config = format!(
        "[http]\nbody_bytes_max = 100_000\n{http}\n[messaging]\nframes_max = 8\n\
         [events]\nenabled = true\nring_bytes_max = 100_000_000\n{ROUTER}"
    );
    Setup::new().committed("downcase").config(&config).start()
}

/// A well-behaved client is served.
fn assert_serves(host: &Host) {
    let mut client = WebSocket::zws(host, "/in", "");
    client.send(BINARY, b"\0AbC");
    assert_eq!(client.frames(), ["lower case of AbC is abc"]);
}

#[test]
fn frames_that_break_the_protocol_end_their_connection_alone() {
    let host = start("");
    let mut unmasked = frame(true, BINARY, b"\0x");
    unmasked[1] &= 0x7f;
    for (wrong, code) in [
        (unmasked, 1002),
        (frame(true, 3, b"reserved"), 1002),
        (frame(true, 0, b"nothing to continue"), 1002),
        (frame(false, PING, b"in parts"), 1002),
        (frame(true, PING, &[0; 126]), 1002),
        ([&[0xf2][..], &frame(true, BINARY, b"\0x")[1..]].concat(), 1002),
        ([frame(false, BINARY, b"\0x"), frame(true, BINARY, b"\0y")].concat(), 1002),
        (frame(true, TEXT, b"\xff"), 1007),
        (frame(true, TEXT, b"text"), 1003),
        (frame(true, BINARY, b""), 1002),
        (frame(true, BINARY, b"\x07x"), 1002),
        (frame(true, BINARY, b"\x02\x05HELLO"), 1002),
        (frame(true, BINARY, b"\x02\x09SUBSCRIBEx"), 1008),
        (frame(true, BINARY, &[0; 100_002]), 1009),
        // 100 MB, of which the head is enough.
        ([&[0x82, 0xff][..], &100_000_000u64.to_be_bytes(), &[0; 4]].concat(), 1009),
        (frame(true, BINARY, b"\x01x").repeat(9), 1009),
    ] {
        let mut client = WebSocket::zws(&host, "/in", "");
        client.0.send(&wrong);
        let (closed, reason) = client.closed();
        assert_eq!(closed, code, "{} {reason}", wrong[..wrong.len().min(20)].escape_ascii());
    }
    // One message in fragments without end is bounded as a whole.
    let mut client = WebSocket::zws(&host, "/in", "");
    client.0.send(frame(false, BINARY, &[1; 50_000]));
    for _ in 0..3 {
        // The host may have had enough already.
        let _ = client.0.0.write_all(&frame(false, 0, &[1; 30_000]));
    }
    assert_eq!(client.closed().0, 1009);
    assert_serves(&host);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_message_has_to_come_whole_in_time() {
    let host = start("body_timeout_ms = 300");
    // Half a frame, a part of a message of WebSocket, and a part of one of ZWS.
    for half in
        [&frame(true, BINARY, b"\0half")[..8], &frame(false, BINARY, b"\0half"), &frame(true, BINARY, b"\x01half")]
    {
        let mut client = WebSocket::zws(&host, "/in", "");
        // What follows its identity at once is timed with what comes next.
        client.send(PING, b"x");
        assert_eq!(client.receive(), (PONG, b"x".to_vec()));
        client.0.send(half);
        let (code, reason) = client.closed();
        assert!(code == 1008 && reason.contains("body_timeout_ms"), "{code} {reason}");
    }
    // Who has said nothing since its last message, or only that it is there, owes nothing.
    let mut quiet = WebSocket::zws(&host, "/in", "");
    quiet.send(PING, b"x");
    assert_eq!(quiet.receive(), (PONG, b"x".to_vec()));
    let mut late = WebSocket::open(&host, "/events", "tidegate.json.v1");
    late.0.send(&frame(true, TEXT, br#"{"sub":""}"#)[..9]);
    assert_eq!(late.closed().0, 1008);
    quiet.send(BINARY, b"\0AbC");
    assert_eq!(quiet.frames(), ["lower case of AbC is abc"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_handshake_of_zws_that_breaks_off_or_lies_is_no_peer() {
    let host = start("");
    for (subprotocol, wrong, code) in [
        ("ZWS2.0", &b"\x01half"[..], 1002),
        ("ZWS2.0", b"\x02\x04PING\0\0", 1002),
        ("ZWS2.0", &[1; 300], 1002),
        ("ZWS2.0", b"\0\0reserved", 1008),
        ("ZWS2.0/NULL", b"\0me", 1002),
        ("ZWS2.0/NULL", b"\x02\x05READY\x0bSocket-Type\0\0\0\x03SUB", 1008),
        ("ZWS2.0/NULL", b"\x02\x05READY\x0bSocket-Type\xff\xff\xff\xffDEALER", 1002),
    ] {
        let mut client = WebSocket::open(&host, "/in", subprotocol);
        client.send(BINARY, wrong);
        assert_eq!(client.closed().0, code, "{}", wrong.escape_ascii());
    }
    // One that says nothing is told so.
    assert_eq!(WebSocket::open(&host, "/in", "ZWS2.0").closed().0, 1008);
    assert_serves(&host);
}

#[test]
fn pings_are_answered_and_a_flood_of_them_is_not() {
    let host = start("");
    let mut client = WebSocket::open(&host, "/events", "");
    client.send(PING, b"hello");
    assert_eq!(client.receive(), (PONG, b"hello".to_vec()));
    let flood = frame(true, PING, b"x").repeat(1_100);
    client.0.send(&flood);
    let (code, reason) = client.closed();
    assert!(code == 1008 && reason.contains("pings"), "{reason}");
    assert_serves(&host);
}

#[test]
fn a_flood_of_subscriptions_is_bounded() {
    let host = start("");
    let mut client = WebSocket::zws(&host, "/events", "");
    for number in 0..200 {
        let _ = client.0.0.write_all(&frame(true, BINARY, format!("\0\x01{number}").as_bytes()));
    }
    let (code, reason) = client.closed();
    assert!(code == 1008 && reason.contains("topics_max"), "{reason}");
    let mut client = WebSocket::zws(&host, "/events", "");
    client.send(BINARY, &[b"\0\x01", &[b'x'; 2_000][..]].concat());
    assert_eq!(client.closed().0, 1008);
    assert_serves(&host);
}

#[test]
fn who_does_not_read_is_cut_off_and_the_others_are_served() {
    let host = start("answer_timeout_ms = 300");
    let mut deaf = WebSocket::zws(&host, "/in", "");
    let text = [b"\0", &[b'A'; 90_000][..]].concat();
    // Until the host stops reading too, or has ended it.
    deaf.0.0.set_write_timeout(Some(std::time::Duration::from_millis(500))).unwrap();
    while deaf.0.0.write_all(&frame(true, BINARY, &text)).is_ok() {}
    let cut_off = |line: &str| {
        let words = ["surface=\"http\"", "reason=\"answer-timeout\""];
        words.iter().all(|word| line.contains(word)) && !line.ends_with(" 0")
    };
    wait_for("the end of who does not read", || host.admin("/metrics").text().lines().any(cut_off).then_some(()));
    host.wait_for_hop("sockets.in.out", &json!({"in_flight": 0}));
    assert_serves(&host);
    assert_eq!(host.stop(), 0);
}
