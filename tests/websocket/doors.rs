//! Who gets a WebSocket: the handshake, the origin, the token, and what is not asked for at such a path.

use super::client::{BINARY, CLOSE, WebSocket, shake_hands};
use crate::harness::{Host, Setup, wait_for};
use crate::raw_http::Raw;

const SOCKETS: &str = "\
[events]
enabled = true
origins = ['https://page.example']
[sockets.in]
type = 'pull'
bind = ['ws:/in', 'ws:/downcase/']
[flows.f]
from = ['in']
through = ['downcase']
to = ['publish']
";

fn start() -> Host {
    Setup::new().committed("downcase").config(SOCKETS).start()
}

fn refused(host: &Host, head: &str) -> (u16, String) {
    let mut raw = Raw::connect(host, "http");
    raw.send(head.replace('\n', "\r\n"));
    let answer = raw.answer().expect("an answer");
    (answer.status, answer.head + &answer.body)
}

#[test]
fn half_a_handshake_is_told_what_is_missing_and_the_rest_goes_on_as_ever() {
    let host = start();
    let ask = |head: &str| refused(&host, &format!("GET {head}\nHost: x\n\n"));
    let socket = "Connection: upgrade\nUpgrade: websocket";
    let (status, text) = ask(&format!("/in HTTP/1.1\n{socket}\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="));
    assert_eq!(status, 426, "{text}");
    assert!(text.contains("sec-websocket-version: 13") && text.contains("upgrade: websocket"), "{text}");
    let (status, text) = ask(&format!("/in HTTP/1.1\n{socket}\nSec-WebSocket-Version: 13"));
    assert_eq!(status, 400, "{text}");
    let (status, text) = ask("/in HTTP/1.1\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!((status, text.contains("handshake")), (400, true), "{text}");
    let whole = format!(
        "/in HTTP/1.1\n{socket}\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\
         Sec-WebSocket-Protocol: ZWS2.0"
    );
    let (status, text) = refused(&host, &format!("GET {whole}\nHost: x\nContent-Length: 1\n\nx"));
    assert_eq!((status, text.contains("no body")), (400, true), "{text}");
    let (status, text) = refused(&host, &format!("POST {whole}\nHost: x\n\n"));
    assert_eq!(status, 405, "{text}");
    // Whoever asks for none gets what is there.
    assert_eq!(ask("/in HTTP/1.1").0, 404);
    assert_eq!(host.get("/downcase/?param=AbC").text(), "lower case of AbC is abc");
    // And so does who asks for one where there is none.
    let (_, answer) = shake_hands(&host, "/downcase/x", "");
    assert_eq!(answer.status, 404);
    assert_eq!(host.stop(), 0);
}

#[test]
fn pages_of_other_origins_are_let_in_only_if_they_are_listed() {
    let host = start();
    let own = host.surface("http").to_owned();
    for (origin, status) in [
        (own.as_str(), 101),
        ("https://page.example", 101),
        ("https://evil.example", 403),
        ("http://127.0.0.1:1", 403),
        ("null", 403),
    ] {
        for path in ["/events", "/in"] {
            let headers = format!("Origin: {origin}\r\nSec-WebSocket-Protocol: ZWS2.0\r\n");
            let (_, answer) = shake_hands(&host, path, &headers);
            assert_eq!(answer.status, status, "{origin} {path} {answer:?}");
        }
    }
}

#[test]
fn a_subprotocol_that_is_not_spoken_is_refused_with_those_that_are() {
    let host = start();
    let (_, answer) = shake_hands(&host, "/events", "Sec-WebSocket-Protocol: ZWS1.0, mqtt\r\n");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("ask for ZWS2.0/NULL or ZWS2.0 or tidegate.json.v1, or for none"), "{answer:?}");
    assert_eq!(shake_hands(&host, "/in", "").1.status, 400);
}

#[test]
fn the_token_may_stand_in_the_query_and_in_no_log() {
    let token = "0123456789abcdef0123456789abcdef";
    let setup = Setup::new().committed("downcase").config(SOCKETS).config("[http]\ntoken_file = 'token'");
    std::fs::write(setup.path().join("token"), token).unwrap();
    let mut host = setup.env("TIDEGATE_LOG", "debug").start();
    let protocol = "Sec-WebSocket-Protocol: ZWS2.0\r\n";
    for path in ["/events", "/in"] {
        assert_eq!(shake_hands(&host, path, protocol).1.status, 401, "{path}");
        assert_eq!(shake_hands(&host, &format!("{path}?token=wrong"), protocol).1.status, 401, "{path}");
        let (_, answer) = shake_hands(&host, &format!("{path}?token={token}"), protocol);
        assert_eq!(answer.status, 101, "{path} {answer:?}");
        let (_, answer) = shake_hands(&host, path, &format!("{protocol}Authorization: Bearer {token}\r\n"));
        assert_eq!(answer.status, 101, "{path} {answer:?}");
    }
    // Whoever asks for no WebSocket can set a header, and the query is the plugin's.
    let plain = format!("GET /downcase/?param=A&token={token} HTTP/1.1\nHost: x\n");
    assert_eq!(refused(&host, &format!("{plain}\n")).0, 401);
    assert_eq!(refused(&host, &format!("{plain}Authorization: Bearer {token}\n\n")).0, 200);
    assert_eq!(shake_hands(&host, &format!("/downcase/?token={token}"), protocol).1.status, 101);
    let (code, stderr) = host.stop_and_tell();
    assert!(code == 0 && stderr.contains("/events") && !stderr.contains(token), "{stderr}");
}

#[test]
fn there_is_a_bound_on_websockets_and_each_is_a_connection() {
    let host = Setup::new().committed("downcase").config(SOCKETS).config("[http]\nwebsockets_max = 2").start();
    let connections = || {
        let metrics = host.admin("/metrics");
        let line =
            metrics.text().lines().find(|line| line.starts_with("tidegate_http_connections_open{surface=\"http\"}"));
        line.and_then(|line| line.rsplit_once(' ')).map(|(_, count)| count.to_owned()).expect("a line")
    };
    let (mut first, _second) = (WebSocket::zws(&host, "/in", ""), WebSocket::open(&host, "/events", ""));
    assert_eq!(connections(), "2");
    let (_, answer) = shake_hands(&host, "/events", "");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{answer:?}");
    assert!(answer.body.contains("websockets_max 2"), "{answer:?}");
    first.send(CLOSE, &1000u16.to_be_bytes());
    assert_eq!(first.receive(), (CLOSE, 1000u16.to_be_bytes().to_vec()));
    drop(first);
    let mut third = wait_for("room", || {
        let (raw, answer) = shake_hands(&host, "/in", "Sec-WebSocket-Protocol: ZWS2.0\r\n");
        (answer.status == 101).then(|| WebSocket(raw))
    });
    assert_eq!(third.receive(), (BINARY, b"\0".to_vec()));
}
