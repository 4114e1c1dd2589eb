//! The durable backbone: what is acknowledged is in JetStream, what is read from it comes until it was dealt with, and NATS that is
//! away stops nobody who does not need it. All on a real nats-server.

mod away;
mod buckets;
mod cluster;
mod crashes;
mod credentials;
mod dead_letters;
mod jwt;
mod leaf;
mod nats;
mod receipts;
mod refusals;
mod shared;
mod statuses;
mod streams;
mod tls;

use crate::flows::unconnected;
use crate::harness::{Host, Setup};
use nats::Nats;

/// From a socket into JetStream, and from there to another.
const THROUGH: &str = "\
[sockets.in]
type = 'pull'
bind = ['tcp://127.0.0.1:*']
[sockets.out]
type = 'push'
bind = ['tcp://127.0.0.1:*']
[flows.intake]
from = ['in']
to = ['jetstream:orders.{topic}']
[flows.outtake]
from = ['jetstream:orders/tidegate']
to = ['out']
";

fn start(nats: &Nats, config: &str) -> Host {
    Setup::new().config(&format!("{}{config}", nats.config())).committed("downcase").start()
}

fn peer(host: &Host, kind: zmq::SocketType, socket: &str) -> zmq::Socket {
    let peer = unconnected(kind);
    peer.connect(host.surface(socket)).unwrap();
    peer
}

#[test]
fn frames_come_out_of_jetstream_as_they_went_in() {
    let Some(nats) = Nats::start() else { return };
    let host = start(&nats, THROUGH);
    let (sender, receiver) = (peer(&host, zmq::PUSH, "in"), peer(&host, zmq::PULL, "out"));
    let messages: [&[&[u8]]; 5] =
        [&[b"eu", b"body"], &[b"a b.*", b"\xff\0"], &[b"\xff", b""], &[b"t", b"", b"three", b""], &[b"eu", b"last"]];
    for message in messages {
        sender.send_multipart(message, 0).unwrap();
    }
    for message in messages {
        assert_eq!(receiver.recv_multipart(0).unwrap(), message);
    }
    let stored = nats.stored("orders", 5);
    let subjects: Vec<_> = stored.iter().map(|(subject, ..)| subject.as_str()).collect();
    assert_eq!(subjects, ["orders.eu", "orders.a%20b.%2A", "orders.%FF", "orders.t", "orders.eu"]);
    // Others that read the stream need to know nothing of Tidegate.
    assert_eq!(stored[0].2, b"body");
    // A single frame has no topic that would be a part of the subject.
    sender.send("alone", 0).unwrap();
    host.wait_for_hop("flows.intake", &serde_json::json!({"in": 6, "out": 5, "dropped": {"no-subject": 1}}));
    nats.wait_for_acknowledged("orders", "tidegate", crate::harness::PATIENCE);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_plugin_reads_what_others_have_published() {
    let Some(nats) = Nats::start() else { return };
    let config = THROUGH.replace("to = ['out']", "through = ['downcase']\nto = ['out']");
    let host = start(&nats, &config);
    let receiver = peer(&host, zmq::PULL, "out");
    nats.stored("orders", 0);
    nats.publish("orders.us", &[("x-key", "v")], "HeLLo");
    let received = receiver.recv_multipart(0).unwrap();
    assert_eq!(received.last().unwrap(), b"lower case of HeLLo is hello");
    assert_eq!(host.stop(), 0);
}
