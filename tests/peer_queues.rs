//! The queue of a peer has a bound in bytes, its reported length is exact, and messages that are lost with it are
//! counted.

mod session;

use crate::fixtures;
use crate::harness::{Client, Host, LONG_PATIENCE, Setup, wait_up_to};
use crate::raw_peer::{self, RawPeer};
use serde_json::json;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;
/// A body size that soon fills a queue of some MiB.
const LARGE: usize = 256 << 10;
/// An upper bound of the socket buffers of both ends of a connection that nobody reads: more than the queue may hold,
/// less than would be sent if the queue had no bound.
const SYSTEM_BYTES_MAX: usize = 24 * MIB;

fn publisher(config: &str) -> Host {
    Setup::new().plugin("plain", &fixtures::answering("", None)).config(config).start()
}

/// A subscriber to everything that reads only when a test calls for it.
fn sleeper(host: &Host) -> RawPeer {
    let before = subscribed(host);
    let mut peer = RawPeer::connect(host.surface("publish"), "SUB", b"");
    peer.write(&raw_peer::subscription(true, b"")).unwrap();
    wait_up_to(LONG_PATIENCE, "the subscription", || (subscribed(host) > before).then_some(()));
    peer
}

fn subscribed(host: &Host) -> u64 {
    metric(host, "tidegate_socket_subscriptions{socket=\"publish\"}")
}

fn metric(host: &Host, sample: &str) -> u64 {
    let scrape = host.admin("/metrics");
    let line = scrape.text().lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {sample}")).parse().unwrap()
}

/// Publishes messages of [`LARGE`] bytes until the log contains `line`. Returns how many.
fn publish_until(host: &Host, line: &str) -> u64 {
    let client = Client::new(host);
    let body = vec![b'x'; LARGE];
    for sent in 1..5_000 {
        assert_eq!(client.request("POST", "/plain/", Some(&body)).unwrap().status, 200);
        if host.process.stderr().contains(line) {
            return sent;
        }
    }
    panic!("nothing happened:\n{}", host.process.stderr());
}

/// Reads to the end of the connection. Returns how many messages arrived.
fn drain(peer: &mut RawPeer) -> u64 {
    std::iter::from_fn(|| peer.receive().ok()).count() as u64
}

fn cut_off(host: &Host, socket: &str) -> u64 {
    host.ledger()["sockets"][socket]["cut-off"].as_u64().unwrap()
}

/// The number in the field `name` of the log line that contains `line`.
fn field(host: &Host, line: &str, name: &str) -> u64 {
    let log = host.process.stderr();
    let line = log.lines().find(|candidate| candidate.contains(line)).unwrap_or_else(|| panic!("no {line} in\n{log}"));
    let value = line.split_whitespace().find_map(|word| word.strip_prefix(&format!("{name}=")));
    value.unwrap_or_else(|| panic!("no {name} in {line}")).parse().unwrap()
}

