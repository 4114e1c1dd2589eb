//! Failures of handlers: an error status if nothing was sent yet, else the end of the connection; both are counted.

use super::{ask, foreign, handler_hop, setup};
use crate::fixtures;
use crate::harness::{Client, Host, Process, Setup, tidegate, wait_for};
use serde_json::json;

/// The number of calls that failed for this reason. Calls that were starved on a busy machine count as late.
fn dropped(host: &Host, reason: &str) -> u64 {
    let count = |reason| handler_hop(host)["dropped"][reason].as_u64().unwrap_or(0);
    count(reason) + if reason == "deadline-exceeded" { count("starved") } else { 0 }
}

#[test]
fn a_failure_before_anything_was_sent_has_its_status() {
    let host = setup().config("[plugins.h.limits]\ncall_deadline_ms = 3000").start();
    for (path, status, reason, detail) in [
        ("trap", 502, "trapped", "the plugin trapped"),
        ("grow", 502, "over-memory", "memory_bytes_max"),
        ("loop", 504, "deadline-exceeded", "call_deadline_ms 3000"),
        ("silent", 502, "no-response", "without a response"),
        ("error", 502, "failed", "the plugin failed"),
        ("status?101", 502, "failed", "the plugin failed"),
        ("length?99999999", 502, "over-output", "output_bytes_max"),
    ] {
        let before = handler_hop(&host)["dropped"][reason].as_u64().unwrap_or(0);
        // On a busy machine the call may be starved instead.
        let answer = wait_for("time for it", || {
            Some(host.get(&format!("/h/{path}"))).filter(|answer| !answer.text().contains("the host is too busy"))
        });
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.text().contains(detail), "{path}: {}", answer.text());
        let ledger = host.ledger();
        assert_eq!(ledger["hops"]["handler"]["dropped"][reason], before + 1, "{path}: {ledger}");
        assert_eq!(ledger["hops"]["handler"], ledger["plugins"]["h"], "{path}");
    }
    host.process.wait_for_line(&["call failed", "out of paper"]);
    host.process.wait_for_line(&["call failed", "no final status"]);
    assert_eq!(host.get("/h/").text(), "hello");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_failure_after_that_ends_the_connection() {
    let looping = std::fs::read(super::component()).unwrap();
    let limits = "call_deadline_ms = 60000\noutput_bytes_max = 3000000\n[plugins.loop.limits]\ncall_deadline_ms = 300";
    let host = setup().plugin("loop", &looping).config(&format!("[limits]\n{limits}")).start();
    for (path, reason) in [
        ("h/late-trap", "trapped"),
        ("loop/late-loop", "deadline-exceeded"),
        ("h/endless", "over-output"),
        ("h/stream?3000001", "over-output"),
        ("h/length?4", "failed"),
        ("h/length?6", "failed"),
    ] {
        let before = dropped(&host, reason);
        let broken = Client::new(&host).request("GET", &format!("/{path}"), None);
        // On a busy machine the deadline may pass before anything was sent.
        assert!(broken.as_ref().map_or(true, |answer| answer.status >= 502), "{path}: {broken:?}");
        wait_for("the end of the call", || (dropped(&host, reason) == before + 1).then_some(()));
    }
    let ledger = host.ledger();
    assert_eq!((&ledger["hops"]["http"]["out"], &ledger["hops"]["http"]["dropped"]), (&json!(6), &json!({})));
    host.process.wait_for_line(&["call failed", "5 bytes", "content-length is 4"]);
    host.process.wait_for_line(&["call failed", "gave up the body of its response"]);
    assert_eq!(host.stop(), 0);
}

/// The client gets the whole answer; a failure of the guest after that is counted against the guest only.
#[test]
fn a_response_is_whole_though_its_handler_goes_on() {
    let host = setup().start();
    let answer = host.get("/h/afterwards");
    assert_eq!((answer.status, answer.text()), (200, "done"));
    wait_for("the deadline", || (dropped(&host, "deadline-exceeded") == 1).then_some(()));
}

#[test]
fn a_client_that_goes_away_ends_its_call() {
    let host = setup().config("[limits]\ncall_deadline_ms = 60000").start();
    let stream = ask(&host, "/h/drip?100000");
    wait_for("the call", || (handler_hop(&host)["in_flight"] == 1).then_some(()));
    drop(stream);
    wait_for("its end", || (handler_hop(&host)["dropped"] == json!({"client-gone": 1})).then_some(()));
    assert_eq!(handler_hop(&host)["in_flight"], 0);
}

#[test]
fn more_calls_than_may_be_are_refused() {
    let host = setup().config("[plugins.h.limits]\ncalls_max = 1\ncall_deadline_ms = 60000").start();
    let stream = ask(&host, "/h/drip?100000");
    wait_for("the call", || (handler_hop(&host)["in_flight"] == 1).then_some(()));
    let refused = host.get("/h/");
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{}", refused.text());
    drop(stream);
    wait_for("room", || (host.get("/h/").status == 200).then_some(()));
}

#[test]
fn a_handler_that_keeps_failing_is_paused() {
    let component = std::fs::read(super::component()).unwrap();
    let host = Setup::new().plugin("h", &component).config("[rollback]\nfailures = 3\npause_ms = 60000").start();
    assert_eq!([0; 4].map(|_| host.get("/h/trap").status), [502, 502, 502, 503]);
    assert_eq!(host.status("h")["state"], "paused");
}

#[test]
fn what_is_no_handler_of_the_standard_is_refused() {
    let text = |text: &str| wat::parse_str(text).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.wasm");
    for (component, reason) in [
        (
            text(
                r#"(component (instance (export "tidegate:plugin/transform@0.1.0"))
                (instance (export "wasi:http/incoming-handler@0.2.0")))"#,
            ),
            "can be only one of them",
        ),
        (text(r#"(component (instance (export "wasi:http/incoming-handler@0.3.0")))"#), "this host speaks 0.2"),
        (text(r#"(component (instance (export "wasi:http/incoming-handler@0.2.0")))"#), "type-check"),
        (
            text(
                r#"(component (import "wasi:http/outgoing-handler@0.2.0" (instance (export "handle" (func))))
                (instance (export "tidegate:plugin/transform@0.1.0")))"#,
            ),
            "only a handler",
        ),
    ] {
        std::fs::write(&path, component).unwrap();
        let mut check = Process::start(tidegate().args(["plugin", "check"]).arg(&path));
        assert_eq!(check.wait().code(), Some(1), "{reason}");
        assert!(check.stderr().contains(reason), "{reason}: {}", check.stderr());
    }
    // A handler cannot be swapped in for a transform.
    let host = Setup::new().plugin("x", &fixtures::filtering()).start();
    let put = host.admin_request("PUT", "/plugins/x", Some(&foreign("recipe")));
    assert_eq!((put.status, put.text().contains("lacks the role transform")), (422, true), "{}", put.text());
}
