//! Flows change beside one that is under load, or are it, and nothing is lost.

use super::{apply, changes, flow, one_flow, peer, put, socket, start, text};
use crate::harness::{Host, wait_for};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Sets a flag when it is dropped, whatever happened before.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends numbered messages and counts those that come back in order, while `change` is called.
pub fn under_load(host: &Host, change: impl FnOnce(&AtomicU64)) {
    let (jobs, done) = (peer(host, zmq::PUSH, "jobs"), peer(host, zmq::PULL, "done"));
    let (sent, arrived, is_over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (sent, arrived, is_over) = (&sent, &arrived, &is_over);
        let sender = scope.spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                // More would wait in buffers for longer than a test does.
                if sent.load(Ordering::Relaxed) > arrived.load(Ordering::Relaxed) + 300 {
                    std::thread::yield_now();
                    continue;
                }
                jobs.send(&sent.load(Ordering::Relaxed).to_string(), 0).expect("room");
                sent.fetch_add(1, Ordering::Relaxed);
            }
            jobs.send("over", 0).expect("room");
            jobs
        });
        let receiver = scope.spawn(move || {
            let _over = SetAtEnd(is_over);
            for number in 0..u64::MAX {
                let body = text(&done);
                if body == "over" {
                    assert_eq!(number, sent.load(Ordering::Relaxed));
                    return;
                }
                assert_eq!(body, number.to_string());
                arrived.fetch_add(1, Ordering::Relaxed);
            }
        });
        let over = SetAtEnd(is_over);
        change(arrived);
        drop(over);
        receiver.join().unwrap();
        // One that goes takes with it what has not left yet.
        drop(sender.join().unwrap());
    });
    host.wait_for_hop("flows.work", &json!({"dropped": {}, "in_flight": 0}));
}

pub fn wait_for_more(arrived: &AtomicU64) {
    let before = arrived.load(Ordering::Relaxed);
    wait_for("messages of the other flow", || (arrived.load(Ordering::Relaxed) > before + 20).then_some(()));
}

#[test]
fn flows_come_change_and_go_beside_one_under_load() {
    let host = start(one_flow);
    let directory = host.directory.path();
    let alone = one_flow(directory);
    let more = alone.clone() + &socket(directory, "in", "pull") + &socket(directory, "out", "push");
    let both = more + &flow("new", "in", "out");
    let changed = both.replace(&flow("new", "in", "out"), &flow("new", "in", "out").replace("check", "upcase"));
    assert_ne!(changed, both);
    under_load(&host, |arrived| {
        for _ in 0..10 {
            let keys = ["sockets.in", "sockets.out", "flows.new"];
            assert_eq!(apply(&host, &both), changes(&keys, &[], &[]));
            let (sender, receiver) = (peer(&host, zmq::PUSH, "in"), peer(&host, zmq::PULL, "out"));
            sender.send("a", 0).unwrap();
            assert_eq!(text(&receiver), "a");
            assert_eq!(apply(&host, &changed), changes(&[], &["flows.new"], &[]));
            sender.send("a", 0).unwrap();
            assert_eq!(text(&receiver), "upper case of a is A");
            assert_eq!(apply(&host, &changed), changes(&[], &[], &[]));
            wait_for_more(arrived);
            assert_eq!(apply(&host, &alone), changes(&[], &[], &keys));
            assert_eq!(host.admin("/flows/new").status, 404);
            wait_for_more(arrived);
        }
    });
    let sockets = host.ledger()["sockets"].clone();
    assert!(sockets.get("in").is_some(), "what has gone stays counted: {sockets}");
    assert_eq!(host.stop(), 0);
}

/// What the flow before had taken in leaves before what the flow after takes in.
#[test]
fn a_flow_under_load_is_changed_and_loses_nothing() {
    let host = start(one_flow);
    under_load(&host, |arrived| {
        for round in 0..20 {
            let through = if round % 2 == 0 { "[]" } else { "['check']" };
            let body = format!("from = ['jobs']\nthrough = {through}\nto = ['done']\n");
            let answer = put(&host, "/flows/work", &body);
            assert_eq!((answer.status, answer.json()), (200, changes(&[], &["flows.work"], &[])));
            wait_for_more(arrived);
        }
    });
    assert_eq!(host.stop(), 0);
}
