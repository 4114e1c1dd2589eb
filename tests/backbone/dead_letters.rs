//! Poison: a message that a plugin fails at comes again after growing pauses, and then is a dead letter in JetStream; the others
//! are unharmed.

use super::nats::Nats;
use super::peer;
use crate::fixtures;
use crate::harness::{PATIENCE, Setup, tidegate};
use serde_json::json;
use std::time::{Duration, Instant};

const CHECKED: &str = "\
[streams.orders.consumers.tidegate]
deliveries_max = 3
retry_ms = 20
retry_ms_max = 50
[sockets.out]
type = 'push'
bind = ['tcp://127.0.0.1:*']
[flows.outtake]
from = ['jetstream:orders/tidegate']
through = ['check']
to = ['out']
";

#[test]
fn a_poison_message_becomes_a_dead_letter_after_so_many_deliveries() {
    let Some(nats) = Nats::start() else { return };
    let config = format!("rollback.failures = 0\n{}{CHECKED}", nats.config());
    let host = Setup::new().plugin("check", &fixtures::trapping_on(b'!')).config(&config).start();
    let receiver = peer(&host, zmq::PULL, "out");
    nats.stored("orders", 0);
    for body in ["0", "!poison", "2", "3"] {
        nats.publish("orders.eu", &[], body);
    }
    for body in ["0", "2", "3"] {
        assert_eq!(receiver.recv_multipart(0).unwrap().last().unwrap(), body.as_bytes());
    }
    let letters = nats.stored("orders-dead-letters", 1);
    let (subject, headers, line) = &letters[0];
    assert_eq!(subject, "orders-dead-letters.tidegate");
    let id = headers.iter().find(|(name, _)| name == "Nats-Msg-Id").expect("an id");
    assert!(id.1.starts_with("orders/tidegate/") && id.1.ends_with("/2"), "{id:?}");
    let letter: serde_json::Value = serde_json::from_slice(line).unwrap();
    assert_eq!(
        (&letter["route"], &letter["reason"], &letter["plugin"]),
        (&json!("flows.outtake"), &json!("trapped"), &json!("check"))
    );
    nats.wait_for_acknowledged("orders", "tidegate", PATIENCE);
    host.wait_for_hop("flows.outtake", &json!({"in": 6, "out": 3, "dropped": {"trapped": 3}, "in_flight": 0}));
    host.wait_for_hop("jetstream:orders/tidegate.redelivered", &json!({"in": 2, "out": 2}));
    // It is read as those of a host are.
    let file = host.directory.path().join("fetched.jsonl");
    let fetched =
        host.output("dead-letters", &["fetch", &nats.url(), "orders-dead-letters", "-o", file.to_str().unwrap()]);
    assert!(fetched.starts_with("fetched 1 dead letters of orders-dead-letters"), "{fetched}");
    let shown = tidegate().args(["dead-letters", "list", "--file"]).arg(&file).output().unwrap().stdout;
    assert!(String::from_utf8(shown).unwrap().contains("flows.outtake"), "a line for the letter");
    // It is none of the host's own.
    host.wait_for_hop("dead-letter", &json!({"in": 0}));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_message_that_is_rejected_is_tried_once() {
    let Some(nats) = Nats::start() else { return };
    let config = format!("{}{CHECKED}", nats.config());
    let host = Setup::new().plugin("check", &fixtures::erring(false, "no")).config(&config).start();
    nats.stored("orders", 0);
    nats.publish("orders.eu", &[], "x");
    nats.stored("orders-dead-letters", 1);
    host.wait_for_hop("flows.outtake", &json!({"in": 1, "out": 0, "dropped": {"rejected": 1}}));
    assert_eq!(host.stop(), 0);
}

/// What comes of it has no place, or its letter has no room for it: neither holds up the others.
#[test]
fn what_has_no_place_and_what_is_too_large_become_letters() {
    let Some(nats) = Nats::start() else { return };
    let config = format!(
        "rollback.failures = 0\n{}{}",
        nats.config(),
        CHECKED
            .replace("['out']", "['publish', 'jetstream:copies.{k}']")
            .replace("deliveries_max = 3", "max_ack_pending = 2")
    );
    let host = Setup::new().plugin("check", &fixtures::trapping_on(b'!')).config(&config).start();
    nats.stored("orders", 0);
    (0..5).for_each(|_| nats.publish("orders.eu", &[], "x"));
    nats.stored("orders-dead-letters", 5);
    let large = format!("!{}", "x".repeat(900_000));
    (0..2).for_each(|_| nats.publish("orders.eu", &[], &large));
    let letters = nats.stored("orders-dead-letters", 7);
    let letter: serde_json::Value = serde_json::from_slice(&letters[6].2).unwrap();
    assert!(letter["error"].as_str().unwrap().contains("the letter has no room for its 900"), "{letter}");
    nats.wait_for_acknowledged("orders", "tidegate", PATIENCE);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_message_that_a_flow_is_to_drop_is_dropped_once() {
    let Some(nats) = Nats::start() else { return };
    let config = format!("{}{CHECKED}on_error = 'drop'\n", nats.config());
    let host = Setup::new().plugin("check", &fixtures::trapping_on(b'!')).config(&config).start();
    nats.stored("orders", 0);
    nats.publish("orders.eu", &[], "!");
    host.wait_for_hop("flows.outtake", &json!({"in": 1, "out": 0, "dropped": {"trapped": 1}}));
    nats.wait_for_acknowledged("orders", "tidegate", PATIENCE);
    assert_eq!(nats.count("orders-dead-letters"), None);
    assert_eq!(host.stop(), 0);
}

/// NATS takes nothing while the letter is written and the host is told to end.
#[test]
fn a_host_that_ends_stores_its_letters_before() {
    let Some(nats) = Nats::start() else { return };
    let config = format!(
        "{}{}[workers.slow]\nbind = ['tcp://127.0.0.1:*']\nprotocol = 'rep'\ndeadline_ms = 30000\n",
        nats.config(),
        CHECKED.replace("'check'", "'workers.slow', 'check'")
    );
    let mut host = Setup::new().plugin("check", &fixtures::erring(false, "no")).config(&config).start();
    let worker = peer(&host, zmq::REP, "workers.slow");
    nats.stored("orders", 0);
    nats.publish("orders.eu", &[], "x");
    worker.recv_multipart(0).unwrap();
    worker.send("y", 0).unwrap();
    nats.stored("orders-dead-letters", 1);
    nats.publish("orders.eu", &[], "x");
    worker.recv_multipart(0).unwrap();
    nats.pause();
    worker.send("y", 0).unwrap();
    host.wait_for_hop("flows.outtake", &json!({"in": 2, "out": 0, "dropped": {"rejected": 2}, "in_flight": 0}));
    host.process.signal("TERM");
    // A host that does not wait for it has ended long before.
    let told = Instant::now();
    while !host.process.has_ended() && told.elapsed() < Duration::from_millis(200) {
        std::thread::sleep(Duration::from_millis(5));
    }
    nats.resume();
    assert_eq!(host.wait(), 0);
    nats.stored("orders-dead-letters", 2);
    nats.wait_for_acknowledged("orders", "tidegate", PATIENCE);
}

/// A worker that takes longer than a message may be with a host that says nothing of it.
#[test]
fn a_long_call_is_not_taken_for_lost() {
    let Some(nats) = Nats::start() else { return };
    let checked = CHECKED.replace("deliveries_max = 3", "ack_wait_ms = 1000").replace("'check'", "'workers.slow'");
    let config = format!(
        "{}{checked}[workers.slow]\nbind = ['tcp://127.0.0.1:*']\nprotocol = 'rep'\ndeadline_ms = 30000\n",
        nats.config()
    );
    let host = Setup::new().config(&config).start();
    let (receiver, worker) = (peer(&host, zmq::PULL, "out"), peer(&host, zmq::REP, "workers.slow"));
    nats.stored("orders", 0);
    nats.publish("orders.eu", &[], "x");
    assert_eq!(worker.recv_multipart(0).unwrap().last().unwrap(), b"x");
    // Twice as long as that, which is what is tried.
    std::thread::sleep(Duration::from_millis(2_500));
    host.wait_for_hop("jetstream:orders/tidegate", &json!({"in": 1, "in_flight": 1}));
    worker.send("y", 0).unwrap();
    assert_eq!(receiver.recv_multipart(0).unwrap().last().unwrap(), b"y");
    nats.wait_for_acknowledged("orders", "tidegate", PATIENCE);
    host.wait_for_hop("jetstream:orders/tidegate", &json!({"in": 1, "out": 1}));
    assert_eq!(host.stop(), 0);
}
