//! An answer that is sent before the request's body was read still reaches a client that sends the whole body first.

use crate::fixtures;
use crate::harness::{Host, Setup, wait_for};
use crate::raw_http::{Raw, RawAnswer};
use std::io::Write;
use std::time::{Duration, Instant};

const CLIENTS: usize = 20;
const BODY_BYTES: usize = 900_000;

/// The answers to clients that send a whole body before they read anything.
#[track_caller]
fn answers(host: &Host, surface: &str, line: &str, headers: &str) -> Vec<RawAnswer> {
    let body = vec![b'x'; BODY_BYTES];
    (0..CLIENTS)
        .map(|_| {
            let mut raw = Raw::connect(host, surface);
            raw.send(format!("{line} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {BODY_BYTES}\r\n\r\n"));
            raw.send(&body);
            raw.last_answer()
        })
        .collect()
}

#[test]
fn whatever_the_status_it_is_read() {
    let long = format!("POST /downcase/?{}", "x".repeat(200));
    let host =
        Setup::new().committed("downcase").config("[http]\nuri_bytes_max = 100\nbody_bytes_max = 100000").start();
    let cases = [
        ("http", "POST /nowhere/", "", 404),
        ("http", "POST /", "", 405),
        ("http", "PUT /downcase/", "", 405),
        ("http", &long, "", 414),
        ("http", "POST /downcase/", "", 413),
        ("http", "POST /downcase/", "host: again\r\n", 400),
        ("http", "POST /downcase/?a=%", "", 400),
        ("admin", "POST /nowhere", "", 404),
        ("admin", "POST /plugins", "", 405),
        ("admin", "POST /drain", "origin: http://example.org\r\n", 403),
        ("admin", "PUT /plugins/x?persist=perhaps", "", 400),
    ];
    for (surface, line, headers, status) in cases {
        for answer in answers(&host, surface, line, headers) {
            assert_eq!(answer.status, status, "{line}: {answer:?}");
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{line}: {answer:?}");
            assert_eq!(answer.header("connection"), Some("close"), "{line}: {answer:?}");
        }
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn who_is_to_come_back_later_reads_when() {
    let setup = Setup::new().plugin("loop", &fixtures::looping()).config("[http]\nrequests_max = 1");
    let host = setup.config("[plugins.loop.limits]\ncall_deadline_ms = 60000").start();
    let mut busy = Raw::connect(&host, "http");
    busy.send("GET /loop/?param=x HTTP/1.1\r\nhost: x\r\n\r\n");
    wait_for("the call", || (host.status("loop")["calls_in_flight"] == 1).then_some(()));
    for answer in answers(&host, "http", "POST /loop/", "") {
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{answer:?}");
    }
}

#[test]
fn without_the_token_too() {
    let setup = Setup::new().committed("downcase").config("[http]\ntoken_file = 'token'");
    std::fs::write(setup.path().join("token"), "0123456789abcdef").unwrap();
    let host = setup.start();
    for answer in answers(&host, "http", "POST /downcase/", "") {
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")), "{answer:?}");
    }
}

#[test]
fn chunks_and_more_than_anybody_wants_are_no_different() {
    let host = Setup::new().committed("downcase").start();
    let mut raw = Raw::connect(&host, "http");
    raw.send("POST /nowhere/ HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    let chunk = [format!("{:x}\r\n", 1 << 16).as_bytes(), &[b'x'; 1 << 16], b"\r\n"].concat();
    (0..32).for_each(|_| raw.send(&chunk));
    raw.send("0\r\n\r\n");
    assert_eq!(raw.last_answer().status, 404);

    let mut raw = Raw::connect(&host, "http");
    raw.send("POST /nowhere/ HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n");
    (0..100).for_each(|_| raw.send(vec![b'x'; 1_000_000]));
    assert_eq!(raw.last_answer().status, 404);

    // A head that is so large that the host stops reading it.
    let mut raw = Raw::connect(&host, "http");
    raw.send(format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(BODY_BYTES)));
    assert_eq!(raw.last_answer().status, 431);
}

#[test]
fn who_never_ends_is_cut_off() {
    let host = Setup::new().committed("downcase").start();
    let mut raw = Raw::connect(&host, "http");
    raw.send("POST /nowhere/ HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    let chunk = [format!("{:x}\r\n", 1 << 20).as_bytes(), &[b'x'; 1 << 20], b"\r\n"].concat();
    let sent = (0..4096).take_while(|_| raw.0.write_all(&chunk).is_ok()).count();
    assert!(sent < 1024, "{sent} MiB were taken");
}

#[test]
fn who_waits_to_be_told_is_not_told_to_send() {
    let host = Setup::new().committed("downcase").config("[http]\nbody_bytes_max = 1000").start();
    for (line, status) in [("POST /nowhere/", 404), ("PUT /downcase/", 405), ("POST /downcase/", 413)] {
        let mut raw = Raw::connect(&host, "http");
        raw.send(format!("{line} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5000\r\n\r\n"));
        assert_eq!(raw.last_answer().status, status, "{line}");
    }
    let mut raw = Raw::connect(&host, "http");
    raw.send("POST /downcase/ HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n");
    assert_eq!(raw.answer().unwrap().status, 100);
    raw.send("A");
    assert_eq!(raw.answer().unwrap().body, "lower case of A is a");
}

#[test]
fn a_small_rest_costs_no_connection() {
    let host = Setup::new().committed("downcase").start();
    let mut raw = Raw::connect(&host, "http");
    for line in ["POST /nowhere/", "PUT /downcase/", "POST /", "POST /downcase/"] {
        let small = "x".repeat(1_000);
        raw.send(format!("{line} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{small}", small.len()));
        let answer = raw.answer().expect("the connection goes on");
        assert_eq!(answer.header("connection"), None, "{answer:?}");
    }
}

#[test]
fn the_end_of_the_host_waits_for_none_of_it() {
    let host = Setup::new().committed("downcase").start();
    let mut raw = Raw::connect(&host, "http");
    raw.send("POST /nowhere/ HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n\r\n");
    assert_eq!(raw.answer().unwrap().status, 404);
    let mut more = raw.0.try_clone().unwrap();
    // The pauses between bytes are shorter than any timeout.
    let sending = std::thread::spawn(move || {
        while more.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let started = Instant::now();
    assert_eq!(host.stop(), 0);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    sending.join().unwrap();
}
