//! Subscribers that do not read, that come late, or that want nothing of what is published.

use super::{LARGE, settled};
use crate::fixtures;
use crate::harness::{Client, Host, LONG_PATIENCE, Process, Setup, tidegate, wait_up_to};
use serde_json::json;
use std::time::{Duration, Instant};

fn host(config: &str) -> Host {
    Setup::new().plugin("plain", &fixtures::answering("", None)).config(config).start()
}

/// A SUB socket whose subscription has reached the host.
fn subscriber(host: &Host, topic: &[u8]) -> zmq::Socket {
    connect(host, topic, 1_000)
}

/// A subscriber to everything that does not read, and whose own queue holds one message.
fn sleeper(host: &Host) -> zmq::Socket {
    connect(host, b"", 1)
}

fn connect(host: &Host, topic: &[u8], queue_max: i32) -> zmq::Socket {
    let before = subscriptions(host);
    let socket = zmq::Context::new().socket(zmq::SUB).unwrap();
    socket.set_rcvhwm(queue_max).unwrap();
    socket.set_subscribe(topic).unwrap();
    socket.set_rcvtimeo(LONG_PATIENCE.as_millis() as i32).unwrap();
    socket.connect(host.surface("publish")).unwrap();
    wait_up_to(LONG_PATIENCE, "the subscription", || (subscriptions(host) > before).then_some(()));
    socket
}

fn subscriptions(host: &Host) -> usize {
    host.process.stderr().lines().filter(|line| line.contains(" subscribed ")).count()
}

/// Publishes until `enough` returns true, which is called with the status of each answer. Returns how many were sent.
fn publish_until(host: &Host, mut enough: impl FnMut(u16) -> bool) -> u64 {
    let client = Client::new(host);
    let started = Instant::now();
    for sent in 1.. {
        let body = [format!("{sent:08}").into_bytes(), vec![b'x'; LARGE]].concat();
        let status = client.request("POST", "/plain/", Some(&body)).unwrap().status;
        if enough(status) {
            return sent;
        }
        assert!(started.elapsed() < LONG_PATIENCE, "{sent} messages and nothing happened:\n{}", host.process.stderr());
    }
    unreachable!()
}

/// The numbers of all messages that arrive.
fn numbers(socket: &zmq::Socket) -> Vec<u64> {
    socket.set_rcvtimeo(500).unwrap();
    std::iter::from_fn(|| socket.recv_bytes(0).ok())
        .map(|body| std::str::from_utf8(&body[..8]).unwrap().parse().unwrap())
        .collect()
}

