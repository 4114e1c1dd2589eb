//! Streams and consumers: made where they are not, and changed only where that is said.

use super::nats::Nats;
use super::{THROUGH, peer, start};
use crate::harness::{PATIENCE, wait_for};
use async_nats::jetstream::stream::Config;
use std::collections::BTreeSet;

#[test]
fn a_stream_that_is_there_is_changed_only_if_that_is_said() {
    let Some(nats) = Nats::start() else { return };
    let there = Config {
        name: "orders".to_owned(),
        subjects: vec!["orders.>".to_owned(), "more.>".to_owned()],
        max_bytes: 12_345,
        ..Config::default()
    };
    nats.with(async |jetstream| jetstream.create_stream(there).await.map(drop)).unwrap();
    let config =
        || nats.with(async |jetstream| jetstream.get_stream("orders").await.unwrap().cached_info().config.clone());
    let mut host = start(&nats, THROUGH);
    host.process.wait_for_line(&["the stream is there and is another", "streams.orders.manage is true"]);
    assert_eq!((config().max_bytes, config().subjects.len()), (12_345, 2));
    // With what is there it works.
    let (sender, receiver) = (peer(&host, zmq::PUSH, "in"), peer(&host, zmq::PULL, "out"));
    sender.send_multipart(["eu", "x"], 0).unwrap();
    receiver.recv_multipart(0).unwrap();
    assert_eq!(host.stop_and_tell().0, 0);
    let host = start(&nats, &THROUGH.replacen("[sockets.in]", "manage = true\n[sockets.in]", 1));
    wait_for("the stream to be changed", || (config().subjects == ["orders.>"]).then_some(()));
    assert_eq!(config().max_bytes, 1 << 30);
    assert_eq!(host.stop(), 0);
}

/// A consumer that somebody deletes is made anew.
#[test]
fn a_consumer_that_is_gone_is_made_again() {
    let Some(nats) = Nats::start() else { return };
    let host = start(&nats, THROUGH);
    let (sender, receiver) = (peer(&host, zmq::PUSH, "in"), peer(&host, zmq::PULL, "out"));
    sender.send_multipart(["eu", "one"], 0).unwrap();
    assert_eq!(receiver.recv_multipart(0).unwrap()[1], b"one");
    nats.wait_for_acknowledged("orders", "tidegate", PATIENCE);
    nats.with(async |jetstream| {
        let stream = jetstream.get_stream("orders").await.unwrap();
        stream.delete_consumer("tidegate").await.unwrap();
        stream.purge().await.unwrap();
    });
    sender.send_multipart(["eu", "two"], 0).unwrap();
    assert_eq!(receiver.recv_multipart(0).unwrap()[1], b"two");
    assert_eq!(host.stop(), 0);
}

/// Another consumer takes the place of the one that runs, and another flow that of the flow, while messages come.
#[test]
fn a_consumer_that_is_changed_while_it_is_read_loses_nothing() {
    let Some(nats) = Nats::start() else { return };
    // What is on its way to a consumer that ends comes again after this wait.
    let configured = |pending: usize| {
        let consumer = format!(
            "manage = true\n[streams.orders.consumers.tidegate]\nack_wait_ms = 1000\nmax_ack_pending = {pending}\n[sockets.in]"
        );
        let changed = THROUGH.replacen("[sockets.in]", &consumer, 1);
        changed.replacen("to = ['out']", &format!("to = ['out']\nin_flight_max = {pending}"), 1)
    };
    let host = start(&nats, &configured(200));
    let (sender, receiver) = (peer(&host, zmq::PUSH, "in"), peer(&host, zmq::PULL, "out"));
    let count = 2_000;
    let sending = std::thread::spawn(move || {
        for number in 0..count {
            sender.send_multipart(["eu", &number.to_string()], 0).unwrap();
        }
        sender
    });
    let mut seen = BTreeSet::new();
    for round in 0..4 {
        while seen.len() < count * (round + 1) / 5 {
            seen.insert(receiver.recv_multipart(0).unwrap());
        }
        let file = host.directory.path().join("tidegate.toml");
        std::fs::write(file, format!("{}{}", nats.config(), configured(100 + round))).unwrap();
        host.process.signal("HUP");
        host.process.wait_for_line(&["consumer changed"]);
    }
    while seen.len() < count {
        seen.insert(receiver.recv_multipart(0).unwrap());
    }
    let _sender = sending.join().unwrap();
    nats.wait_for_acknowledged("orders", "tidegate", PATIENCE);
    assert_eq!(nats.count("orders"), Some(count as u64));
    assert_eq!(host.stop(), 0);
}
