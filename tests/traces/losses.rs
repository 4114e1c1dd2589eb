//! Spans that no collector takes are counted and told of, and keep nobody waiting.

use super::collector::{Answering, Collector};
use super::setup;
use crate::balance::at_exit;
use crate::harness::{Host, wait_for};
use serde_json::Value;
use std::net::TcpListener;
use std::time::{Duration, Instant};

fn hop(host: &Host) -> Value {
    host.ledger()["hops"]["traces"].take()
}

/// Waits until so many spans were dropped for this reason.
#[track_caller]
fn wait_for_dropped(host: &Host, reason: &str, count: u64) {
    wait_for(reason, || (hop(host)["dropped"][reason].as_u64() >= Some(count)).then_some(()));
}

/// The host serves, counts its spans as not taken, and says why in one line, however often that happens.
#[track_caller]
fn assert_not_taken(collector: &Collector, cause: &str) {
    let mut host = setup(collector, "").committed("downcase").start();
    for round in 1..=2 {
        for _ in 0..2 {
            assert_eq!(host.get("/downcase/?param=A").status, 200);
        }
        wait_for_dropped(&host, "not-taken", 6 * round);
    }
    let metrics = host.admin("/metrics").text().to_owned();
    assert!(metrics.contains("tidegate_hop_dropped_total{hop=\"traces\",reason=\"not-taken\"} 12"), "{metrics}");
    let (code, stderr) = host.stop_and_tell();
    assert_eq!(code, 0, "{stderr}");
    let told: Vec<_> = stderr.lines().filter(|line| line.contains("the collector did not take them")).collect();
    assert_eq!(told.len(), 1, "{stderr}");
    assert!(told[0].contains(cause) && told[0].contains(&collector.endpoint), "{}", told[0]);
}

#[test]
fn a_collector_that_is_away() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_not_taken(&Collector::away(&format!("http://{port}")), "refused");
}

#[test]
fn a_collector_that_refuses() {
    assert_not_taken(&Collector::start(Answering::With(503)), "it answered 503");
}

#[test]
fn a_collector_that_sends_elsewhere() {
    assert_not_taken(&Collector::start(Answering::With(307)), "it answered 307");
}

#[test]
fn a_collector_that_hangs_up() {
    assert_not_taken(&Collector::start(Answering::ByClosing), "");
}

#[test]
fn a_collector_that_takes_a_part() {
    let collector = Collector::start(Answering::Rejecting(2));
    let mut host = setup(&collector, "").committed("downcase").start();
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    wait_for_dropped(&host, "not-taken", 2);
    let hop = hop(&host);
    assert_eq!((&hop["in"], &hop["out"], &hop["dropped"]["not-taken"]), (&3.into(), &1.into(), &2.into()), "{hop}");
    let (_, stderr) = host.stop_and_tell();
    assert!(stderr.contains("it rejected 2 of a batch") && stderr.contains("too many"), "{stderr}");
}

#[test]
fn a_collector_that_is_slow() {
    let collector = Collector::start(Answering::Never);
    let mut host = setup(&collector, "timeout_ms = 50").committed("downcase").start();
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    wait_for_dropped(&host, "not-taken", 3);
    let (_, stderr) = host.stop_and_tell();
    assert!(stderr.contains("it took longer than otel.timeout_ms 50"), "{stderr}");
}

/// The bounds of the queue hold, and the end of the host waits for a collector no longer than for anything else.
#[test]
fn a_collector_that_hangs() {
    for bound in ["queue_spans_max = 8", "queue_bytes_max = 65536"] {
        let collector = Collector::start(Answering::Never);
        let config = format!("timeout_ms = 60000\n{bound}\n[shutdown]\ngrace_ms = 500");
        let mut host = setup(&collector, &config).committed("downcase").start();
        let mut requests = 0;
        while hop(&host)["dropped"]["queue-full"].as_u64() < Some(20) {
            assert_eq!(host.get("/downcase/?param=A").status, 200);
            requests += 1;
            assert!(requests < 10_000, "{}", hop(&host));
        }
        let started = Instant::now();
        let (code, stderr) = host.stop_and_tell();
        assert_eq!(code, 0, "{stderr}");
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        let told = stderr.lines().filter(|line| line.contains("as many wait to be sent as may")).count();
        assert_eq!(told, 1, "{stderr}");
        assert!(stderr.contains("the collector did not take them before the end"), "{stderr}");
        let hop = at_exit(&stderr)["hops"]["traces"].take();
        assert!(hop["dropped"]["abandoned"].as_u64() >= Some(3), "{hop}");
        assert_eq!((&hop["in"], &hop["out"]), (&(3 * requests).into(), &0.into()), "{hop}");
    }
}

#[test]
fn what_waits_for_others_is_sent_at_the_end() {
    let collector = Collector::start(Answering::Well);
    let host = setup(&collector, "").committed("downcase").start();
    for _ in 0..300 {
        assert_eq!(host.get("/downcase/?param=A").status, 200);
    }
    let mut host = host;
    let (code, stderr) = host.stop_and_tell();
    assert_eq!((code, collector.spans().len()), (0, 900), "{stderr}");
    let hop = at_exit(&stderr)["hops"]["traces"].take();
    assert_eq!((&hop["in"], &hop["out"]), (&900.into(), &900.into()), "{hop}");
}
