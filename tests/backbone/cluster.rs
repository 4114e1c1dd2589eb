//! Three servers in a cluster that keep each message three times: one is killed, whichever leads the stream, and nothing is lost.

use super::nats::Cluster;
use super::{THROUGH, peer};
use crate::harness::{LONG_PATIENCE, Setup};
use serde_json::json;
use std::collections::BTreeSet;

/// Whose messages have a subject whatever their topic is.
const LOOSE: &str = "\
[sockets.loose]
type = 'pull'
bind = ['tcp://127.0.0.1:*']
[flows.loose]
from = ['loose']
to = ['jetstream:orders.loose']
";

#[test]
fn the_server_that_leads_is_killed_and_nothing_is_lost() {
    let Some(mut cluster) = Cluster::start() else { return };
    let config = format!("{}replicas = 3\n{THROUGH}{LOOSE}", cluster.config());
    let host = Setup::new().config(&config).start();
    let (sender, receiver) = (peer(&host, zmq::PUSH, "in"), peer(&host, zmq::PULL, "out"));
    receiver.set_rcvtimeo(LONG_PATIENCE.as_millis() as i32).unwrap();
    let count = 2_000;
    let sending = std::thread::spawn(move || {
        for number in 0..count {
            sender.send_multipart(["eu", &number.to_string()], 0).unwrap();
        }
        sender
    });
    cluster.wait_for_messages("orders", 200);
    let led = cluster.kill_leader("orders");
    let mut seen = BTreeSet::new();
    while seen.len() < count {
        let frames = receiver.recv_multipart(0).unwrap_or_else(|error| panic!("{error}: {} of {count}", seen.len()));
        seen.insert(String::from_utf8(frames[1].clone()).unwrap());
    }
    let _sender = sending.join().unwrap();
    assert_eq!(cluster.wait_for_messages("orders", count as u64), count as u64, "each is stored once");
    // Servers of a cluster take no headers of more than 64 KiB, which are where the topic is.
    let loose = peer(&host, zmq::PUSH, "loose");
    for topic in ["t".repeat(70_000), "t".to_owned()] {
        loose.send_multipart([topic.as_str(), "x"], 0).unwrap();
    }
    host.wait_for_hop("jetstream:orders.loose", &json!({"in": 2, "out": 1, "dropped": {"too-large": 1}}));
    println!("server {led} led, and was killed");
    assert_eq!(host.stop(), 0);
}