#[test]
fn a_stopped_subscriber_costs_a_bound_in_bytes_and_what_it_missed_is_counted() {
    let host = publisher("[messaging]\npeer_queue_bytes_max = 4194304");
    let mut peer = sleeper(&host);
    let address = format!("peer=\"{}\"", peer.stream().local_addr().unwrap());
    let sent = publish_until(&host, "cut off: it does not read, and its queue is full");
    let queued = field(&host, "cut off: it does not read", "queue_bytes") as usize;
    assert!((4 * MIB * 3 / 4..=4 * MIB + 2 * LARGE).contains(&queued), "{queued}");
    assert!(sent as usize * LARGE < 4 * MIB + SYSTEM_BYTES_MAX, "{sent}");

    host.process.wait_for_line_up_to(LONG_PATIENCE, &["thrown away", "surface=\"publish\"", &address]);
    let lost = cut_off(&host, "publish");
    assert_eq!(lost, field(&host, "thrown away", "messages"), "per peer and per socket");
    assert_eq!(lost, metric(&host, "tidegate_socket_messages_cut_off_total{socket=\"publish\"}"));
    let publish = wait_up_to(LONG_PATIENCE, "the messages", || {
        Some(host.ledger()["hops"]["publish"].clone()).filter(|publish| publish["in_flight"] == 0)
    });
    let out = publish["out"].as_u64().unwrap();
    let received = drain(&mut peer);
    // What libzmq had encoded for the connection is neither received nor counted: at most 8 KiB or one message.
    assert!((out - 2..=out).contains(&(received + lost)), "{received} + {lost} of {out}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn one_message_has_room_however_large_it_is() {
    let host = publisher("[messaging]\npeer_queue_bytes_max = 1");
    let mut peer = sleeper(&host);
    for size in [MIB / 2, 0, 100] {
        assert_eq!(host.post("/plain/", &vec![b'x'; size]).status, 200);
        assert_eq!(peer.receive().unwrap(), [vec![b'x'; size]]);
        let queue = "tidegate_socket_queue_messages_longest{socket=\"publish\"}";
        wait_up_to(LONG_PATIENCE, "an empty queue", || (metric(&host, queue) == 0).then_some(()));
    }
    assert_eq!(cut_off(&host, "publish"), 0);
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_queue_of_who_has_read_everything_is_empty() {
    const MESSAGES: usize = 500;
    let host = Setup::new().plugin("plain", &fixtures::answering("weather", None)).start();
    let (mut reader, _sleeper) = (sleeper(&host), sleeper(&host));
    let client = Client::new(&host);
    let reader_queue = format!(
        "tidegate_socket_queue_messages{{socket=\"publish\",peer=\"{}\"}}",
        reader.stream().local_addr().unwrap()
    );
    for _ in 0..MESSAGES {
        assert_eq!(client.request("POST", "/plain/", Some(&[b'x'; LARGE / 4])).unwrap().status, 200);
        assert_eq!(reader.receive().unwrap().len(), 2);
    }
    // The sleeper's queue shows that queue lengths are measured.
    let longest = "tidegate_socket_queue_messages_longest{socket=\"publish\"}";
    wait_up_to(LONG_PATIENCE, "a queue", || (metric(&host, longest) > 0).then_some(()));
    wait_up_to(LONG_PATIENCE, "no queue", || (metric(&host, &reader_queue) == 0).then_some(()));
    assert_eq!(cut_off(&host, "publish"), 0);
    drop(host);
}

#[test]
fn what_a_subscriber_missed_is_counted_however_it_went() {
    for config in ["", "[publisher]\nretain = true"] {
        let host = publisher(config);
        let peer = sleeper(&host);
        let client = Client::new(&host);
        let longest = "tidegate_socket_queue_messages_longest{socket=\"publish\"}";
        wait_up_to(LONG_PATIENCE, "a queue", || {
            assert_eq!(client.request("POST", "/plain/", Some(&vec![b'x'; LARGE])).unwrap().status, 200);
            (metric(&host, longest) > 3).then_some(())
        });
        drop(peer);
        host.process.wait_for_line_up_to(LONG_PATIENCE, &["thrown away"]);
        assert!(cut_off(&host, "publish") > 3);
        assert_eq!(field(&host, "thrown away", "messages"), cut_off(&host, "publish"));
        assert_eq!(host.stop(), 0);
    }
}

#[test]
fn what_is_not_taken_before_the_host_ends_is_counted() {
    for format in ["text", "json"] {
        let setup =
            Setup::new().plugin("plain", &fixtures::answering("", None)).with(&[&format!("--log-format={format}")]);
        let mut host = setup.config("[shutdown]\ngrace_ms = 100").start();
        let _peer = sleeper(&host);
        let client = Client::new(&host);
        let longest = "tidegate_socket_queue_messages_longest{socket=\"publish\"}";
        wait_up_to(LONG_PATIENCE, "a queue", || {
            assert_eq!(client.request("POST", "/plain/", Some(&vec![b'x'; LARGE])).unwrap().status, 200);
            (metric(&host, longest) > 3).then_some(())
        });
        drop(client);
        let (code, stderr) = host.stop_and_tell();
        assert_eq!(code, 0);
        let reported = if format == "json" {
            let ledger = crate::balance::at_exit(&stderr);
            ledger["sockets"]["publish"]["cut-off"].as_u64()
        } else {
            let line = stderr.lines().find_map(|line| line.strip_prefix("cut-off="));
            line.and_then(|line| {
                line.strip_suffix(" at publish: thrown away with the queues of its peers")?.parse().ok()
            })
        };
        assert!(reported.is_some_and(|count| count > 3), "{stderr}");
    }
}

#[test]
fn what_makes_no_handshake_is_counted_with_what_it_missed() {
    // The queue is so large that the peer is not cut off for another reason.
    let host = publisher("[messaging]\nhandshake_timeout_ms = 2000\npeer_queue_bytes_max = 1073741824");
    let client = Client::new(&host);
    let body = vec![b'x'; MIB];
    let ends = || host.process.stderr().matches("cut off: it has made no ZMTP 3 handshake in time").count();
    // On a busy machine all that is published before the timeout may fit into socket buffers; then another peer tries.
    wait_up_to(LONG_PATIENCE, "one that missed something", || {
        let before = ends();
        let mut garbage = RawPeer::connect_silently(host.surface("publish"));
        // A message of ZMTP 1: libzmq takes its sender for a subscriber to everything.
        garbage.write(b"\x01\x00\x02\x00\x01").unwrap();
        let began = Instant::now();
        while ends() == before {
            assert!(began.elapsed() < LONG_PATIENCE, "it is not cut off");
            assert_eq!(client.request("POST", "/plain/", Some(&body)).unwrap().status, 200);
        }
        (cut_off(&host, "publish") > 0).then_some(())
    });
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["thrown away"]);
    assert!(host.ledger()["hops"]["publish"]["out"].as_u64() > Some(cut_off(&host, "publish")));
    assert_eq!(host.stop(), 0);
}

fn broker(config: &str) -> Host {
    Setup::new().committed("echo").config(config).start()
}

#[test]
fn a_client_that_does_not_read_costs_a_bound_in_bytes_and_what_it_missed_is_counted() {
    let host = broker("[messaging]\npeer_queue_bytes_max = 4194304\n[broker]\non_full = 'cut-off'");
    let mut client = RawPeer::connect(host.surface("frontend"), "DEALER", b"greedy");
    let request = vec![b'x'; LARGE];
    let mut sent = 0;
    let cut = "cut off: it does not read its replies, and its queue is full";
    // One request at a time: otherwise the replies to requests in flight would be dropped as well.
    loop {
        client.send(&[&request]).unwrap();
        sent += 1;
        let reply = wait_up_to(LONG_PATIENCE, "the reply", || {
            Some(host.ledger()["hops"]["reply"].clone()).filter(|reply| reply["in"] == sent && reply["in_flight"] == 0)
        });
        if reply["dropped"] != json!({}) {
            break;
        }
        assert!(sent as usize * LARGE < 4 * MIB + SYSTEM_BYTES_MAX, "{sent}");
    }
    host.process.wait_for_line_up_to(LONG_PATIENCE, &[cut]);
    let queued = field(&host, cut, "queue_bytes") as usize;
    assert!((4 * MIB * 3 / 4..=4 * MIB + 2 * LARGE).contains(&queued), "{queued}");
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["thrown away", "surface=\"frontend\""]);
    let reply = host.ledger()["hops"]["reply"].clone();
    assert_eq!(reply["dropped"], json!({"client-full": 1}));
    let (out, lost) = (reply["out"].as_u64().unwrap(), cut_off(&host, "frontend"));
    let received = drain(&mut client);
    assert!((out - 2..=out).contains(&(received + lost)), "{received} + {lost} of {out}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn requests_that_are_not_read_have_a_bound_in_bytes_and_are_counted_unless_they_are() {
    let mut host = broker("[messaging]\npeer_queue_bytes_max = 2097152");
    assert_eq!(host.admin_request("POST", "/broker/pause", None).status, 200);
    let mut client = RawPeer::connect(host.surface("frontend"), "DEALER", b"eager");
    client.stream().set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let request = raw_peer::message(&[&vec![b'x'; LARGE]]);
    let mut written = 0;
    loop {
        match client.write(&request) {
            Ok(()) => written += request.len(),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) => panic!("{error}"),
        }
        assert!(written < 2 * MIB + SYSTEM_BYTES_MAX, "{written} bytes were taken in");
    }
    let (code, stderr) = host.stop_and_tell();
    assert_eq!(code, 0);
    let unread = stderr.lines().find_map(|line| line.strip_prefix("unread=")?.split(' ').next()?.parse::<usize>().ok());
    let bytes = unread.unwrap_or_else(|| panic!("{stderr}")) * LARGE;
    assert!((2 * MIB - LARGE..=2 * MIB + LARGE).contains(&bytes), "{bytes}");
}

#[test]
fn a_message_without_an_end_ends_the_connection_at_a_bound() {
    let host = broker("[messaging]\npeer_queue_bytes_max = 1048576");
    for (surface, socket_type, why) in [
        ("frontend", "DEALER", "cut off: it sent a larger message than a peer may send"),
        // The publisher counts each frame as a change of subscriptions.
        ("publish", "SUB", "cut off: it changes its subscriptions faster than a peer may"),
    ] {
        let mut peer = RawPeer::connect(host.surface(surface), socket_type, b"endless");
        peer.stream().set_write_timeout(Some(LONG_PATIENCE)).unwrap();
        // Empty frames take room as well.
        let frames = raw_peer::frame(1, b"").repeat(1000);
        let mut sent = 0;
        while peer.write(&frames).is_ok() {
            sent += 1000;
            assert!(sent < 1_000_000 + SYSTEM_BYTES_MAX / 2, "{sent} frames were taken in");
        }
        let surface = format!("surface=\"{surface}\"");
        host.process.wait_for_line_up_to(LONG_PATIENCE, &[why, &surface]);
    }
    assert_eq!(host.stop(), 0);
}
