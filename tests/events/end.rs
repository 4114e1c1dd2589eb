//! A host that ends ends its streams at once, and has their clients come back at different times.

use super::follower::Follower;
use super::{host, push_numbers};
use crate::client::Client;
use crate::fixtures;
use crate::harness::{Setup, wait_for};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

#[test]
fn all_streams_end_with_what_they_are_due_and_a_time_to_come_back() {
    let (host, socket) = host("retry_ms = 1000\n[shutdown]\ngrace_ms = 120000\n");
    let mut followers: Vec<_> = (0..20).map(|_| Follower::of(&host, "/events")).collect();
    push_numbers(&host, &socket, "a", 0..10);
    let began = Instant::now();
    // Nobody reads before the end.
    assert_eq!(host.stop(), 0);
    assert!(began.elapsed() < Duration::from_secs(60), "long before the end of the grace period");
    let mut retries = BTreeSet::new();
    for follower in &mut followers {
        let mut seen = 0;
        let mut last = None;
        while let Some(block) = follower.block() {
            seen += u64::from(block.data.is_some());
            last = block.retry.or(last);
        }
        assert_eq!(seen, 10);
        retries.insert(last.expect("a time"));
    }
    assert!(retries.first() >= Some(&1_000) && retries.last() <= Some(&6_000), "{retries:?}");
    assert!(retries.len() > 10, "{retries:?}");
}

#[test]
fn what_the_last_requests_publish_comes_before_the_end() {
    let host = Setup::new().plugin("count", &fixtures::counting_slowly()).with(&["--events"]).start();
    let mut follower = Follower::of(&host, "/events");
    let client = Client::new(&host);
    let call = std::thread::spawn(move || client.request("GET", "/count/?param=w", None).unwrap().status);
    wait_for("the call", || (host.ledger()["hops"]["transform"]["in"] == 1).then_some(()));
    assert_eq!(host.stop(), 0);
    assert_eq!(call.join().unwrap(), 200);
    assert_eq!(follower.event().data.unwrap(), "1");
    assert!(follower.block().is_some_and(|block| block.retry.is_some()));
    assert_eq!(follower.block(), None);
}
