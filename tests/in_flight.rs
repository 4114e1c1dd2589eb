//! The bodies that the host holds, of requests and of answers that nobody reads, have a bound in bytes.

use crate::fixtures;
use crate::harness::{Host, Setup, root, wait_for};
use crate::raw_http::{Raw, RawAnswer};
use std::io::Read;

const BODY_BYTES: usize = 12 << 20;
const SECTION: &str =
    "[http]\nbody_bytes_max = 16777216\nin_flight_bytes_max = 41943040\n[limits]\ncall_deadline_ms = 60000";

/// A client that asks for a large answer and reads only its head.
fn unread(host: &Host) -> (Raw, RawAnswer) {
    let mut raw = Raw::connect(host, "http");
    raw.send(format!("POST /echo/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {BODY_BYTES}\r\n\r\n"));
    raw.send(vec![b'x'; BODY_BYTES]);
    let answer = raw.head().expect("an answer");
    (raw, answer)
}

#[test]
fn answers_that_nobody_takes_leave_no_room_for_more_than_the_bound() {
    let setup = Setup::new().plugin("echo", &fixtures::echoing(40 << 20)).config(SECTION);
    let host = setup.with(&["--publish=none"]).start();
    let mut served = Vec::new();
    let refused = loop {
        let (mut raw, answer) = unread(&host);
        if answer.status != 200 {
            let words = String::from_utf8(raw.rest()).unwrap();
            assert!(words.contains("in_flight_bytes_max 41943040"), "{answer:?}: {words}");
            break answer;
        }
        served.push(raw);
        assert!(served.len() <= 4, "{} MiB are held", (served.len() * BODY_BYTES) >> 20);
    };
    assert!(served.len() >= 2, "{refused:?}");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")), "{refused:?}");
    // A client that reads its answer makes room, and so does one that disconnects.
    let mut first = served.remove(0);
    let mut body = Vec::new();
    first.0.read_to_end(&mut body).unwrap();
    assert_eq!(body.len(), BODY_BYTES);
    served.truncate(1);
    wait_for("room", || (unread(&host).1.status == 200).then_some(()));
    drop(served);
    wait_for("more room", || (unread(&host).1.status == 200).then_some(()));
    assert_eq!(host.stop(), 0);
}

/// A client that asks for a stream of this many bytes and reads none; returns once the handler has written them.
fn untaken(host: &Host, bytes: usize) -> Raw {
    let before = host.ledger()["hops"]["handler"]["out"].as_u64().unwrap();
    let mut raw = Raw::connect(host, "http");
    raw.send(format!("GET /h/stream?{bytes} HTTP/1.1\r\nhost: x\r\n\r\n"));
    wait_for("the end of the call", || (host.ledger()["hops"]["handler"]["out"] == before + 1).then_some(()));
    raw
}

fn streaming(in_flight_bytes_max: usize) -> Host {
    let handler = std::fs::read(root().join("tests/fixtures/handler.wasm")).unwrap();
    let config = format!("[limits]\ncall_deadline_ms = 60000\n[http]\nin_flight_bytes_max = {in_flight_bytes_max}");
    Setup::new().plugin("h", &handler).config(&config).with(&["--frontend=none"]).start()
}

#[test]
fn a_response_that_is_streamed_holds_its_room_until_it_is_taken() {
    // A request is admitted over the bound if it is alone; bytes in socket buffers are not counted as held.
    let host = streaming(4 << 20);
    let raw = untaken(&host, 16_000_000);
    let refused = host.get("/h/");
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{}", refused.text());
    drop(raw);
    wait_for("room", || (host.get("/h/").status == 200).then_some(()));
}

#[test]
fn a_response_that_is_streamed_holds_no_more_than_it_is() {
    // There is room for what three calls may return; socket buffers take some of what they do return.
    let host = streaming(60 << 20);
    let mut all: Vec<Raw> = (0..4).map(|_| untaken(&host, 12_000_000)).collect();
    all.truncate(1);
    assert_eq!(all.remove(0).head().unwrap().status, 200);
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_start_says_where_a_plugin_may_run_more_calls_than_there_is_room_for() {
    let host = Setup::new().committed("downcase").config("[http]\nin_flight_bytes_max = 100663296").start();
    host.process.wait_for_line(&[
        "WARN",
        "downcase may run 64 calls that return 16777216 bytes each",
        "has room for 4",
    ]);
    let host = Setup::new().committed("downcase").start();
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    assert!(!host.process.stderr().contains("may run"), "{}", host.process.stderr());
}

#[test]
fn slow_plugins_leave_room_for_others() {
    // Room for six calls.
    let config = "[limits]\ncall_deadline_ms = 60000\n[http]\nin_flight_bytes_max = 100663296";
    let setup = Setup::new().plugin("slow", &fixtures::waiting()).plugin("slower", &fixtures::waiting());
    let host = setup.committed("downcase").config(config).start();
    let mut running = Vec::new();
    for (name, calls) in [("slow", 4), ("slower", 1)] {
        for call in 1..=calls {
            let mut raw = Raw::connect(&host, "http");
            raw.send(format!("GET /{name}/?param=x HTTP/1.1\r\nhost: x\r\n\r\n"));
            wait_for("the call", || (host.status(name)["calls_in_flight"] == call).then_some(()));
            running.push(raw);
        }
        let refused = host.get(&format!("/{name}/?param=x"));
        assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{}", refused.text());
        assert!(refused.text().contains("in_flight_bytes_max 100663296"), "{}", refused.text());
    }
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    let metrics = host.admin("/metrics");
    let counted = "tidegate_http_requests_over_bytes_total{surface=\"http\"} 2\n";
    assert!(metrics.text().contains(counted), "{}", metrics.text());
}

#[test]
fn a_body_that_is_announced_and_does_not_come_takes_no_room() {
    let host = Setup::new().committed("downcase").config(SECTION).start();
    let clients: Vec<Raw> = (0..4)
        .map(|_| {
            let mut raw = Raw::connect(&host, "http");
            raw.send("POST /downcase/ HTTP/1.1\r\nhost: x\r\ncontent-length: 16777216\r\n\r\n");
            raw
        })
        .collect();
    wait_for("all of them", || (host.ledger()["hops"]["http"]["in_flight"] == clients.len()).then_some(()));
    assert_eq!(host.get("/downcase/?param=A").status, 200);
}

#[test]
fn many_small_answers_at_once_need_no_room_to_speak_of() {
    const CLIENTS: usize = 400;
    let host =
        Setup::new().committed("downcase").config("[limits]\ncalls_max = 1000\n[http]\nqueue_delay_ms_max = 0").start();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut raw = Raw::connect(&host, "http");
            raw.send("POST /downcase/ HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n");
            raw.send("A");
            raw
        })
        .collect();
    wait_for("all of them", || (host.ledger()["hops"]["http"]["in_flight"] == CLIENTS).then_some(()));
    for mut raw in clients {
        raw.send("B");
        let answer = raw.answer().unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "lower case of AB is ab"), "{answer:?}");
    }
    assert_eq!(host.stop(), 0);
}
