//! Two hosts on one durable consumer: they share its work, and when one is killed the other does what it had.

use super::nats::Nats;
use super::{peer, start};
use crate::harness::{Host, wait_for};
use std::collections::BTreeSet;

const OUTTAKE: &str = "\
[streams.orders.consumers.tidegate]
ack_wait_ms = 1000
max_ack_pending = 200
[workers.pool]
bind = ['tcp://127.0.0.1:*']
in_flight_per_worker_max = 10
[flows.outtake]
from = ['jetstream:orders/tidegate']
through = ['workers.pool']
to = ['publish']
";

fn taken(host: &Host) -> u64 {
    host.ledger()["hops"]["jetstream:orders/tidegate"]["in"].as_u64().unwrap()
}

/// A worker that says what it has answered, until its host is gone.
fn work(host: &Host) -> std::thread::JoinHandle<BTreeSet<String>> {
    let worker = peer(host, zmq::DEALER, "workers.pool");
    worker.set_rcvtimeo(3_000).unwrap();
    std::thread::spawn(move || {
        worker.send_multipart([&b"MDPW02"[..], b"\x01", b"pool"], 0).unwrap();
        let mut answered = BTreeSet::new();
        while let Ok(frames) = worker.recv_multipart(0) {
            if frames.get(1).is_some_and(|command| command == b"\x02") {
                let body = frames.last().unwrap().clone();
                let answer = [&b"MDPW02"[..], b"\x04", &frames[2], b"", &body];
                if worker.send_multipart(answer, 0).is_err() {
                    break;
                }
                answered.insert(String::from_utf8(body).unwrap());
            } else {
                let _ = worker.send_multipart([&b"MDPW02"[..], b"\x05"], 0);
            }
        }
        answered
    })
}

#[test]
fn two_hosts_share_a_consumer_and_one_is_killed() {
    let Some(nats) = Nats::start() else { return };
    let mut hosts = [start(&nats, OUTTAKE), start(&nats, OUTTAKE)];
    nats.stored("orders", 0);
    let workers = hosts.each_ref().map(work);
    let count = 2_000;
    nats.with(async |jetstream| {
        for number in 0..count {
            jetstream.publish("orders.eu", format!("{number}").into()).await.unwrap().await.unwrap();
        }
    });
    wait_for("both to have some", || hosts.iter().all(|host| taken(host) > 50).then_some(()));
    hosts[0].process.signal("KILL");
    hosts[0].process.wait();
    nats.wait_for_acknowledged("orders", "tidegate", crate::harness::LONG_PATIENCE);
    let redelivered = hosts[1].ledger()["hops"]["jetstream:orders/tidegate.redelivered"]["in"].as_u64().unwrap();
    let [_, survivor] = hosts;
    assert_eq!(survivor.stop(), 0);
    let answered = workers.map(|worker| worker.join().unwrap());
    let all: BTreeSet<_> = answered.iter().flatten().collect();
    assert_eq!(all.len(), count);
    let twice = answered[0].intersection(&answered[1]).count() as u64;
    assert!(twice <= redelivered, "{twice} were answered twice, {redelivered} were delivered again");
}
