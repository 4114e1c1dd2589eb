//! A leaf node of NATS beside the host, made as the documentation says: it takes what comes while the hub is away.

use super::nats::{Nats, stable_port};
use super::{peer, start};
use crate::harness::{Host, LONG_PATIENCE, root, wait_up_to};
use async_nats::ConnectOptions;
use std::collections::BTreeSet;

/// A block of the documentation that begins so.
fn block(begin: &str) -> String {
    let page = std::fs::read_to_string(root().join("docs/backbone.md")).unwrap();
    let rest = page.split_once(begin).unwrap_or_else(|| panic!("docs/backbone.md has no {begin}")).1;
    rest.split_once("```").unwrap().0.to_owned()
}

/// The same text with this in the place of that, which it has.
#[track_caller]
fn replaced(text: &str, that: &str, this: &str) -> String {
    assert!(text.contains(that), "no {that} in {text}");
    text.replace(that, this)
}

/// The hub and the leaf of the documentation, neither of which runs yet.
fn hub_and_leaf() -> Option<(Nats, Nats)> {
    let (port, own) = (stable_port(), "store_dir: {store}");
    let listen = format!("127.0.0.1:{port}");
    let hub = replaced(&block("```text\n# hub.conf"), "0.0.0.0:7422", &listen);
    let leaf = replaced(&block("```text\n# leaf.conf"), "hub.example:7422", &listen);
    let [hub, leaf] = [hub, leaf].map(|config| {
        let config = replaced(&format!("#{config}"), "store_dir: /var/lib/nats", own);
        Nats::configured(&config, ConnectOptions::new())
    });
    Some((hub?, leaf?))
}

/// Makes the stream of the documentation at the hub, as the program `nats` does.
fn make_stream(hub: &Nats) {
    let stream = block("```json\n");
    let answer = hub.with(async |jetstream| {
        let client = jetstream.client();
        client.request("$JS.API.STREAM.CREATE.orders", stream.into()).await.unwrap().payload
    });
    let answer = String::from_utf8(answer.to_vec()).unwrap();
    assert!(answer.contains("\"did_create\":true"), "{answer}");
}

/// Posts each of these numbers, and has a receipt for it. Nothing of the host notices that the hub is away.
fn post(host: &Host, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let answer = host.post("/keep/", number.to_string().as_bytes());
        assert_eq!((answer.status, answer.text()), (200, &*format!("lower case of {number} is {number}")));
    }
    let complaints = host.readiness();
    assert!(complaints.iter().all(|line| !line.contains("NATS")), "{complaints:?}");
}

/// Waits until the hub has each of so many messages, once.
fn has_arrived(hub: &Nats, count: u64) {
    wait_up_to(LONG_PATIENCE, "the hub to have all", || (hub.count("orders")? == count).then_some(()));
    let stored = hub.stored("orders", count);
    let bodies: BTreeSet<_> = stored.into_iter().map(|(subject, _, body)| (subject, body)).collect();
    let expected =
        (0..count).map(|number| ("orders.kept".to_owned(), format!("lower case of {number} is {number}").into_bytes()));
    assert_eq!(bodies, expected.collect());
}

const KEEP: &str = "\
[routes.keep]
through = ['downcase']
to = ['jetstream:orders.kept']
[sockets.out]
type = 'push'
bind = ['tcp://127.0.0.1:*']
[flows.outtake]
from = ['jetstream:orders/tidegate']
to = ['out']
";

#[test]
fn a_leaf_takes_messages_while_the_hub_is_away() {
    let Some((mut hub, mut leaf)) = hub_and_leaf() else { return };
    // It needs no hub to begin with.
    leaf.run();
    let mut host = start(&leaf, KEEP);
    let receiver = peer(&host, zmq::PULL, "out");
    leaf.stored("orders", 0);
    post(&host, 0..20);
    hub.run();
    make_stream(&hub);
    has_arrived(&hub, 20);
    post(&host, 20..40);
    has_arrived(&hub, 40);

    hub.kill();
    post(&host, 40..200);
    // Whoever reads from the leaf is served all the time.
    for number in 0..200 {
        let frames = receiver.recv_multipart(0).unwrap();
        assert_eq!(frames.last().unwrap(), format!("lower case of {number} is {number}").as_bytes());
    }
    hub.run();
    has_arrived(&hub, 200);
    let (code, log) = host.stop_and_tell();
    let is_told = ["NATS at", "has ended", "not acknowledged"].iter().any(|words| log.contains(words));
    assert!(code == 0 && !is_told, "{log}");
}

#[test]
fn a_leaf_that_is_killed_while_the_hub_is_away_has_all_that_it_took() {
    let Some((mut hub, mut leaf)) = hub_and_leaf() else { return };
    leaf.run();
    hub.run();
    let host = start(&leaf, KEEP);
    let receiver = peer(&host, zmq::PULL, "out");
    leaf.stored("orders", 0);
    make_stream(&hub);
    post(&host, 0..20);
    has_arrived(&hub, 20);
    hub.kill();
    post(&host, 20..100);
    leaf.kill();
    wait_up_to(LONG_PATIENCE, "the host to say so", || host.readiness().into_iter().find(|line| line.contains("NATS")));
    assert_eq!(host.post("/keep/", b"100").status, 503);
    leaf.run();
    wait_up_to(LONG_PATIENCE, "the leaf", || host.readiness().iter().all(|line| !line.contains("NATS")).then_some(()));
    post(&host, 100..120);
    hub.run();
    has_arrived(&hub, 120);
    let mut seen = BTreeSet::new();
    while seen.len() < 120 {
        seen.insert(receiver.recv_multipart(0).unwrap().pop());
    }
    leaf.wait_for_acknowledged("orders", "tidegate", LONG_PATIENCE);
    assert_eq!(host.stop(), 0);
}
