//! A client that shuts down its sending side is answered; a client that resets the connection ends its call.

use crate::balance::at_exit;
use crate::fixtures;
use crate::harness::{Host, Setup, wait_for};
use crate::raw_http::Raw;
use serde_json::json;

const GET: &str = "GET /downcase/?param=A HTTP/1.1\r\nhost: x\r\n\r\n";
const A: &str = "lower case of A is a";
/// A deadline that is longer than any test waits.
const LONG: &str = "[plugins.wait.limits]\ncall_deadline_ms = 120000";

fn waiting(config: &str) -> Host {
    Setup::new().plugin("wait", &fixtures::waiting()).committed("downcase").config(config).start()
}

fn running(host: &Host) -> u64 {
    host.status("wait")["calls_in_flight"].as_u64().unwrap()
}

#[test]
fn it_is_answered() {
    let mut host = waiting("[plugins.wait.limits]\ncall_deadline_ms = 300");
    let post = "POST /downcase/ HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nA";
    let chunked = "POST /downcase/ HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\nA\r\n0\r\n\r\n";
    let old = "GET /downcase/?param=A HTTP/1.0\r\n\r\n";
    let all: Vec<_> = [GET, post, chunked, old]
        .into_iter()
        .map(|request| {
            let mut raw = Raw::connect(&host, "http");
            raw.send(request);
            raw.half_close();
            let answer = raw.last_answer();
            (answer.status, answer.body)
        })
        .collect();
    assert_eq!(all, vec![(200, A.to_owned()); 4]);

    // Pipelined requests, of which the first takes long.
    let mut raw = Raw::connect(&host, "http");
    raw.send(format!("GET /wait/?param=x HTTP/1.1\r\nhost: x\r\n\r\n{GET}"));
    raw.half_close();
    assert_eq!(raw.answer().map(|answer| answer.status), Some(504));
    assert_eq!(raw.last_answer().body, A);
    let mut raw = Raw::connect(&host, "http");
    raw.send("GET /wait/?param=x HTTP/1.1\r\nhost: x\r\n\r\n");
    wait_for("the call", || (running(&host) == 1).then_some(()));
    raw.half_close();
    assert_eq!(raw.last_answer().status, 504);

    let mut raw = Raw::connect(&host, "admin");
    raw.send("GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n");
    raw.half_close();
    assert_eq!(raw.last_answer().body, "live\n");

    let (code, stderr) = host.stop_and_tell();
    assert_eq!(
        (code, &at_exit(&stderr)["hops"]["http"]),
        (0, &json!({"in": 7, "out": 7, "in_flight": 0, "dropped": {}}))
    );
}

#[test]
fn half_a_request_is_none() {
    let host = waiting("");
    let mut raw = Raw::connect(&host, "http");
    raw.send("GET /downcase/?param=A HTTP/1.1\r\nhost: x\r\n");
    raw.half_close();
    assert_eq!(raw.rest(), b"");
    for body in [
        "content-length: 9\r\n\r\nhalf",
        "transfer-encoding: chunked\r\n\r\n9\r\nhalf",
        "transfer-encoding: chunked\r\n\r\n1\r\nA\r\n",
    ] {
        let mut raw = Raw::connect(&host, "http");
        raw.send(format!("POST /downcase/ HTTP/1.1\r\nhost: x\r\n{body}"));
        raw.half_close();
        let answer = raw.last_answer();
        assert!(answer.status == 400 && answer.body.contains("ended early"), "{answer:?}");
    }
    assert_eq!(host.ledger()["hops"]["transform"]["in"], 0);
}

#[test]
fn one_without_a_request_is_closed_at_once() {
    let host = waiting("[http]\nidle_timeout_ms = 3600000\nhead_timeout_ms = 3600000");
    let mut silent = Raw::connect(&host, "http");
    let mut served = Raw::connect(&host, "http");
    served.send(GET);
    assert_eq!(served.answer().unwrap().body, A);
    for raw in [&mut silent, &mut served] {
        raw.half_close();
        assert_eq!(raw.rest(), b"");
    }
}

#[test]
fn one_that_is_broken_off_gives_its_call_up() {
    let mut host = waiting(LONG);
    let mut raw = Raw::connect(&host, "http");
    // A client that closes with unread data resets the connection.
    raw.send(GET);
    wait_for("its answer", || (host.ledger()["hops"]["http"]["out"] == 1).then_some(()));
    raw.0.peek(&mut [0]).unwrap();
    raw.send("GET /wait/?param=x HTTP/1.1\r\nhost: x\r\n\r\n");
    wait_for("the call", || (running(&host) == 1).then_some(()));
    drop(raw);
    wait_for("its end", || (running(&host) == 0).then_some(()));
    let gone = json!({"in": 1, "out": 0, "in_flight": 0, "dropped": {"client-gone": 1}});
    let ledger = host.ledger();
    assert_eq!((&ledger["plugins"]["wait"], &ledger["hops"]["http"]["dropped"]), (&gone, &json!({"client-gone": 1})));
    assert_eq!(host.stop_and_tell().0, 0);
}

#[test]
fn one_that_is_closed_in_order_may_still_be_read() {
    let host = waiting("[plugins.wait.limits]\ncall_deadline_ms = 300");
    let mut raw = Raw::connect(&host, "http");
    raw.send("GET /wait/?param=x HTTP/1.1\r\nhost: x\r\n\r\n");
    wait_for("the call", || (running(&host) == 1).then_some(()));
    drop(raw);
    let out = json!({"in": 1, "out": 1, "in_flight": 0, "dropped": {}});
    wait_for("its end", || (host.ledger()["hops"]["http"] == out).then_some(()));
    assert_eq!(host.status("wait")["failures"], json!({"deadline-exceeded": 1}));
}
