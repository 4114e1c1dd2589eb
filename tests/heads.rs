//! Request heads: a head that breaks RFC 9112 or a bound is refused with a reason.

use crate::harness::{Host, Setup, wait_for};
use crate::raw_http::Raw;

fn host(http: &str) -> Host {
    Setup::new().committed("downcase").config(&format!("[http]\n{http}")).start()
}

const OWN: &str = "/downcase/?param=A";

/// Request heads, and the statuses of their answers.
const TABLE: [(&str, u16); 44] = [
    ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", 200),
    ("GET / HTTP/1.1\r\nHOST: x:80\r\n\r\n", 200),
    ("GET / HTTP/1.1\nhost: x\n\n", 200),
    ("\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n", 200),
    ("GET / HTTP/1.0\r\n\r\n", 200),
    ("GET http://x/ HTTP/1.1\r\nhost: x\r\n\r\n", 200),
    ("GET http://x/ HTTP/1.1\r\nhost: y\r\n\r\n", 200),
    // Host.
    ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n", 400),
    ("GET / HTTP/1.0\r\nhost: x\r\nhost: y\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost:\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: x y\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: u@x\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: x/y\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: x:port\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: \u{e9}\r\n\r\n", 400),
    ("GET http://x/ HTTP/1.1\r\n\r\n", 400),
    ("GET http://u@x/ HTTP/1.1\r\nhost: x\r\n\r\n", 400),
    ("GET x HTTP/1.1\r\nhost: x\r\n\r\n", 400),
    // Lengths and codings.
    ("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", 400),
    ("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1, 2\r\n\r\nab", 400),
    ("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: +1\r\n\r\na", 400),
    ("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0x1\r\n\r\na", 400),
    ("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\na", 400),
    ("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\na", 400),
    ("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, gzip\r\n\r\na", 400),
    ("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    ("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501),
    ("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 501),
    ("POST / HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    // Lines.
    ("GET  / HTTP/1.1\r\nhost: x\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost : x\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n host: x\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: x\r\na: b\r\n c\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: x\r\n\tc: d\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: x\r\na: b\rc\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: x\r\na: b\0c\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: x\r\na\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nhost: x\r\n: b\r\n\r\n", 400),
    ("GET / HTTP/1.2\r\nhost: x\r\n\r\n", 400),
    ("G T / HTTP/1.1\r\nhost: x\r\n\r\n", 400),
    ("\x16\x03\x01\x02\0\x01\0\x01\r\n\r\n", 400),
];

#[test]
fn what_the_rfc_forbids_is_refused_with_words() {
    let host = host("");
    for surface in ["http", "admin"] {
        for (request, status) in TABLE {
            // The admin surface has no index.
            let request = match (surface, status) {
                ("admin", 200) => request.replace("/ HTTP", "/livez HTTP"),
                _ => request.to_owned(),
            };
            let mut raw = Raw::connect(&host, surface);
            raw.send(&request);
            raw.half_close();
            let answer = raw.last_answer();
            assert_eq!(answer.status, status, "{surface}: {request:?}: {answer:?}");
            if status != 200 {
                assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{request:?}: {answer:?}");
                assert!(answer.body.contains("\"detail\""), "{request:?}: {answer:?}");
            }
        }
    }
    assert_eq!(host.stop(), 0);
}

/// A request with two lengths is ambiguous, so nothing after it is taken for a request.
#[test]
fn nothing_follows_a_request_with_a_length_and_chunks() {
    let host = host("");
    for lengths in
        ["content-length: 5\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 5"]
    {
        let mut raw = Raw::connect(&host, "http");
        raw.send(format!(
            "POST /downcase/ HTTP/1.1\r\nhost: x\r\n{lengths}\r\n\r\n1\r\nA\r\n0\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n"
        ));
        let answer = raw.last_answer();
        assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
    }
}

/// Whether the host has read all that was sent, or has closed the connection, according to `/proc/net/tcp`.
fn is_read(raw: &Raw) -> bool {
    let ends = [raw.0.peer_addr(), raw.0.local_addr()].map(|end| end.map_or(0, |end| end.port()));
    let line = format!(":{:04X} 0100007F:{:04X} 01 ", ends[0], ends[1]);
    let connections = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let queues = connections.split(&line).nth(1).map(|rest| rest.split(' ').next().unwrap());
    queues.is_none_or(|queues| queues.ends_with(":00000000"))
}

/// A request with a head of this many bytes.
fn head_of(bytes: usize) -> Vec<u8> {
    let (start, end) = (format!("GET {OWN} HTTP/1.1\r\nhost: x\r\nx: "), "\r\n\r\n");
    format!("{start}{}{end}", "x".repeat(bytes - start.len() - end.len())).into_bytes()
}

#[test]
fn the_bound_on_bytes_is_the_same_however_they_are_cut_up() {
    let host = host("head_bytes_max = 9000");
    for (bytes, status) in [(8_999, 200), (9_000, 200), (9_001, 431), (20_000, 431)] {
        let head = head_of(bytes);
        for cuts in [
            vec![bytes],
            vec![8_192],
            vec![1_000, 7_999],
            vec![9_000],
            vec![4_096, 4_096],
            (1..90).map(|_| 100).collect(),
        ] {
            let mut raw = Raw::connect(&host, "http");
            let mut rest = &head[..];
            for cut in cuts.iter().chain([&bytes]) {
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                raw.send(piece);
                rest = after;
                wait_for("the host to read it alone", || is_read(&raw).then_some(()));
            }
            let answer = raw.answer().expect("an answer");
            assert_eq!(answer.status, status, "{bytes} bytes in pieces of {cuts:?}: {answer:?}");
            if status == 431 {
                assert!(answer.body.contains("head_bytes_max 9000"), "{answer:?}");
            }
        }
    }
}

#[test]
fn the_bound_on_headers_is_told_and_can_be_set() {
    for (config, max) in [("", 100), ("headers_max = 8", 8), ("headers_max = 500", 500)] {
        let host = host(config);
        for (headers, status) in [(max, 200), (max + 1, 431)] {
            for surface in ["http", "admin"] {
                let path = if surface == "http" { "/" } else { "/livez" };
                let mut raw = Raw::connect(&host, surface);
                let more: String = (1..headers).map(|number| format!("x-{number}: y\r\n")).collect();
                raw.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{more}\r\n"));
                let answer = raw.answer().expect("an answer");
                assert_eq!(answer.status, status, "{headers} headers, {config}: {answer:?}");
                if status == 431 {
                    assert!(answer.body.contains(&format!("headers_max {max}")), "{answer:?}");
                    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
                }
            }
        }
    }
}

#[test]
fn what_came_before_a_bad_head_is_answered() {
    let host = host("");
    let mut raw = Raw::connect(&host, "http");
    raw.send(format!("GET {OWN} HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost : x\r\n\r\n"));
    assert_eq!(raw.answer().unwrap().body, "lower case of A is a");
    let answer = raw.last_answer();
    assert!(answer.status == 400 && answer.body.contains("RFC 9112"), "{answer:?}");
    let metrics = host.admin("/metrics");
    assert!(
        metrics.text().lines().any(|line| line.contains("status=\"400\"") && line.ends_with(" 1")),
        "{}",
        metrics.text()
    );
}
