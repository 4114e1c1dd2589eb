//! Flows: messages of any ZeroMQ socket go through plugins to any other, in order, and none disappears without a count.

mod failing;
mod peers;

use crate::fixtures;
use crate::harness::{Host, PATIENCE, Setup, bytes, wait_for};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A peer of a host's socket, which is connected to it.
fn peer(host: &Host, kind: zmq::SocketType, socket: &str) -> zmq::Socket {
    let peer = unconnected(kind);
    peer.connect(host.surface(socket)).unwrap();
    peer
}

/// A peer that waits for as long as a test may take.
pub fn unconnected(kind: zmq::SocketType) -> zmq::Socket {
    let peer = zmq::Context::new().socket(kind).unwrap();
    peer.set_linger(0).unwrap();
    peer.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    peer.set_sndtimeo(PATIENCE.as_millis() as i32).unwrap();
    if kind == zmq::SUB {
        peer.set_subscribe(b"").unwrap();
    }
    peer
}

fn send(peer: &zmq::Socket, frames: &[&str]) {
    peer.send_multipart(frames, 0).expect("room");
}

fn receive(peer: &zmq::Socket) -> Vec<String> {
    let frames = peer.recv_multipart(0).expect("a message");
    frames.into_iter().map(|frame| String::from_utf8(frame).unwrap()).collect()
}

const RELAY: &str = "\
[sockets.in]
type = 'sub'
bind = ['tcp://127.0.0.1:*']
subscribe = ['EUR', 'USD']
[sockets.out]
type = 'pub'
bind = ['tcp://127.0.0.1:*']
[flows.clean]
from = ['in']
through = ['downcase']
to = ['publish', 'out']
";

#[test]
fn what_is_subscribed_to_goes_through_a_plugin_to_every_sink() {
    let host = Setup::new().committed("downcase").config(RELAY).start();
    let publisher = peer(&host, zmq::XPUB, "in");
    let prefixes = [publisher.recv_bytes(0).unwrap(), publisher.recv_bytes(0).unwrap()];
    assert_eq!(prefixes, [b"\x01EUR", b"\x01USD"]);
    let subscribers = ["publish", "out"].map(|socket| peer(&host, zmq::SUB, socket));
    for subscriber in &subscribers {
        // Until the subscription has arrived.
        wait_for("a subscription", || {
            send(&publisher, &["EUR", "Begin"]);
            (subscriber.poll(zmq::POLLIN, 20) == Ok(1)).then_some(())
        });
    }
    send(&publisher, &["GBP", "Nobody Wants This"]);
    send(&publisher, &["USD", "HeLLo"]);
    for subscriber in &subscribers {
        let mut got = receive(subscriber);
        while got[0] == "EUR" {
            got = receive(subscriber);
        }
        assert_eq!(got, ["USD", "lower case of HeLLo is hello"]);
    }
    let hops = &host.ledger()["hops"];
    assert_eq!(hops["sockets.in"]["in"], hops["flows.clean"]["out"]);
    assert_eq!(hops["flows.clean.downcase"]["out"], hops["flows.clean"]["out"]);
    assert_eq!(host.stop(), 0);
}

const QUEUE: &str = "\
[sockets.jobs]
type = 'pull'
bind = ['tcp://127.0.0.1:*']
queue_messages_max = 100
[sockets.done]
type = 'push'
bind = ['tcp://127.0.0.1:*']
queue_messages_max = 100
[flows.work]
from = ['jobs']
through = ['check']
to = ['done']
";

#[test]
fn what_a_plugin_fails_at_is_a_dead_letter_and_the_others_go_on_in_order() {
    let host = Setup::new()
        .plugin("check", &fixtures::trapping_on(b'!'))
        .config("rollback.failures = 0")
        .config(QUEUE)
        .start();
    let (jobs, done) = (peer(&host, zmq::PUSH, "jobs"), peer(&host, zmq::PULL, "done"));
    for number in 0..100 {
        send(&jobs, &[&if number % 10 == 3 { format!("!{number}") } else { number.to_string() }]);
    }
    for number in (0..100).filter(|number| number % 10 != 3) {
        assert_eq!(receive(&done), [number.to_string()]);
    }
    host.wait_for_hop("flows.work", &json!({"in": 100, "out": 90, "dropped": {"trapped": 10}, "in_flight": 0}));
    host.wait_for_hop("dead-letter", &json!({"in": 10, "out": 10}));
    let letters = host.admin("/dead-letters");
    assert_eq!(letters.text().matches("flows.work").count(), 10, "{}", letters.text());
    assert_eq!(host.stop(), 0);
}

