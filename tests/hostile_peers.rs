//! A peer that does what no library does gets no other peer into trouble, nor the host.

use crate::fixtures;
use crate::harness::{Client, Host, LONG_PATIENCE, Setup, wait_up_to};
use crate::raw_peer::{RawPeer, command, frame, subscription};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What another subscriber may have to wait for a message, on a slow and busy machine. Without bounds it is for as long as
/// somebody sends, and some time after.
const DELAY_MAX: Duration = Duration::from_secs(10);

fn host(config: &str) -> Host {
    Setup::new().plugin("plain", &fixtures::answering("", None)).config(config).start()
}

/// Both ways in which a publisher deals with subscriptions.
fn hosts() -> [Host; 2] {
    ["", "[publisher]\nretain = true"].map(host)
}

/// Another subscriber, to all that begins with `message`.
fn other(host: &Host) -> RawPeer {
    let mut other = RawPeer::connect(host.surface("publish"), "SUB", b"");
    other.write(&subscription(true, b"message")).unwrap();
    wait_up_to(LONG_PATIENCE, "the other's subscription", || (subscriptions(host) > 0).then_some(()));
    other
}

fn connect(host: &Host) -> RawPeer {
    RawPeer::connect(host.surface("publish"), "SUB", b"")
}

fn metric(host: &Host, name: &str) -> u64 {
    let text = host.admin("/metrics").text().to_owned();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}:\n{text}"));
    line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap() as u64
}

fn subscriptions(host: &Host) -> u64 {
    metric(host, "tidegate_socket_subscriptions{socket=\"publish\"}")
}

fn cut_off(host: &Host) -> u64 {
    metric(host, "tidegate_socket_peers_cut_off_total{socket=\"publish\"}")
}

/// The memory of the host; nothing where the system does not tell in this way.
fn resident_mib(host: &Host) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.process.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Publishes one message after the other until `enough`; each has to arrive in time.
#[track_caller]
fn publish_while(host: &Host, other: &mut RawPeer, mut goes_on: impl FnMut() -> bool) {
    let client = Client::new(host);
    let started = Instant::now();
    while goes_on() {
        let sent = Instant::now();
        assert_eq!(client.request("POST", "/plain/", Some(b"message")).unwrap().status, 200);
        assert_eq!(other.receive().unwrap(), [b"message"]);
        assert!(sent.elapsed() < DELAY_MAX, "a message took {:?}", sent.elapsed());
        assert!(started.elapsed() < 2 * LONG_PATIENCE, "it goes on and on:\n{}", host.process.stderr());
    }
}

/// What is sent again and again.
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
            // Also if a message does not come: the floods end with this.
            let _end = End(&over);
            publish_while(&host, &mut other, || cut_off(&host) < flooding);
            Instant::now()
        });
        // Each of them has heard of it by now, also if it was waiting for room.
        assert!(all_cut_off.elapsed() < DELAY_MAX, "they went on for {:?}", all_cut_off.elapsed());
        let told =
            || host.process.stderr().matches("cut off: it changes its subscriptions faster than a peer may").count();
        // The log is written a moment after what it tells of.
        wait_up_to(LONG_PATIENCE, "what is said of each of them", || (told() == floods.len()).then_some(()));
        let stderr = host.process.stderr();
        assert!(stderr.lines().count() < 100, "{} lines", stderr.lines().count());
        let grown = resident_mib(&host).saturating_sub(before);
        assert!(grown < 150, "{grown} MiB");
        // All is gone with those who had it.
        wait_up_to(LONG_PATIENCE, "the end of their subscriptions", || (subscriptions(&host) == 1).then_some(()));
        publish_while(&host, &mut other, || false);
        assert_eq!(host.stop(), 0);
    }
}

/// Sets a flag when it goes.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Subscribes to this many topics with this beginning, each of so many bytes.
fn subscribe_to_many(peer: &mut RawPeer, prefix: &str, count: usize, bytes: usize) {
    let rest = bytes - prefix.len();
    let all: Vec<u8> =
        (0..count).flat_map(|number| subscription(true, format!("{prefix}{number:0rest$}").as_bytes())).collect();
    // It may have had enough before the last of them.
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
            // One goes alone, and then the others at once.
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
        // Twice, which libraries do not: it counts once, and goes with the peer.
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
        // Fewer than anybody is cut off for.
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

/// Over `ipc` the host cannot tell one connection from another, and end it.
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

/// What is left to be read of a subscriber must not keep it, and what is queued to it, in the way of others.
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
            // As much as it may at once, in less time than is needed to take it.
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

#[test]
fn whoever_announces_too_much_again_and_again_fills_no_log() {
    const TIMES: u64 = 150;
    let host = Setup::new().committed("echo").start();
    for (surface, kind) in [("publish", "SUB"), ("frontend", "DEALER")] {
        for _ in 0..TIMES {
            let mut peer = RawPeer::connect(host.surface(surface), kind, b"");
            // The head of a frame of a terabyte.
            peer.write(b"\x02\0\0\x01\0\0\0\0\0").unwrap();
            peer.wait_for_end();
        }
    }
    let total = |socket: &str| metric(&host, &format!("tidegate_socket_peers_cut_off_total{{socket=\"{socket}\"}}"));
    wait_up_to(LONG_PATIENCE, "all of them", || (total("publish") + total("frontend") == 2 * TIMES).then_some(()));
    let lines = host.process.stderr().matches("cut off: it sent a larger message than a peer may send").count();
    assert!((2..100).contains(&lines), "{lines}");
    assert_eq!(host.stop(), 0);
}

/// A frame must not keep more in memory than itself, such as the buffer that it came in.
#[test]
fn a_queue_of_short_frames_takes_little_more_than_its_bound() {
    const BOUND: usize = 4 << 20;
    let host = Setup::new().committed("echo").config(&format!("[messaging]\npeer_queue_bytes_max = {BOUND}")).start();
    let before = resident_mib(&host);
    let mut peer = RawPeer::connect(host.surface("frontend"), "DEALER", b"");
    // No message of them has an end, and the host reads each by itself: it has to answer before the next one.
    let (short, mut most) = ([frame(1, &[b'x'; 34]), command("PING", b"\0\0")].concat(), 0);
    for number in 0.. {
        if peer.write(&short).and_then(|()| peer.receive_command()).is_err() {
            break;
        }
        if number % 1_000 == 0 {
            most = most.max(resident_mib(&host));
        }
    }
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["cut off: it sent a larger message than a peer may send"]);
    let grown = most.saturating_sub(before);
    assert!(grown < 24, "{grown} MiB");
    assert_eq!(host.stop(), 0);
}
