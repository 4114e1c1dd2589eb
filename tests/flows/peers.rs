//! Peers of flows that are killed, that send too much or nothing, or that know no ZMTP.

use super::{QUEUE, RELAY, peer, receive, send, unconnected};
use crate::fixtures;
use crate::harness::{Host, Setup, wait_for};
use crate::raw_peer::{RawPeer, frame, greeting, ready};
use serde_json::json;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Another host, which takes what this one pushes and pushes it on, and a reader of that.
fn worker(host: &Host) -> (Host, zmq::Socket) {
    let config = format!(
        "[sockets.in]\ntype = 'pull'\nconnect = ['{}']\n[sockets.out]\ntype = 'push'\nbind = ['tcp://127.0.0.1:*']\n\
         [flows.take]\nfrom = ['in']\nto = ['out']",
        host.surface("done")
    );
    let worker = Setup::new().committed("downcase").config(&config).start();
    let reader = peer(&worker, zmq::PULL, "out");
    (worker, reader)
}

fn number(reader: &zmq::Socket) -> u64 {
    receive(reader)[0].split_once(' ').unwrap().0.parse().unwrap()
}

fn send_numbers(jobs: &zmq::Socket, numbers: Range<u64>) {
    for number in numbers {
        send(jobs, &[&format!("{number} {}", "x".repeat(1_000))]);
    }
}

/// What the first worker had been sent and had not passed on is lost with it; the second one gets all that comes after.
#[test]
fn a_killed_receiver_is_followed_by_the_next_one() {
    const FIRST: u64 = 5_000;
    const ALL: u64 = FIRST + 500;
    let host = Setup::new().plugin("check", &fixtures::trapping_on(b'!')).config(QUEUE).start();
    let jobs = peer(&host, zmq::PUSH, "jobs");
    let (mut first, first_reader) = worker(&host);
    send_numbers(&jobs, 0..500);
    let mut arrived = 0;
    while arrived < 500 {
        assert_eq!(number(&first_reader), arrived);
        arrived += 1;
    }
    let sending = std::thread::spawn(move || {
        send_numbers(&jobs, 500..FIRST);
        jobs
    });
    // In the middle: more has come through than was there, and more is to come.
    while arrived < 700 {
        assert_eq!(number(&first_reader), arrived);
        arrived += 1;
    }
    first.process.signal("KILL");
    first.process.wait();
    let (second, second_reader) = worker(&host);
    let jobs = sending.join().unwrap();
    send_numbers(&jobs, FIRST..ALL);
    let began = number(&second_reader);
    for expected in began + 1..ALL {
        assert_eq!(number(&second_reader), expected);
    }
    while first_reader.poll(zmq::POLLIN, 0) == Ok(1) {
        assert_eq!(number(&first_reader), arrived);
        arrived += 1;
    }
    assert!(arrived <= began && began <= FIRST, "{arrived} arrived at the first, and from {began} on at the second");
    host.wait_for_hop("flows.work", &json!({"in": ALL, "out": ALL, "dropped": {}, "in_flight": 0}));
    host.wait_for_hop("sockets.done", &json!({"in": ALL, "in_flight": 0}));
    let done = &host.ledger()["hops"]["sockets.done"];
    let cut_off = done["dropped"].get("cut-off").map_or(0, |count| count.as_u64().unwrap());
    assert_eq!(done["out"].as_u64().unwrap() + cut_off, ALL, "{done}");
    assert!(cut_off <= began - arrived, "{cut_off} of {} that are lost: {done}", began - arrived);
    assert_eq!((second.stop(), host.stop()), (0, 0));
}

/// What had come in whole goes on, in order and counted, and nothing of what had not.
#[test]
fn what_a_killed_sender_had_sent_arrives() {
    let mut host = Setup::new().plugin("check", &fixtures::trapping_on(b'!')).config(QUEUE).start();
    let jobs = peer(&host, zmq::PUSH, "jobs");
    let (worker, reader) = worker(&host);
    jobs.set_sndtimeo(10).unwrap();
    let (is_over, mut arrived) = (AtomicBool::new(false), 0);
    std::thread::scope(|scope| {
        let is_over = &is_over;
        scope.spawn(move || {
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                if jobs.send(&format!("{number} {}", "x".repeat(1_000)), 0).is_ok() {
                    number += 1;
                }
            }
        });
        // In the middle: more has come through than any queue holds, and more is to come.
        while arrived < 2_000 {
            assert_eq!(number(&reader), arrived);
            arrived += 1;
        }
        host.process.signal("KILL");
        host.process.wait();
        is_over.store(true, Ordering::Relaxed);
    });
    wait_for("the end of the connection, and all that came by it", || {
        while reader.poll(zmq::POLLIN, 0) == Ok(1) {
            assert_eq!(number(&reader), arrived);
            arrived += 1;
        }
        let is_alone = metric(&worker, "peers", "in") == 0;
        (is_alone && worker.ledger()["hops"]["sockets.out"]["out"] == arrived).then_some(())
    });
    for hop in ["sockets.in", "flows.take", "sockets.out"] {
        worker.wait_for_hop(hop, &json!({"in": arrived, "out": arrived, "dropped": {}, "in_flight": 0}));
    }
    assert_eq!(worker.stop(), 0);
}

