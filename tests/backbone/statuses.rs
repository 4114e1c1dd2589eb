//! Headers that only servers have, or nobody: a message that somebody has stored with a status is one as any other, and one that the
//! client of NATS cannot read stops no other.

use super::nats::Nats;
use super::{THROUGH, peer, start};
use crate::harness::PATIENCE;
use std::collections::BTreeSet;

#[test]
fn a_message_that_was_stored_with_a_status_is_read_and_stops_nobody() {
    const STATUSES: [&str; 9] = [
        "100 Idle Heartbeat",
        "200",
        "404 No Messages",
        "408 Request Timeout\r\nNats-Pending-Messages: x",
        "409 Consumer Deleted",
        "409 Leadership Change\r\nNats-Pending-Messages: 1000000",
        "423 Nats-Wrong-Pin-Id",
        "503",
        "999 Other",
    ];
    let Some(nats) = Nats::start() else { return };
    let host = start(&nats, THROUGH);
    let receiver = peer(&host, zmq::PULL, "out");
    nats.stored("orders", 0);
    for (number, status) in STATUSES.iter().enumerate() {
        nats.publish_raw("orders.eu", &format!("NATS/1.0 {status}\r\n\r\n"), &number.to_string());
    }
    nats.publish("orders.eu", &[], "last");
    let numbers = (0..STATUSES.len()).map(|number| number.to_string());
    for body in numbers.chain(["last".to_owned()]) {
        assert_eq!(receiver.recv_multipart(0).unwrap(), [b"orders.eu", body.as_bytes()]);
    }
    nats.wait_for_acknowledged("orders", "tidegate", PATIENCE);
    let restarts = "tidegate_jetstream_restarts_total{surface=\"jetstream:orders/tidegate\"} 0";
    let metrics = host.admin("/metrics");
    assert!(metrics.text().lines().any(|line| line == restarts), "{}", metrics.text());
    assert_eq!(host.stop(), 0);
}

/// The client ends its connection at it, each time it comes.
#[test]
fn a_message_whose_headers_are_none_stops_no_other() {
    let Some(nats) = Nats::start() else { return };
    nats.with(async |jetstream| {
        let subjects = vec!["orders.>".to_owned()];
        let stream =
            async_nats::jetstream::stream::Config { name: "orders".to_owned(), subjects, ..Default::default() };
        jetstream.create_stream(stream).await.unwrap();
    });
    // All of them are on their way at a time.
    nats.publish_raw("orders.eu", "NATS/1.0 none\r\n\r\n", "bad");
    let mut left: BTreeSet<_> = (0..10).map(|number| number.to_string()).collect();
    left.iter().for_each(|number| nats.publish("orders.eu", &[], number));
    let host = start(&nats, &format!("{THROUGH}[streams.orders.consumers.tidegate]\nack_wait_ms = 1000\n"));
    let receiver = peer(&host, zmq::PULL, "out");
    while !left.is_empty() {
        let frames = receiver.recv_multipart(0).unwrap();
        left.remove(std::str::from_utf8(&frames[1]).unwrap());
    }
    host.process.wait_for_line(&["jetstream:orders/tidegate", "they are read one by one"]);
    assert_eq!(host.stop(), 0);
}
