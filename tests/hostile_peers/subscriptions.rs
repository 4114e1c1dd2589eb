//! Peers with many, long, repeated or invalid subscriptions: each has its own, up to a bound.

use super::{connect, cut_off, host, hosts, other, publish_while, resident_mib, subscriptions};
use crate::fixtures;
use crate::harness::{LONG_PATIENCE, Setup, wait_up_to};
use crate::raw_peer::{RawPeer, command, frame, subscription};

/// Subscribes to `count` topics of `bytes` bytes that begin with `prefix`.
fn subscribe_to_many(peer: &mut RawPeer, prefix: &str, count: usize, bytes: usize) {
    let rest = bytes - prefix.len();
    let all: Vec<u8> =
        (0..count).flat_map(|number| subscription(true, format!("{prefix}{number:0rest$}").as_bytes())).collect();
    // The host may cut the peer off before the last of them.
    let _ = peer.write(&all);
}

#[test]
fn a_subscriber_with_many_topics_comes_and_goes_and_holds_up_nobody() {
    for host in hosts() {
        let mut other = other(&host);
        for bytes in [10, 100] {
            let mut peers: Vec<_> = (0..3).map(|_| connect(&host)).collect();
            std::thread::scope(|scope| {
                for (number, peer) in peers.iter_mut().enumerate() {
                    scope.spawn(move || subscribe_to_many(peer, &format!("m{number}"), 10_000, bytes));
                }
                publish_while(&host, &mut other, || subscriptions(&host) < 30_001);
            });
            // One peer leaves alone, then the other two at once.
            for (left, here) in [(2, 20_001), (0, 1)] {
                peers.truncate(left);
                publish_while(&host, &mut other, || subscriptions(&host) > here);
            }
        }
        let stderr = host.process.stderr();
        assert!(!stderr.contains("cut off"), "{stderr}");
        assert!(stderr.lines().count() < 100, "{} lines", stderr.lines().count());
        assert_eq!(host.stop(), 0);
    }
}

#[test]
fn whoever_has_more_subscriptions_than_a_peer_may_is_cut_off_and_told_why() {
    for host in hosts() {
        let mut other = other(&host);
        let before = resident_mib(&host);
        let cases = [
            (10_001, 10, "cut off: it has more subscriptions than a peer may have"),
            (2_000, 1_024, "cut off: its subscriptions have more bytes than those of a peer may have"),
            (1, 1_025, "cut off: its topic is longer than one may be"),
            (10, 60_000, "cut off: its topic is longer than one may be"),
        ];
        for (count, bytes, why) in cases {
            let mut peer = connect(&host);
            subscribe_to_many(&mut peer, "m", count, bytes);
            peer.wait_for_end();
            host.process.wait_for_line_up_to(LONG_PATIENCE, &[why]);
            publish_while(&host, &mut other, || subscriptions(&host) > 1);
        }
        assert_eq!(cut_off(&host), cases.len() as u64);
        let stderr = host.process.stderr();
        let longest = stderr.lines().map(str::len).max();
        assert!(longest < Some(500) && stderr.lines().count() < 100, "{longest:?}\n{stderr}");
        let grown = resident_mib(&host).saturating_sub(before);
        assert!(grown < 250, "{grown} MiB");
        assert_eq!(host.stop(), 0);
    }
}

#[test]
fn nobody_ends_or_outlives_the_subscriptions_of_others() {
    for host in hosts() {
        let mut other = other(&host);
        let mut peer = connect(&host);
        for _ in 0..3 {
            peer.write(&subscription(false, b"message")).unwrap();
            peer.write(&command("CANCEL", b"message")).unwrap();
        }
        // The same topic twice, which libraries do not send: it counts once, and is removed with the peer.
        for _ in 0..2 {
            peer.write(&subscription(true, b"twice")).unwrap();
        }
        wait_up_to(LONG_PATIENCE, "the second subscription", || (subscriptions(&host) == 2).then_some(()));
        publish_while(&host, &mut other, {
            let mut left = 3;
            move || {
                left -= 1;
                left >= 0
            }
        });
        drop(peer);
        wait_up_to(LONG_PATIENCE, "its end", || (subscriptions(&host) == 1).then_some(()));
        assert_eq!(host.post("/plain/", b"twice").status, 200);
        wait_up_to(LONG_PATIENCE, "the count", || {
            (host.ledger()["hops"]["publish"]["dropped"]["no-subscriber"] == 1).then_some(())
        });
        assert_eq!(host.stop(), 0);
    }
}

#[test]
fn what_is_no_subscription_gives_nobody_the_subscription_of_another() {
    let host = host("[publisher]\nretain = true");
    let mut peers: Vec<_> = (0..20).map(|_| connect(&host)).collect();
    let mut noisy = connect(&host);
    std::thread::scope(|scope| {
        // Fewer messages than a peer is cut off for.
        scope.spawn(|| {
            for _ in 0..200 {
                noisy.write(&frame(0, b"noise").repeat(50)).unwrap();
            }
        });
        for (number, peer) in peers.iter_mut().enumerate() {
            peer.write(&subscription(true, format!("topic-{number:02}").as_bytes())).unwrap();
        }
    });
    wait_up_to(LONG_PATIENCE, "all subscriptions", || (subscriptions(&host) == 20).then_some(()));
    for (number, peer) in peers.iter_mut().enumerate() {
        let body = format!("topic-{number:02}");
        assert_eq!(host.post("/plain/", body.as_bytes()).status, 200);
        assert_eq!(peer.receive().unwrap(), [body.as_bytes()]);
    }
    assert_eq!(cut_off(&host), 0);
    assert_eq!(host.stop(), 0);
}

/// Over `ipc` the host cannot tell connections apart, so it cannot close one; it ignores the peer's subscriptions.
#[test]
fn whoever_cannot_be_cut_off_is_not_listened_to() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = format!("ipc://{}/publish", directory.path().display());
    let host =
        Setup::new().plugin("plain", &fixtures::answering("", None)).with(&[&format!("--publish={endpoint}")]).start();
    let connect = || {
        let socket = zmq::Context::new().socket(zmq::XSUB).unwrap();
        socket.set_linger(0).unwrap();
        socket.set_sndhwm(0).unwrap();
        socket.set_rcvtimeo(LONG_PATIENCE.as_millis() as i32).unwrap();
        socket.connect(&endpoint).unwrap();
        socket
    };
    let (other, many) = (connect(), connect());
    other.send("\u{1}message", 0).unwrap();
    for number in 0..10_100 {
        many.send(format!("\u{1}m{number}").as_bytes(), 0).unwrap();
    }
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["cut off: it has more subscriptions than a peer may have"]);
    assert_eq!(cut_off(&host), 1);
    wait_up_to(LONG_PATIENCE, "the end of all it had", || (subscriptions(&host) == 1).then_some(()));
    assert_eq!(host.post("/plain/", b"message").status, 200);
    assert_eq!(other.recv_multipart(0).unwrap(), [b"message"]);
    assert_eq!(host.stop(), 0);
}
