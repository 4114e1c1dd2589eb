//! The directory of authorized keys: a key that is added or removed there takes effect while the host runs.

use super::{Guarded, IN_VAIN_MS, assert_echo, echo};
use crate::fixtures;
use crate::harness::{Setup, wait_for};
use crate::keygen::Pair;
use std::fs;

#[test]
fn a_key_is_added_and_removed_while_clients_come() {
    let guarded = Guarded::new(&[("echo", &echo())]);
    guarded.host.process.wait_for_log("no key is authorized, so nobody is let in");
    let mut waiting = guarded.command("request", &["--requests=1", "--clients=1", "--timeout=20s"]);
    waiting.wait_for_log("the server refused this client's key");
    guarded.authorize("client.key", &guarded.client);
    waiting.wait_for_log("connected to tcp://");
    wait_for("a reply", || waiting.stdout().contains("received: request #1").then_some(()));
    waiting.signal("TERM");
    waiting.wait();

    fs::remove_file(guarded.keys.join("client.key")).unwrap();
    guarded.host.process.wait_for_line(&["authorized keys", "removed", "client.key"]);
    let late = guarded.authorized_dealer();
    late.send("too late", 0).unwrap();
    assert_eq!(late.poll(zmq::POLLIN, IN_VAIN_MS).unwrap(), 0);

    fs::write(guarded.keys.join("broken.key"), "oops").unwrap();
    guarded.host.process.wait_for_line(&["skipped among the authorized keys", "broken.key", "neither 40 characters"]);
    guarded.authorize("again.key", &guarded.client);
    assert_echo(&guarded.authorized_dealer());
    assert_eq!(guarded.host.stop(), 0);
}

#[test]
fn a_removed_key_ends_its_connections_and_what_is_queued_from_them() {
    let guarded = Guarded::new(&[("echo", &echo()), ("downcase", &crate::harness::bytes("downcase"))]);
    let other = Pair::new(guarded.host.directory.path().join("other"));
    guarded.authorize("client.key", &guarded.client);
    guarded.authorize("other.key", &other);
    let (removed, stays) = (guarded.authorized_dealer(), guarded.dealer(Some(&guarded.server.public), Some(&other)));
    assert_echo(&removed);
    assert_echo(&stays);
    let subscriber = guarded.command("subscribe", &[]);
    guarded.publish_until_received(&subscriber);

    assert_eq!(guarded.host.admin_request("POST", "/broker/pause", Some(b"")).status, 200);
    wait_for("the pause", || (guarded.host.admin("/broker").json()["state"] == "paused").then_some(()));
    for _ in 0..3 {
        removed.send("queued", 0).unwrap();
        stays.send("queued", 0).unwrap();
    }
    fs::remove_file(guarded.keys.join("client.key")).unwrap();
    let key = guarded.client.public.as_str();
    for surface in ["frontend", "publish"] {
        guarded.host.process.wait_for_line(&["cut off", &format!("surface=\"{surface}\""), "127.0.0.1:", key]);
    }
    subscriber.wait_for_log("the server refused this client's key");
    assert_eq!(guarded.host.admin_request("POST", "/broker/resume", Some(b"")).status, 200);
    let policy = wait_for("the queue to be empty", || {
        let policy = guarded.host.ledger()["hops"]["policy"].clone();
        (policy["in"] == 8 && policy["in_flight"] == 0).then_some(policy)
    });
    assert_eq!(policy["dropped"], serde_json::json!({"key-removed": 3}));
    for _ in 0..3 {
        assert_eq!(stays.recv_bytes(0).unwrap(), b"queued");
    }
    let cut_off = guarded.host.process.stderr().lines().filter(|line| line.contains("cut off")).count();
    assert_eq!(cut_off, 2, "nobody else was");
    assert_eq!(guarded.host.stop(), 0);
}

