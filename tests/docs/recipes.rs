//! The configurations of docs/recipes.md, run as they stand there, with guests that are asked for what those of the page do.
//!
//! The page's own plugins and scripts are run by `tests/clients/recipes.py`, which takes pyzmq and componentize-py.

use crate::fixtures;
use crate::harness::{Host, PATIENCE, Setup, bytes, root, wait_for};

/// The block of the page with this info string.
fn block(info: &str) -> String {
    let page = std::fs::read_to_string(root().join("docs/recipes.md")).unwrap();
    let (_, rest) = page.split_once(&format!("```{info}\n")).unwrap_or_else(|| panic!("no block {info}"));
    rest.split_once("```").unwrap().0.to_owned()
}

/// The configuration of a recipe, with ports that are free in place of those shown, which may be taken on this machine: a
/// socket that connects is led to `source`.
fn config(recipe: &str, source: &str) -> String {
    let shown = block(&format!("toml {recipe}"));
    let parsed: toml::Table = shown.parse().unwrap();
    let mut config = shown.replace("http.address = \"127.0.0.1:5608\"", "http.address = \"127.0.0.1:0\"");
    for (_, socket) in parsed["sockets"].as_table().unwrap() {
        for (key, real) in [("connect", source), ("bind", "tcp://127.0.0.1:*")] {
            let endpoints = socket.get(key).and_then(toml::Value::as_array).into_iter().flatten();
            for endpoint in endpoints {
                config = config.replace(endpoint.as_str().unwrap(), real);
            }
        }
    }
    config
}

/// A host that has nothing but the configuration of a recipe and these plugins, where that looks for them.
fn start(config: &str, plugins: &[(&str, Vec<u8>)]) -> Host {
    let setup = Setup::configured().config(config);
    std::fs::create_dir(setup.path().join("plugins")).unwrap();
    for (name, component) in plugins {
        std::fs::write(setup.path().join(format!("plugins/{name}.wasm")), component).unwrap();
    }
    setup.start()
}

fn peer(kind: zmq::SocketType) -> zmq::Socket {
    let peer = zmq::Context::new().socket(kind).unwrap();
    peer.set_linger(0).unwrap();
    peer.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    peer.set_sndtimeo(PATIENCE.as_millis() as i32).unwrap();
    peer
}

fn connected(kind: zmq::SocketType, host: &Host, socket: &str) -> zmq::Socket {
    let peer = peer(kind);
    peer.connect(host.surface(socket)).unwrap();
    peer
}

fn receive(peer: &zmq::Socket) -> Vec<String> {
    let frames = peer.recv_multipart(0).expect("a message");
    frames.into_iter().map(|frame| String::from_utf8(frame).unwrap()).collect()
}

/// Has `send` send until the subscriber gets something.
fn until_subscribed(subscriber: &zmq::Socket, send: impl Fn()) {
    wait_for("a subscription", || {
        send();
        (subscriber.poll(zmq::POLLIN, 20) == Ok(1)).then_some(())
    });
}

/// What the subscriber gets next that does not contain `begin`.
fn receive_after(subscriber: &zmq::Socket, begin: &str) -> Vec<String> {
    loop {
        let got = receive(subscriber);
        if !got.concat().contains(begin) {
            return got;
        }
    }
}

/// The letters that the host has, once there are so many.
fn letters(host: &Host, count: usize) -> Vec<serde_json::Value> {
    wait_for("the dead letters", || {
        let letters = host.admin("/dead-letters").json()["letters"].as_array().cloned().unwrap_or_default();
        (letters.len() == count).then_some(letters)
    })
}

