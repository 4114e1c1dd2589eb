//! Peers that send changes of subscriptions, or come and go, as fast as they can.

use super::{DELAY_MAX, connect, cut_off, host, hosts, other, publish_while, resident_mib, subscriptions};
use crate::harness::{Client, LONG_PATIENCE, wait_up_to};
use crate::raw_peer::{command, frame, subscription};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// The bytes that flooding peers send in a loop.
fn floods() -> Vec<(&'static str, Vec<u8>)> {
    let long = vec![b'x'; 1_000];
    let both = |topic: &[u8]| [subscription(true, topic), subscription(false, topic)].concat();
    let of_many_frames = [frame(1, b"\x01x"), frame(1, b"\0x"), frame(1, b"nothing")].concat();
    vec![
        ("a topic that comes and goes", both(b"x")),
        ("a long one", both(&long)),
        ("as commands", [command("SUBSCRIBE", b"x"), command("CANCEL", b"x")].concat()),
        ("one subscription over and over", subscription(true, b"x")),
        ("the end of what never was", subscription(false, b"message")),
        ("messages", frame(0, b"nothing that a publisher knows")),
        ("empty messages", frame(0, b"")),
        ("a message that never ends", of_many_frames),
        ("with heartbeats in between", [both(b"x"), command("PING", b"\0\0")].concat()),
    ]
}

#[test]
fn whoever_changes_subscriptions_without_end_is_cut_off_and_holds_up_nobody() {
    for host in hosts() {
        let mut other = other(&host);
        publish_while(&host, &mut other, {
            let mut warm_up = 10;
            move || {
                warm_up -= 1;
                warm_up > 0
            }
        });
        let before = resident_mib(&host);
        let floods = floods();
        let flooding = floods.len() as u64;
        let over = AtomicBool::new(false);
        let all_cut_off = std::thread::scope(|scope| {
            for (_, what) in &floods {
                let (mut peer, many, over) = (connect(&host), what.repeat(100_000 / what.len()), &over);
                scope.spawn(move || while !over.load(Ordering::Relaxed) && peer.write(&many).is_ok() {});
            }
            // Ends the floods, also if an assertion fails.
            let _end = SetOnDrop(&over);
            publish_while(&host, &mut other, || cut_off(&host) < flooding);
            Instant::now()
        });
        // By now each flooding thread has seen its connection closed, even one that was blocked in a write.
        assert!(all_cut_off.elapsed() < DELAY_MAX, "they went on for {:?}", all_cut_off.elapsed());
        let lines =
            || host.process.stderr().matches("cut off: it changes its subscriptions faster than a peer may").count();
        // A log line is written a moment after the event.
        wait_up_to(LONG_PATIENCE, "what is said of each of them", || (lines() == floods.len()).then_some(()));
        let stderr = host.process.stderr();
        assert!(stderr.lines().count() < 100, "{} lines", stderr.lines().count());
        let grown = resident_mib(&host).saturating_sub(before);
        assert!(grown < 150, "{grown} MiB");
        // The subscriptions are removed together with their peers.
        wait_up_to(LONG_PATIENCE, "the end of their subscriptions", || (subscriptions(&host) == 1).then_some(()));
        publish_while(&host, &mut other, || false);
        assert_eq!(host.stop(), 0);
    }
}

/// Sets a flag on drop.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn who_comes_and_goes_as_fast_as_it_can_fills_no_log() {
    let host = host("");
    let mut other = other(&host);
    for _ in 0..10 {
        let mut peers: Vec<_> = (0..20).map(|_| connect(&host)).collect();
        for peer in &mut peers {
            peer.write(&subscription(true, b"x")).unwrap();
        }
        publish_while(&host, &mut other, || subscriptions(&host) < 21);
        drop(peers);
        publish_while(&host, &mut other, || subscriptions(&host) > 1);
    }
    let stderr = host.process.stderr();
    let lines = |what: &str| stderr.lines().filter(|line| line.contains(what)).count();
    assert!((1..100).contains(&lines(" subscribed ")), "{}", lines(" subscribed "));
    assert!((1..100).contains(&lines("subscriber gone")), "{}", lines("subscriber gone"));
    assert_eq!(host.stop(), 0);
}

/// Neither unread input of a subscriber nor messages queued to it may delay cutting it off, or hold up others.
#[test]
fn a_full_subscriber_that_has_more_to_say_is_cut_off_at_once() {
    for retain in [false, true] {
        let host = host(&format!("[messaging]\npeer_queue_bytes_max = 1048576\n[publisher]\nretain = {retain}"));
        let mut other = other(&host);
        let body = [b"message".as_slice(), &[0; 200_000]].concat();
        let client = Client::new(&host);
        for round in 0..3 {
            let mut full = connect(&host);
            full.write(&subscription(true, b"")).unwrap();
            wait_up_to(LONG_PATIENCE, "its subscription", || (subscriptions(&host) == 2).then_some(()));
            // As many changes as a peer may send at once, faster than the host takes them in.
            full.write(&[subscription(true, b"x"), subscription(false, b"x")].concat().repeat(9_500)).unwrap();
            while cut_off(&host) == round {
                assert_eq!(client.request("POST", "/plain/", Some(&body)).unwrap().status, 200);
                assert_eq!(other.receive().unwrap(), [&body[..]]);
            }
            wait_up_to(LONG_PATIENCE, "its end", || (subscriptions(&host) == 1).then_some(()));
        }
        assert_eq!(host.ledger()["hops"]["publish"]["dropped"], serde_json::json!({}));
        assert_eq!(host.stop(), 0);
    }
}
