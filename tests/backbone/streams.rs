//! Streams and consumers: made where they are not, and changed only where that is said.

use super::nats::Nats;
use super::{THROUGH, peer, start};
use crate::harness::{PATIENCE, wait_for};
use async_nats::jetstream::stream::Config;

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
