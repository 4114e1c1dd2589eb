//! Receipts: an answer says that a message is stored, and a request that is made again is one message.

use super::nats::Nats;
use super::{peer, start};
use crate::fixtures;
use crate::harness::{Client, Setup};
use serde_json::json;

const STORED: &str = "\
[routes.keep]
through = ['downcase']
to = ['jetstream:orders.{tidegate.route}']
";

fn id(headers: &[(String, String)]) -> &str {
    &headers.iter().find(|(name, _)| name == "Nats-Msg-Id").expect("an id").1
}

#[test]
fn an_answer_says_that_the_message_is_stored_under_the_id_of_its_request() {
    let Some(nats) = Nats::start() else { return };
    let host = start(&nats, &STORED.replace("{tidegate.route}", "kept"));
    nats.stored("orders", 0);
    let answer = host.post("/keep/", b"HeLLo");
    assert_eq!((answer.status, answer.text()), (200, "lower case of HeLLo is hello"));
    let stored = nats.stored("orders", 1);
    assert_eq!((stored[0].0.as_str(), &stored[0].2[..]), ("orders.kept", &b"lower case of HeLLo is hello"[..]));
    assert_eq!(id(&stored[0].1), answer.header("tidegate-request"));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_request_that_is_made_again_is_one_message() {
    let Some(nats) = Nats::start() else { return };
    let host = start(&nats, &STORED.replace("{tidegate.route}", "kept"));
    nats.stored("orders", 0);
    for key in ["one", "two", "one", "one"] {
        let client = Client::new(&host);
        let answer = client.request_with("POST", "/keep/", &[("idempotency-key", key)], Some(b"A")).unwrap();
        assert_eq!(answer.status, 200);
    }
    nats.stored("orders", 2);
    host.wait_for_hop("jetstream:orders.kept", &json!({"in": 4, "out": 4}));
    assert_eq!(host.stop(), 0);
}

/// Each part of an answer is a message.
#[test]
fn a_request_that_is_made_again_and_answered_in_parts_is_stored_once() {
    let Some(nats) = Nats::start() else { return };
    let config = "[workers.pool]\nbind = ['tcp://127.0.0.1:*']\n[routes.keep]\nthrough = ['workers.pool']\n\
                  to = ['jetstream:orders.kept']\n";
    let host = start(&nats, config);
    nats.stored("orders", 0);
    let worker = peer(&host, zmq::DEALER, "workers.pool");
    let say = |frames: &[&[u8]]| worker.send_multipart([&[&b"MDPW02"[..]], frames].concat(), 0).unwrap();
    say(&[b"\x01", b"pool"]);
    for key in ["one", "one", "two"] {
        let client = Client::new(&host);
        let asked = std::thread::spawn(move || {
            client.request_with("POST", "/keep/", &[("idempotency-key", key)], Some(b"A")).unwrap()
        });
        let token = loop {
            match &worker.recv_multipart(0).unwrap()[1..] {
                [command, token, ..] if command[..] == *b"\x02" => break token.clone(),
                _ => say(&[b"\x05"]),
            }
        };
        for (command, part) in [(b"\x03", b"1"), (b"\x03", b"2"), (b"\x04", b"3")] {
            say(&[command, &token, b"", part]);
        }
        let answer = asked.join().unwrap();
        assert_eq!((answer.status, answer.text()), (200, "123"));
    }
    let stored = nats.stored("orders", 6);
    let ids: Vec<_> = stored.iter().map(|(_, headers, _)| id(headers)).collect();
    assert!(ids[0].starts_with("keep/one/") && ids[3].starts_with("keep/two/"), "{ids:?}");
    for first in [0, 3] {
        let parts = ["", "#1", "#2"].map(|number| format!("{}{number}", ids[first]));
        assert_eq!(ids[first..first + 3], parts);
    }
    host.wait_for_hop("jetstream:orders.kept", &json!({"in": 9, "out": 9}));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_message_without_a_place_is_refused_and_counted() {
    let Some(nats) = Nats::start() else { return };
    let host = start(&nats, &STORED.replace("{tidegate.route}", "{no-such-key}"));
    nats.stored("orders", 0);
    let answer = host.post("/keep/", b"A");
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(answer.text().contains("no-subject"), "{}", answer.text());
    host.wait_for_hop("jetstream:orders.{no-such-key}", &json!({"in": 1, "out": 0, "dropped": {"no-subject": 1}}));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_message_that_no_stream_takes_is_refused_and_holds_up_nobody() {
    let Some(nats) = Nats::start() else { return };
    // A topic with a dot has no stream.
    let config = nats.config().replace("orders.>", "orders.*");
    let intake = "[sockets.in]\ntype = 'pull'\nbind = ['tcp://127.0.0.1:*']\n[flows.intake]\nfrom = ['in']\n\
                  to = ['jetstream:orders.{topic}']\n[routes.keep]\nthrough = ['downcase']\nto = ['jetstream:nowhere']\n";
    let host = Setup::new().config(&format!("{config}{intake}")).committed("downcase").start();
    nats.stored("orders", 0);
    let answer = host.post("/keep/", b"A");
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(answer.text().contains("not-stored"), "{}", answer.text());
    let sender = peer(&host, zmq::PUSH, "in");
    for topic in ["a", "a.b", "b", &"x".repeat(5_000), "c"] {
        sender.send_multipart([topic, "body"], 0).unwrap();
    }
    nats.stored("orders", 3);
    let dropped = json!({"not-stored": 1, "no-subject": 1});
    host.wait_for_hop("flows.intake", &json!({"in": 5, "out": 3, "dropped": dropped}));
    assert_eq!(host.stop(), 0);
}

/// What a plugin says of a message does not speak for the host, and harms nobody.
#[test]
fn a_name_that_is_no_header_harms_nobody() {
    let Some(nats) = Nats::start() else { return };
    let pairs = [("tidegate.message-id", "a\r\nb"), ("Nats-Msg-Id", "c\r\nd"), ("x\r\ny", "z")];
    let config = "[sockets.in]\ntype = 'pull'\nbind = ['tcp://127.0.0.1:*']\n[flows.intake]\nfrom = ['in']\n\
                  through = ['evil']\nto = ['jetstream:orders.kept']\n";
    let setup = Setup::new().plugin("evil", &fixtures::saying(&pairs)).config(&format!("{}{config}", nats.config()));
    let host = setup.start();
    let sender = peer(&host, zmq::PUSH, "in");
    (0..3).for_each(|_| sender.send_multipart(["t", "body"], 0).unwrap());
    nats.stored("orders", 3);
    assert_eq!(host.stop(), 0);
}

/// What is larger than the server takes is known before it is sent.
#[test]
fn a_message_that_is_too_large_for_nats_is_refused() {
    let Some(nats) = Nats::start() else { return };
    let host = start(&nats, "[routes.keep]\nthrough = ['downcase']\nto = ['jetstream:orders.kept']\n");
    nats.stored("orders", 0);
    let answer = host.post("/keep/", &vec![b'a'; 1 << 20]);
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(answer.text().contains("too-large"), "{}", answer.text());
    assert_eq!(host.post("/keep/", b"A").status, 200);
    assert_eq!(host.stop(), 0);
}

/// The client of the broker has the answer once JetStream has the message.
#[test]
fn a_client_of_the_frontend_is_answered_when_its_request_is_stored() {
    let Some(nats) = Nats::start() else { return };
    let config = "[flows.intake]\nfrom = ['frontend']\nthrough = ['downcase']\nto = ['jetstream:orders.kept']\n";
    let host = start(&nats, config);
    nats.stored("orders", 0);
    let client = peer(&host, zmq::REQ, "frontend");
    for number in 1..4 {
        client.send("HeLLo", 0).unwrap();
        assert_eq!(client.recv_bytes(0).unwrap(), b"lower case of HeLLo is hello");
        assert_eq!(nats.count("orders"), Some(number));
    }
    assert_eq!(host.stop(), 0);
}