/// Nothing is lost, and the sender waits, while nobody takes what is pushed.
#[test]
fn a_sink_without_room_stops_the_source() {
    let host = Setup::new().plugin("check", &fixtures::trapping_on(b'!')).config(QUEUE).start();
    let jobs = unconnected(zmq::PUSH);
    jobs.set_sndhwm(10).unwrap();
    jobs.set_sndbuf(1 << 12).unwrap();
    jobs.connect(host.surface("jobs")).unwrap();
    jobs.set_sndtimeo(1_000).unwrap();
    let body = "x".repeat(10_000);
    let mut sent = 0;
    while jobs.send(&format!("{sent} {body}"), 0).is_ok() {
        sent += 1;
        assert!(sent < 100_000, "it takes in everything");
    }
    let hops = &host.ledger()["hops"];
    let (entered, in_flight) = (&hops["flows.work"]["in"], &hops["flows.work"]["in_flight"]);
    assert!(entered.as_u64().unwrap() < sent && in_flight.as_u64().unwrap() > 0, "{hops}");
    assert_eq!((&hops["sockets.done"]["in_flight"], &hops["flows.work"]["dropped"]), (&json!(100), &json!({})));
    let done = peer(&host, zmq::PULL, "done");
    for number in 0..sent {
        assert!(receive(&done)[0].starts_with(&format!("{number} ")));
    }
    host.wait_for_hop("flows.work", &json!({"in": sent, "out": sent, "in_flight": 0}));
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_a_subscriber_has_no_room_for_is_counted() {
    let config = QUEUE.replace("'pull'", "'sub'");
    let host = Setup::new().plugin("check", &fixtures::trapping_on(b'!')).config(&config).start();
    let jobs = peer(&host, zmq::XPUB, "jobs");
    jobs.set_sndhwm(0).unwrap();
    assert_eq!(jobs.recv_bytes(0).unwrap(), b"\x01");
    const COUNT: u64 = 20_000;
    for number in 0..COUNT {
        send(&jobs, &[&number.to_string()]);
    }
    host.wait_for_hop("sockets.jobs", &json!({"in": COUNT, "out": COUNT}));
    let flow = &host.ledger()["hops"]["flows.work"];
    let dropped = flow["dropped"]["flow-full"].as_u64().expect("some are dropped");
    assert_eq!(flow["in"], COUNT);
    let done = peer(&host, zmq::PULL, "done");
    let mut last = None;
    for _ in 0..COUNT - dropped {
        let number: u64 = receive(&done)[0].parse().unwrap();
        assert!(last.replace(number).is_none_or(|last| last < number), "they stay in order");
    }
    host.wait_for_hop("flows.work", &json!({"out": COUNT - dropped, "in_flight": 0}));
    assert_eq!(host.stop(), 0);
}

/// Each message is processed by one plugin or the other, whole, and none is lost or late.
#[test]
fn a_stage_is_swapped_between_two_messages() {
    let config = QUEUE.replace("check", "case");
    let host = Setup::new().plugin("case", &bytes("downcase")).config(&config).start();
    let (jobs, done) = (peer(&host, zmq::PUSH, "jobs"), peer(&host, zmq::PULL, "done"));
    let (sent, received, is_over) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    const SWAPS: usize = 20;
    std::thread::scope(|scope| {
        let (sent, received, is_over) = (&sent, &received, &is_over);
        let sender = scope.spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let number = sent.load(Ordering::Relaxed);
                // More would wait in the system's buffers for most of the test.
                if number < received.load(Ordering::Relaxed) + 500 {
                    send(&jobs, &[&format!("A{number}")]);
                    sent.fetch_add(1, Ordering::Relaxed);
                } else {
                    std::thread::yield_now();
                }
            }
            send(&jobs, &["Over"]);
            // Closed at once, it would throw away what it has not sent.
            jobs
        });
        let receiver = scope.spawn(move || {
            for number in 0..usize::MAX {
                let [text] = &receive(&done)[..] else { panic!("one frame") };
                if text.contains("Over") {
                    assert_eq!(number, sent.load(Ordering::Relaxed));
                    break;
                }
                let cases = [("lower", "a"), ("upper", "A")]
                    .map(|(case, letter)| format!("{case} case of A{number} is {letter}{number}"));
                assert!(cases.contains(text), "{text}");
                received.fetch_add(1, Ordering::Relaxed);
            }
        });
        for swap in 0..SWAPS {
            let component = bytes(if swap % 2 == 0 { "upcase" } else { "downcase" });
            let before = sent.load(Ordering::Relaxed);
            assert_eq!(host.admin_request("PUT", "/plugins/case", Some(&component)).status, 200);
            wait_for("messages between two swaps", || (sent.load(Ordering::Relaxed) > before + 100).then_some(()));
        }
        is_over.store(true, Ordering::Relaxed);
        let _jobs = sender.join().unwrap();
        receiver.join().unwrap();
    });
    host.wait_for_hop("flows.work", &json!({"dropped": {}, "in_flight": 0}));
    assert_eq!(host.status("case")["generation"], SWAPS + 1);
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_end_of_a_host_and_what_arrived_agree() {
    let mut host = Setup::new().plugin("check", &fixtures::trapping_on(b'!')).config(QUEUE).start();
    let (jobs, done) = (peer(&host, zmq::PUSH, "jobs"), peer(&host, zmq::PULL, "done"));
    jobs.set_sndtimeo(0).unwrap();
    let is_over = AtomicBool::new(false);
    let (arrived, (code, stderr)) = std::thread::scope(|scope| {
        let is_over = &is_over;
        scope.spawn(move || {
            let mut number = 0_u64;
            while !is_over.load(Ordering::Relaxed) {
                match jobs.send(&number.to_string(), 0) {
                    Ok(()) => number += 1,
                    Err(_) => std::thread::yield_now(),
                }
            }
        });
        let received = scope.spawn(move || {
            let mut arrived = 0;
            done.set_rcvtimeo(100).unwrap();
            loop {
                match done.recv_bytes(0) {
                    Ok(body) => {
                        assert_eq!(body, arrived.to_string().into_bytes());
                        arrived += 1;
                    }
                    Err(_) if is_over.load(Ordering::Relaxed) => return arrived,
                    Err(_) => {}
                }
            }
        });
        wait_for("messages", || (host.ledger()["hops"]["flows.work"]["out"].as_u64()? > 1_000).then_some(()));
        let ended = host.stop_and_tell();
        is_over.store(true, Ordering::Relaxed);
        (received.join().unwrap(), ended)
    });
    assert_eq!(code, 0, "{stderr}");
    let line = stderr.lines().find(|line| line.contains("sockets.done")).expect("the last word of the ledger");
    assert!(line.contains(&format!("out={arrived}")) || line.contains(&arrived.to_string()), "{arrived}: {line}");
}