#[test]
fn what_is_queued_to_a_removed_key_is_counted() {
    let guarded = Guarded::new(&[("plain", &fixtures::answering("", None))]);
    guarded.authorize("client.key", &guarded.client);
    let sleeper = zmq::Context::new().socket(zmq::SUB).unwrap();
    sleeper.set_rcvhwm(1).unwrap();
    sleeper.set_subscribe(b"").unwrap();
    sleeper.set_curve_serverkey(guarded.server.public.as_bytes()).unwrap();
    sleeper.set_curve_publickey(guarded.client.public.as_bytes()).unwrap();
    sleeper.set_curve_secretkey(guarded.client.secret.as_bytes()).unwrap();
    sleeper.connect(guarded.host.surface("publish")).unwrap();
    let figure = |name: &str| {
        let metrics = guarded.host.admin("/metrics");
        let line =
            metrics.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("{socket=\"publish\"} "));
        line.unwrap().parse::<u64>().unwrap()
    };
    wait_for("a queue", || {
        assert_eq!(guarded.host.post("/plain/", &[b'x'; 256 << 10]).status, 200);
        (figure("tidegate_socket_queue_messages_longest") > 3).then_some(())
    });
    fs::remove_file(guarded.keys.join("client.key")).unwrap();
    guarded.host.process.wait_for_line(&["thrown away", "surface=\"publish\"", "127.0.0.1:"]);
    assert!(figure("tidegate_socket_messages_cut_off_total") > 3);
    assert_eq!(guarded.host.stop(), 0);
}

#[test]
fn a_directory_that_vanishes_leaves_the_last_list_in_force() {
    let guarded = Guarded::new(&[("echo", &echo())]);
    guarded.authorize("client.key", &guarded.client);
    let away = guarded.host.directory.path().join("away");
    fs::rename(&guarded.keys, &away).unwrap();
    guarded.host.process.wait_for_line(&["ERROR", "authorized keys cannot be read", "the last list stays in force"]);
    assert_echo(&guarded.authorized_dealer());
    fs::rename(&away, &guarded.keys).unwrap();
    guarded.host.process.wait_for_log("the authorized keys can be read again");
    let errors = guarded.host.process.stderr().lines().filter(|line| line.contains("cannot be read")).count();
    assert_eq!(errors, 1);
    assert_echo(&guarded.authorized_dealer());
    assert_eq!(guarded.host.stop(), 0);
}

/// A network file system whose server is gone blocks every read of the directory.
#[test]
fn a_directory_that_hangs_holds_up_nobody() {
    if !cfg!(debug_assertions) {
        return;
    }
    let plugins: [(&str, &[u8]); 2] = [("echo", &echo()), ("downcase", &crate::harness::bytes("downcase"))];
    let guarded = Guarded::of(Setup::new().env("TIDEGATE_FAULTS", "1"), &plugins);
    guarded.authorize("client.key", &guarded.client);
    let socket = guarded.authorized_dealer();
    assert_echo(&socket);
    let hanging = guarded.keys.join("tidegate-fault-hang");
    fs::write(&hanging, "").unwrap();
    guarded.host.process.wait_for_line(&["ERROR", "the directory of authorized keys does not answer", "keys=1"]);
    let answer = guarded.host.admin("/readyz");
    assert!(answer.status == 503 && answer.text().contains("the last list stays in force"), "{}", answer.text());

    assert_echo(&socket);
    assert_echo(&guarded.authorized_dealer());
    let subscriber = guarded.command("subscribe", &[]);
    guarded.publish_until_received(&subscriber);
    // The host cannot see the removal yet.
    fs::remove_file(guarded.keys.join("client.key")).unwrap();
    assert_echo(&guarded.authorized_dealer());

    fs::remove_file(&hanging).unwrap();
    guarded.host.process.wait_for_log("the authorized keys can be read again");
    guarded.host.process.wait_for_line(&["cut off", "surface=\"frontend\"", &guarded.client.public]);
    assert_eq!(guarded.host.admin("/readyz").status, 200);
    assert_eq!(guarded.host.stop(), 0);
}
