//! WebSockets over TLS: events, a socket of a flow, and which pages are of the host.

use super::client::{BINARY, CLOSE, KEY, TEXT, frame, receive};
use super::sockets::ROUTER;
use crate::harness::Host;
use crate::https;
use std::io::{Read, Write};

/// Asks for a WebSocket with these headers, and returns the connection and the status.
fn shake_hands(host: &Host, certificate: &str, path: &str, headers: &str) -> (https::Stream, u16) {
    let mut stream = https::connect(host, certificate);
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{headers}\r\n"
    )
    .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let status = String::from_utf8(head).unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    (stream, status)
}

#[test]
fn a_websocket_goes_over_tls_as_it_does_without() {
    let setup = https::setup("").config(&format!("[events]\nenabled = true\n{ROUTER}"));
    let certificate = https::write(setup.path(), &https::pair());
    let mut host = setup.start();
    for (origin, status) in [("https://localhost", 101), ("http://localhost", 403), ("https://localhost:80", 403)] {
        let (_, got) = shake_hands(&host, &certificate, "/events", &format!("Origin: {origin}\r\n"));
        assert_eq!(got, status, "{origin}");
    }
    let (mut dealer, status) = shake_hands(&host, &certificate, "/in", "Sec-WebSocket-Protocol: ZWS2.0\r\n");
    assert_eq!((status, receive(&mut dealer)), (101, (BINARY, b"\0".to_vec())));
    dealer.write_all(&frame(true, BINARY, b"\0me")).unwrap();
    // Several records of TLS each way.
    let text = "A".repeat(100_000);
    dealer.write_all(&frame(true, BINARY, format!("\0{text}").as_bytes())).unwrap();
    let answer = format!("\0lower case of {text} is {}", text.to_lowercase());
    assert!(receive(&mut dealer) == (BINARY, answer.into_bytes()));

    let (mut events, status) = shake_hands(&host, &certificate, "/events", "");
    assert_eq!(status, 101);
    https::ask(&mut https::connect(&host, &certificate)).unwrap();
    assert_eq!(receive(&mut events), (TEXT, b"lower case of A is a".to_vec()));
    host.process.signal("TERM");
    for client in [&mut events, &mut dealer] {
        let (opcode, payload) = receive(client);
        assert_eq!((opcode, &payload[..2]), (CLOSE, &1001u16.to_be_bytes()[..]));
        client.write_all(&frame(true, CLOSE, &payload[..2])).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    }
    assert_eq!(host.wait(), 0);
}