fn cut_off(host: &Host, socket: &str) -> u64 {
    metric(host, "peers_cut_off_total", socket)
}

fn metric(host: &Host, name: &str, socket: &str) -> u64 {
    let name = format!("tidegate_socket_{name}{{socket=\"{socket}\"}} ");
    let text = host.admin("/metrics").text().to_owned();
    let count = text.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or_else(|| panic!("no {name}:\n{text}"));
    count.parse().unwrap()
}

#[test]
fn a_message_has_any_size_up_to_its_bound() {
    const MAX: usize = 100_000;
    let config = format!("messaging.frame_bytes_max = {MAX}\n{QUEUE}");
    let host = Setup::new().plugin("check", &fixtures::repeating(1)).config(&config).start();
    let jobs = peer(&host, zmq::PUSH, "jobs");
    let done = peer(&host, zmq::PULL, "done");
    let largest = "x".repeat(MAX);
    for frames in [&[""][..], &["", "", ""], &["", "a"], &[&largest], &["a"]] {
        send(&jobs, frames);
        assert!(receive(&done) == frames);
    }
    // One that is larger ends its connection, however large it is, and others come in as before.
    for (index, bytes) in [MAX + 1, 100_000_000].into_iter().enumerate() {
        let other = unconnected(zmq::PUSH);
        other.connect(host.surface("jobs")).unwrap();
        other.send(vec![b'x'; bytes], 0).unwrap();
        wait_for("the connection to end", || (cut_off(&host, "jobs") == index as u64 + 1).then_some(()));
        send(&jobs, &["b"]);
        assert_eq!(receive(&done), ["b"]);
    }
    let all = json!({"in": 7, "out": 7, "dropped": {}, "in_flight": 0});
    for hop in ["sockets.jobs", "flows.work", "sockets.done"] {
        host.wait_for_hop(hop, &all);
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn bytes_that_are_no_zmtp_reach_no_flow() {
    let host = Setup::new().committed("downcase").config(RELAY).start();
    let publisher = peer(&host, zmq::XPUB, "in");
    for _ in 0..2 {
        publisher.recv_bytes(0).unwrap();
    }
    let greeted = greeting();
    let a_publisher = [&greeted[..], &ready("PUB", b"")].concat();
    let over_all = [&a_publisher[..], b"\x02\xff\xff\xff\xff\xff\xff\xff\xff"].concat();
    let another_kind = [&greeted[..], &ready("DEALER", b"")].concat();
    let no_command = [&greeted[..], &frame(0, b"EUR")].concat();
    for bytes in [&b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..], &[0xa5; 5_000], &over_all, &another_kind, &no_command] {
        let mut stranger = RawPeer::connect_silently(host.surface("in"));
        // The host may have had enough before all of it is written.
        let _ = stranger.write(bytes);
        stranger.wait_for_end();
    }
    // One that stays, and never says what it is.
    let mut silent = RawPeer::connect_silently(host.surface("in"));
    silent.write(&greeted[..20]).unwrap();
    send(&publisher, &["EUR", "HeLLo"]);
    let figures = json!({"in": 1, "out": 1, "dropped": {}, "in_flight": 0});
    for hop in ["sockets.in", "flows.clean", "flows.clean.downcase"] {
        host.wait_for_hop(hop, &figures);
    }
    assert_eq!(host.stop(), 0);
}

/// Whoever has enough to do reads nothing more, the questions of heartbeats among it.
#[test]
fn a_receiver_that_does_not_read_for_long_is_not_taken_for_dead() {
    const ALL: u64 = 20_000;
    let config = format!("messaging.heartbeat_ms = 100\n{QUEUE}");
    let host = Setup::new().plugin("check", &fixtures::trapping_on(b'!')).config(&config).start();
    let (jobs, receiver) = (peer(&host, zmq::PUSH, "jobs"), unconnected(zmq::PULL));
    receiver.set_rcvhwm(1).unwrap();
    receiver.connect(host.surface("done")).unwrap();
    let mut other = RawPeer::connect(host.surface("jobs"), "PUSH", b"");
    let sending = std::thread::spawn(move || {
        send_numbers(&jobs, 0..ALL);
        jobs
    });
    // More is sent than all queues and buffers take, so that one which reads nothing could tell by nothing that it lives.
    for _ in 0..15 {
        other.receive_ping().unwrap();
    }
    for expected in 0..ALL {
        assert_eq!(number(&receiver), expected);
    }
    let _jobs = sending.join().unwrap();
    host.wait_for_hop("sockets.done", &json!({"in": ALL, "out": ALL, "dropped": {}, "in_flight": 0}));
    assert_eq!(host.stop(), 0);
}
