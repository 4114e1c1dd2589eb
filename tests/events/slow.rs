//! Who does not read is dealt with as `on_slow` says: told how many are missing, and counted.

use super::follower::Follower;
use super::{host, push};
use crate::harness::{Host, LONG_PATIENCE, wait_up_to};
use serde_json::{Value, json};

/// A body of which some dozens fill the buffers of a connection.
const LARGE: usize = 128 << 10;
const COUNT: u64 = 300;

/// Pushes more than the buffers of a connection take, and has a client that reads get all of it.
fn flood(socket: &zmq::Socket, fast: &mut Follower, topics: u64) {
    for number in 0..COUNT {
        let mut body = format!("{number} ").into_bytes();
        body.resize(LARGE, b'x');
        push(socket, &[format!("t{}", number % topics).as_bytes(), &body]);
        assert!(fast.event().data.unwrap().starts_with(&format!("{number} ")), "{number}");
    }
}

/// Waits until a second client, which does not read, has missed some of it.
fn missed_some(host: &Host, taken_min: u64) -> Value {
    wait_up_to(LONG_PATIENCE, "the slow one to miss some", || {
        let streams = host.ledger()["hops"]["events.streams"].clone();
        (streams["in"].as_u64() >= Some(taken_min) && streams["dropped"]["subscriber-full"].as_u64() > Some(0))
            .then_some(streams)
    })
}

/// What a stream gives until there is nothing more: the numbers of its events in order, and how many it says are missing.
fn rest(follower: &mut Follower, until: impl Fn(&[u64], u64) -> bool) -> (Vec<u64>, u64) {
    let (mut numbers, mut missed) = (Vec::new(), 0);
    while !until(&numbers, missed) {
        let Some(block) = follower.block() else { break };
        match (block.gap(), block.data) {
            (Some(gap), _) => missed += gap.as_u64().unwrap_or_else(|| panic!("{gap}")),
            (None, Some(data)) => numbers.push(data.split(' ').next().unwrap().parse().unwrap()),
            (None, None) => {}
        }
    }
    assert!(numbers.is_sorted(), "{numbers:?}");
    (numbers, missed)
}

fn dropped(streams: &Value) -> u64 {
    streams["dropped"]["subscriber-full"].as_u64().unwrap()
}

#[test]
fn drop_oldest_gives_the_newest_and_tells_of_all_others() {
    let (host, socket) = host("on_slow = 'drop-oldest'\nstream_messages_max = 20\n");
    let (mut slow, mut fast) = (Follower::of(&host, "/events"), Follower::of(&host, "/events"));
    flood(&socket, &mut fast, 1);
    let streams = missed_some(&host, 2 * COUNT);
    let (numbers, missed) = rest(&mut slow, |numbers, missed| numbers.len() as u64 + missed == COUNT);
    assert_eq!((missed, numbers.last()), (dropped(&streams), Some(&(COUNT - 1))));
    host.wait_for_hop("events.streams", &json!({"in": 2 * COUNT, "out": 2 * COUNT - missed, "in_flight": 0}));
    assert_eq!(host.stop(), 0);
}

#[test]
fn conflate_gives_the_newest_of_each_topic_and_tells_of_all_others() {
    let (host, socket) = host("on_slow = 'conflate'\nstream_messages_max = 20\n");
    let (mut slow, mut fast) = (Follower::of(&host, "/events"), Follower::of(&host, "/events"));
    flood(&socket, &mut fast, 5);
    let streams = missed_some(&host, 2 * COUNT);
    let (numbers, missed) = rest(&mut slow, |numbers, missed| numbers.len() as u64 + missed == COUNT);
    assert_eq!(missed, dropped(&streams));
    // The newest of each topic are among the last.
    assert!(numbers.ends_with(&[COUNT - 5, COUNT - 4, COUNT - 3, COUNT - 2, COUNT - 1]), "{numbers:?}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn cut_off_ends_the_stream_and_what_is_kept_comes_when_the_client_does() {
    let (host, socket) = host("stream_messages_max = 20\n");
    let (mut slow, mut fast) = (Follower::of(&host, "/events"), Follower::of(&host, "/events"));
    flood(&socket, &mut fast, 1);
    let streams = missed_some(&host, COUNT + 1);
    let (mut numbers, missed) = rest(&mut slow, |_, _| false);
    assert_eq!(missed, 21, "those that waited, and the one too many: {streams}");
    assert_eq!(dropped(&streams), missed);
    assert!(numbers.len() < COUNT as usize, "{numbers:?}");
    let mut resumed = Follower::after(&host, "/events", slow.last_id.as_ref().unwrap());
    let left = COUNT as usize - numbers.len();
    let (more, missed) = rest(&mut resumed, |numbers, _| numbers.len() == left);
    numbers.extend(more);
    assert_eq!((numbers, missed), ((0..COUNT).collect(), 0));
    assert_eq!(host.stop(), 0);
}

#[test]
fn who_stops_reading_is_cut_off_in_the_end_and_what_waited_is_counted() {
    let keys = "on_slow = 'drop-oldest'\nstream_messages_max = 20\n[http]\nanswer_timeout_ms = 300\n";
    let (host, socket) = host(keys);
    let (slow, mut fast) = (Follower::of(&host, "/events"), Follower::of(&host, "/events"));
    flood(&socket, &mut fast, 1);
    wait_up_to(LONG_PATIENCE, "its end", || {
        let streams = &host.ledger()["hops"]["events.streams"];
        (streams["dropped"]["client-gone"].as_u64() > Some(0) && streams["in_flight"] == 0).then_some(())
    });
    drop(slow);
    push(&socket, &[b"t", b"999 "]);
    assert_eq!(fast.event().data.unwrap(), "999 ");
    assert_eq!(host.stop(), 0);
}
