//! What a comparison takes of the machine, and what it leaves to the traffic.

use super::*;
use std::time::{Duration, Instant};

#[test]
fn a_newcomer_that_loops_is_refused_in_time_and_the_traffic_goes_on() {
    let bodies: Vec<_> = (0..500).map(|number| format!("body {number}")).collect();
    let bodies: Vec<_> = bodies.iter().map(String::as_str).collect();
    let lines = "max_diff = '50%'\ntime_max_ms = 2_000\n[plugins.p.limits]\ncall_deadline_ms = 200\ncalls_max = 1";
    let host = gated(&echoing(), lines, &bodies).start();
    let calls = std::thread::scope(|scope| {
        let loading = scope.spawn(|| {
            let began = Instant::now();
            (refusal(&host, "p", &fixtures::looping()), began.elapsed())
        });
        let mut calls = 0;
        while !loading.is_finished() {
            // One call may run at a time, and none of those that are made again takes its place.
            let answer = host.post("/p/", b"mine");
            assert_eq!((answer.status, answer.text()), (200, "mine"));
            calls += 1;
        }
        let (reason, took) = loading.join().unwrap();
        assert!(
            reason.starts_with("gate: after 2000 ms ") && reason.contains("raise plugins.p.gate.time_max_ms"),
            "{reason}"
        );
        assert!(took > Duration::from_secs(2) && took < LONG_PATIENCE, "{took:?}");
        calls
    });
    assert!(calls > 10, "{calls}");
    let status = host.status("p");
    // Neither the newcomer's probe nor a call of the comparison is counted.
    assert_eq!((&status["calls"], &status["failures"]), (&calls.into(), &serde_json::json!({})));
    assert_eq!(host.ledger()["plugins"]["p"]["in"], calls);
    assert_eq!(host.ledger()["hops"]["transform"]["in"], calls);
    assert_eq!((&status["state"], &status["log_lines_dropped"]), (&"serving".into(), &0.into()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_newcomer_that_loops_where_nothing_may_differ_is_refused_at_its_first_input() {
    let lines = "[plugins.p.limits]\ncall_deadline_ms = 100";
    let host = gated(&echoing(), lines, &["a", "b", "c"]).start();
    let reason = refusal(&host, "p", &fixtures::looping());
    // Of the first one a busy machine may not be able to tell.
    assert!(reason.contains("1 new failure") && reason.contains(", new failure: deadline-exceeded"), "{reason}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_a_guest_writes_while_it_is_compared_stays_out_of_the_log() {
    let host = gated(&fixtures::complaining(), "", &["one word", "another"]).start();
    accepted(&host, "p", &renamed(&fixtures::complaining(), b'n'));
    assert!(!host.process.stderr().contains("one word"), "{}", host.process.stderr());
    assert_eq!(host.post("/p/", b"a third").text(), "a third");
    wait_for_log(&host, "a third");
    assert_eq!(host.stop(), 0);
}

#[test]
fn random_numbers_and_clocks_make_no_difference() {
    for guest in [fixtures::drawing(), fixtures::telling_time(), fixtures::failing_by_chance_and_time()] {
        let host = gated(&guest, "", &["a", "b", "c"]).start();
        accepted(&host, "p", &renamed(&guest, b'n'));
        wait_for_log(&host, "0 of 3 inputs of yesterday.mcap differ from what served");
        assert_eq!(host.status("p")["generation"], 2);
        assert_eq!(host.stop(), 0);
    }
}

#[test]
fn what_an_instance_remembers_makes_no_difference() {
    // It is let in as `reuse` asks for, and is compared without memory of the input before.
    let guest = fixtures::counting();
    let host = gated(&guest, "[plugins.p]\nreuse = 1000", &["a", "b", "c"]).start();
    accepted(&host, "p", &renamed(&guest, b'n'));
    assert_eq!(host.stop(), 0);
}