#[test]
fn a_relay_passes_everything_on_in_lower_case() {
    let publisher = peer(zmq::XPUB);
    publisher.bind("tcp://127.0.0.1:*").unwrap();
    let source = publisher.get_last_endpoint().unwrap().unwrap();
    let host = start(&config("relay", &source), &[("downcase", bytes("downcase"))]);
    assert_eq!(publisher.recv_bytes(0).unwrap(), b"\x01");
    let subscriber = connected(zmq::SUB, &host, "lower");
    subscriber.set_subscribe(b"news").unwrap();
    until_subscribed(&subscriber, || publisher.send_multipart(["news", "begin"], 0).unwrap());
    publisher.send_multipart([&b"news"[..], b"\xff"], 0).unwrap();
    publisher.send_multipart(["other", "Nobody Wants This"], 0).unwrap();
    publisher.send_multipart(["news", "HeLLo"], 0).unwrap();
    assert_eq!(receive_after(&subscriber, "begin"), ["news", "lower case of HeLLo is hello"]);
    let letters = letters(&host, 1);
    assert_eq!((&letters[0]["reason"], &letters[0]["plugin"]), (&"rejected".into(), &"downcase".into()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_work_queue_hands_on_what_is_valid_and_keeps_the_rest_as_dead_letters() {
    let host = start(&config("queue", ""), &[("check", fixtures::processor())]);
    let incoming = connected(zmq::PUSH, &host, "incoming");
    let checked = connected(zmq::PULL, &host, "checked");
    for order in ["map:a", "reject:the amount has to be more than 0", "map:b"] {
        incoming.send_multipart(["shop", order], 0).unwrap();
    }
    assert_eq!(receive(&checked), ["shop", "A"]);
    assert_eq!(receive(&checked), ["shop", "B"]);
    let letters = letters(&host, 1);
    assert_eq!((&letters[0]["reason"], &letters[0]["plugin"]), (&"rejected".into(), &"check".into()));
    let id = letters[0]["id"].as_str().unwrap();
    let letter = &host.admin(&format!("/dead-letters/{id}")).json()[0];
    assert!(letter.to_string().contains("the amount has to be more than 0"), "{letter}");
    let flow = &host.ledger()["hops"]["flows.orders"];
    assert_eq!((&flow["in"], &flow["out"], &flow["dropped"]["rejected"]), (&3.into(), &2.into(), &1.into()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_splitter_gives_each_subscriber_its_part_of_a_message() {
    let host = start(&config("splitter", ""), &[("split", fixtures::processor())]);
    let batches = connected(zmq::PUSH, &host, "batches");
    let euros = connected(zmq::SUB, &host, "prices");
    euros.set_subscribe(b"EUR").unwrap();
    let dollars = connected(zmq::SUB, &host, "prices");
    dollars.set_subscribe(b"USD").unwrap();
    for (subscriber, begin) in [(&euros, "split:EUR begin"), (&dollars, "split:USD begin")] {
        until_subscribed(subscriber, || batches.send(begin, 0).unwrap());
    }
    batches.send("reject:a line is a name and a price", 0).unwrap();
    batches.send("split:EUR 1.07,USD 0.93,EUR 1.08", 0).unwrap();
    assert_eq!(receive_after(&euros, "begin"), ["EUR 1.07"]);
    assert_eq!(receive(&euros), ["EUR 1.08"]);
    assert_eq!(receive_after(&dollars, "begin"), ["USD 0.93"]);
    assert_eq!(letters(&host, 1)[0]["plugin"], "split");
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_intake_sends_what_is_posted_through_its_chain() {
    let plugins = [("check", fixtures::processor()), ("stamp", fixtures::processor())];
    let host = start(&config("intake", ""), &plugins);
    let orders = connected(zmq::PULL, &host, "orders");
    let answer = host.post("/orders/", b"map:map:a");
    assert_eq!((answer.status, answer.text()), (200, "MAP:A"));
    assert_eq!(answer.header("tidegate-through"), "check@1, stamp@1");
    let refused = host.post("/orders/", b"reject:no order");
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("no order"), "{}", refused.text());
    let answer = host.post("/orders/", b"split:split:b,c");
    assert_eq!((answer.status, answer.text()), (200, "b"));
    for expected in ["MAP:A", "b", "c"] {
        assert_eq!(receive(&orders), [expected]);
    }
    assert_eq!(host.ledger()["hops"]["routes.orders"]["dropped"]["rejected"], 1);
    assert_eq!(host.stop(), 0);
}
