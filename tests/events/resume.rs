//! Who comes back gets what came meanwhile as far as it is kept, once and in order, and is told what is not.

use super::follower::Follower;
use super::{host, push_numbers};
use crate::harness::wait_for;
use serde_json::json;

fn numbers(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[test]
fn what_came_meanwhile_is_replayed_without_loss_or_repetition() {
    let (host, socket) = host("");
    let mut first = Follower::of(&host, "/events?topic=a");
    push_numbers(&host, &socket, "a", 0..3);
    assert_eq!(first.data(2), ["0", "1"]);
    let id = first.last_id.take().unwrap();
    drop(first);
    push_numbers(&host, &socket, "b", 0..300);
    push_numbers(&host, &socket, "a", 3..200);
    let mut resumed = Follower::after(&host, "/events?topic=a", &id);
    // More comes while it reads.
    push_numbers(&host, &socket, "a", 200..300);
    assert_eq!(resumed.data(298), numbers(2..300));
    // So does who says it in the query, and the header is newer than the query.
    let path = format!("/events?topic=a&last_event_id={id}");
    assert_eq!(Follower::of(&host, &path).data(298), numbers(2..300));
    let newest = resumed.last_id.take().unwrap();
    let mut newer = Follower::after(&host, &path, &newest);
    push_numbers(&host, &socket, "a", 300..301);
    assert_eq!(newer.data(1), ["300"]);
    assert_eq!(Follower::of(&host, "/events?topic=a&last_event_id=earliest").data(301), numbers(0..301));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_break_before_the_first_event_loses_nothing() {
    let (host, socket) = host("");
    let mut follower = Follower::of(&host, "/events?topic=a");
    let id = follower.block().unwrap().id.unwrap();
    drop(follower);
    push_numbers(&host, &socket, "a", 0..5);
    assert_eq!(Follower::after(&host, "/events?topic=a", &id).data(5), numbers(0..5));
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_is_no_longer_kept_is_told_as_a_gap() {
    let (host, socket) = host("ring_messages_max = 10\n");
    let mut follower = Follower::of(&host, "/events");
    push_numbers(&host, &socket, "a", 0..1);
    follower.event();
    let id = follower.last_id.take().unwrap();
    push_numbers(&host, &socket, "a", 1..31);
    // Who takes everything knows how many.
    let mut all = Follower::after(&host, "/events", &id);
    let gap = all.event();
    assert_eq!(gap.gap(), Some(json!(20)), "{gap:?}");
    let told = gap.id.clone().unwrap();
    assert_eq!(all.data(10), numbers(21..31));
    // Who takes some does not.
    let mut some = Follower::after(&host, "/events?topic=a", &id);
    assert_eq!(some.event().gap(), Some(json!("unknown")));
    assert_eq!(some.data(10), numbers(21..31));
    // Whoever comes back after the gap is told of it no more.
    assert_eq!(Follower::after(&host, "/events", &told).data(10), numbers(21..31));
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_id_of_another_run_or_none_at_all_is_a_gap_of_unknown_size() {
    let (host, socket) = host("");
    push_numbers(&host, &socket, "a", 0..2);
    let future = Follower::of(&host, "/events?last_event_id=earliest").block().unwrap().id.unwrap();
    let future = format!("{}-99999", future.split_once('-').unwrap().0);
    for id in ["0123456789abcdef-1", "nonsense", "-", "\u{e9}", "9999999999999999999999999"] {
        let mut follower = Follower::after(&host, "/events", id);
        // Who breaks off before the gap comes back with the same id.
        assert_eq!(follower.block().unwrap().id, None, "{id}");
        assert_eq!(follower.event().gap(), Some(json!("unknown")), "{id}");
        // All that is kept is newer.
        assert_eq!(follower.data(2), ["0", "1"], "{id}");
    }
    let mut follower = Follower::after(&host, "/events", &future);
    assert_eq!(follower.event().gap(), Some(json!("unknown")));
    push_numbers(&host, &socket, "a", 2..3);
    assert_eq!(follower.data(1), ["2"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_silent_stream_goes_on_and_its_id_with_it() {
    // Between two heartbeats a client is silent for longer than it may be with what it owes.
    let timeouts = "[http]\nanswer_timeout_ms = 100\nidle_timeout_ms = 100\n";
    let (host, socket) = host(&format!("heartbeat_ms = 500\nring_messages_max = 50\n{timeouts}"));
    let mut follower = Follower::of(&host, "/events?topic=rare");
    follower.block().unwrap();
    // No more at a time than are kept until all were handed out.
    (0..10).for_each(|_| push_numbers(&host, &socket, "often", 0..10));
    let beats: Vec<_> = (0..3).map(|_| follower.block().unwrap()).collect();
    assert!(beats.iter().all(|beat| beat.has_comment && beat.data.is_none()), "{beats:?}");
    wait_for("the id to be the newest", || {
        follower.block().unwrap().id.is_some_and(|id| id.ends_with("-100")).then_some(())
    });
    let id = follower.last_id.take().unwrap();
    drop(follower);
    // What has nothing to do with it does not make a gap.
    push_numbers(&host, &socket, "rare", 0..1);
    assert_eq!(Follower::after(&host, "/events?topic=rare", &id).event().data.unwrap(), "0");
    assert_eq!(host.stop(), 0);
}