#[test]
fn a_stopped_subscriber_is_cut_off_and_starves_nobody() {
    let host = host("[messaging]\nqueue_messages_max = 100");
    let reader = subscriber(&host, b"");
    reader.set_rcvhwm(0).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut command = tidegate();
    command.current_dir(&directory).args(["subscribe", "--quiet", "--connect", host.surface("publish")]);
    let before = subscriptions(&host);
    let stopped = Process::start(&mut command);
    wait_up_to(LONG_PATIENCE, "its subscription", || (subscriptions(&host) > before).then_some(()));
    stopped.signal("STOP");

    // The reader receives meanwhile, or its queue would fill as well.
    let (received, sent) = std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut received = Vec::new();
            loop {
                let body = reader.recv_bytes(0).expect("a message");
                if body.len() < 8 {
                    return received;
                }
                received.push(std::str::from_utf8(&body[..8]).unwrap().parse::<u64>().unwrap());
            }
        });
        let sent = publish_until(&host, |status| {
            assert!(status == 200 || status == 503, "{status}");
            host.process.stderr().contains("cut off: it does not read, and its queue is full")
        });
        // The publisher's queue may be full for a moment.
        wait_up_to(LONG_PATIENCE, "the last word", || (host.post("/plain/", b"end").status == 200).then_some(()));
        (reader.join().unwrap(), sent)
    });
    assert!(received.is_sorted() && received.len() as u64 <= sent);
    let publish = settled(&host, "publish");
    assert_eq!(publish["dropped"], json!({}), "{publish}");
    assert_eq!(publish["out"], received.len() + 1, "the reader got all that was published");

    // The subscriber reconnects by itself, and is served again.
    let before = subscriptions(&host);
    stopped.signal("CONT");
    wait_up_to(LONG_PATIENCE, "its return", || (subscriptions(&host) > before).then_some(()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_newest_message_is_dropped_and_counted_where_the_policy_says_so() {
    let host = host("[messaging]\nqueue_messages_max = 100\n[publisher]\non_full = 'drop-newest'");
    let sleeper = sleeper(&host);
    let dropped = |host: &Host| host.ledger()["hops"]["publish"]["dropped"]["subscriber-full"].as_u64().unwrap_or(0);
    let sent = publish_until(&host, |status| {
        assert_eq!(status, 200);
        dropped(&host) > 0
    });
    let received = numbers(&sleeper);
    wait_up_to(LONG_PATIENCE, "the queue to be empty", || {
        (host.ledger()["hops"]["publish"]["in_flight"] == 0).then_some(())
    });
    assert_eq!(received.len() as u64 + dropped(&host), sent);
    assert!(received.iter().copied().eq(1..=received.len() as u64), "what was queued is whole");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_full_queue_is_answered_with_503_where_the_policy_is_to_wait() {
    let host = host("[messaging]\nqueue_messages_max = 100\n[publisher]\non_full = 'block'");
    let sleeper = sleeper(&host);
    let mut published = 0;
    publish_until(&host, |status| {
        published += u64::from(status == 200);
        status == 503
    });
    let refused = host.post("/plain/", &[b'x'; LARGE]);
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    let received = numbers(&sleeper);
    assert!(received.iter().copied().eq(1..=published), "{} of {published}", received.len());
    let publish = settled(&host, "publish");
    assert_eq!((&publish["out"], &publish["dropped"]), (&json!(published), &json!({})));
    assert_eq!(host.post("/plain/", b"").status, 200);
    assert_eq!(host.stop(), 0);
}

#[test]
fn bytes_that_wait_to_be_published_have_a_bound() {
    let host = host("[messaging]\nqueue_messages_max = 100\nqueue_bytes_max = 1000000\n[publisher]\non_full = 'block'");
    let _sleeper = sleeper(&host);
    publish_until(&host, |status| status == 503);
    // The bound has room for three messages; all earlier ones are in the subscriber's queue and buffers.
    assert!(host.ledger()["hops"]["publish"]["in_flight"].as_u64().unwrap() <= 4);
    drop(host);
}

#[test]
fn what_nobody_wants_is_counted() {
    let host = Setup::new()
        .plugin("plain", &fixtures::answering("", None))
        .plugin("weather", &fixtures::answering("weather", None))
        .start();
    assert_eq!(host.get("/plain/?param=x").status, 200);
    let _subscriber = subscriber(&host, b"wea");
    assert_eq!(host.get("/weather/?param=x").status, 200);
    assert_eq!(host.get("/plain/?param=x").status, 200);
    let publish = wait_up_to(LONG_PATIENCE, "three messages", || {
        let publish = host.ledger()["hops"]["publish"].clone();
        (publish["in_flight"] == 0).then_some(publish)
    });
    assert_eq!((&publish["in"], &publish["out"]), (&json!(3), &json!(1)));
    assert_eq!(publish["dropped"], json!({"no-subscriber": 2}));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_late_subscriber_is_handed_what_is_retained_once() {
    let host = Setup::new()
        .plugin("plain", &fixtures::answering("", None))
        .plugin("weather", &fixtures::answering("weather", None))
        .config("[publisher]\nretain = true")
        .start();
    let early = subscriber(&host, b"");
    for (route, body) in [("plain", "old"), ("plain", "last"), ("weather", "sun"), ("weather", "rain")] {
        assert_eq!(host.get(&format!("/{route}/?param={body}")).status, 200);
    }
    for frames in [&[b"old".as_slice()][..], &[b"last"], &[b"weather", b"sun"], &[b"weather", b"rain"]] {
        assert_eq!(early.recv_multipart(0).unwrap(), frames);
    }
    let late = subscriber(&host, b"weather");
    assert_eq!(late.recv_multipart(0).unwrap(), [b"weather".as_slice(), b"rain"]);
    let all = subscriber(&host, b"");
    assert_eq!(all.recv_multipart(0).unwrap(), [b"last"]);
    assert_eq!(host.get("/weather/?param=snow").status, 200);
    for socket in [&early, &late, &all] {
        // Retained messages go to new subscriptions only, so none came in between.
        assert_eq!(socket.recv_multipart(0).unwrap(), [b"weather".as_slice(), b"snow"]);
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_silent_connection_ends() {
    let host = Setup::new().committed("echo").config("[messaging]\nheartbeat_ms = 100").start();
    let mut command = tidegate();
    let directory = tempfile::tempdir().unwrap();
    command.current_dir(&directory).args(["subscribe", "--quiet", "--connect", host.surface("publish")]);
    let stopped = Process::start(&mut command);
    wait_up_to(LONG_PATIENCE, "its subscription", || (subscriptions(&host) > 0).then_some(()));
    stopped.signal("STOP");
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["subscriber gone"]);
    let started = Instant::now();
    stopped.signal("CONT");
    wait_up_to(LONG_PATIENCE, "its return", || (subscriptions(&host) > 1).then_some(()));
    assert!(started.elapsed() < LONG_PATIENCE - Duration::from_secs(1));
    assert_eq!(host.stop(), 0);
}
