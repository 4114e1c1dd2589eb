//! Handshakes: which keys let a client in, and what the client and the log say otherwise.

use super::{Guarded, IN_VAIN_MS, assert_echo, echo};
use crate::fixtures;
use crate::harness::{Host, Process, Setup, tidegate, wait_for};
use crate::keygen::Pair;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::TcpStream;

const REFUSED: &str = "tidegate_socket_handshakes_refused_total";

#[test]
fn the_right_keys_carry_both_kinds_of_traffic() {
    let guarded = Guarded::new(&[("echo", &echo()), ("downcase", &crate::harness::bytes("downcase"))]);
    guarded.authorize("client.key", &guarded.client);
    let mut subscriber = guarded.command("subscribe", &[]);
    guarded.publish_until_received(&subscriber);
    // `--server-key` may also be a file.
    let keys = ["--server-key", &guarded.server.file("public.key"), "--key", &guarded.client.file("secret.key")];
    let mut request = guarded.run("request", "frontend", &[&keys[..], &["--requests=1", "--timeout=500ms"]].concat());
    assert_eq!(request.wait().code(), Some(0), "{}", request.stderr());
    assert!(request.stdout().contains("sent=3 replies=3 none=0"), "{}", request.stdout());
    subscriber.signal("TERM");
    assert_eq!(subscriber.wait().code(), Some(0));
    assert!(!subscriber.stderr().contains("connecting"), "{}", subscriber.stderr());
    assert_eq!(guarded.host.stop(), 0);
}

#[test]
fn the_key_of_a_request_reaches_the_policy_and_the_log() {
    let guarded = Guarded::new(&[("policy", &fixtures::telling_metadata())]);
    guarded.authorize("client.key", &guarded.client);
    let socket = guarded.authorized_dealer();
    socket.send("who am I", 0).unwrap();
    let metadata = socket.recv_multipart(0).unwrap();
    let key = metadata.iter().position(|frame| frame == b"tidegate.curve-key").expect("the key's name");
    assert_eq!(metadata[key + 1], guarded.client.public.as_bytes());

    fs::write(guarded.host.plugin_path("policy"), fixtures::reply_policy("", "(unreachable)")).unwrap();
    guarded.host.process.wait_for_log("generation=2");
    socket.send("trap", 0).unwrap();
    guarded.host.process.wait_for_line(&["call failed", "curve_key", &guarded.client.public]);
    assert_eq!(guarded.host.stop(), 0);
}

/// A connection that has sent the greeting of a ZMTP 3 client with the mechanism NULL, and stays open.
fn plain_greeting(host: &Host) -> TcpStream {
    let mut stream = TcpStream::connect(host.surface("frontend").trim_start_matches("tcp://")).unwrap();
    let mut greeting = [0; 64];
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    greeting[12..16].copy_from_slice(b"NULL");
    stream.write_all(&greeting).unwrap();
    stream
}

#[test]
fn whoever_lacks_the_right_keys_gets_nothing_through() {
    let mut guarded = Guarded::new(&[("echo", &echo())]);
    guarded.authorize("client.key", &guarded.client);
    let stranger = Pair::new(guarded.host.directory.path().join("stranger"));
    let refused = [
        guarded.dealer(Some(&stranger.public), Some(&guarded.client)),
        guarded.dealer(Some(&guarded.server.public), Some(&stranger)),
        guarded.dealer(Some(&guarded.server.public), None),
        guarded.dealer(None, None),
    ];
    for socket in &refused {
        socket.send("let me in", 0).unwrap();
    }
    guarded.host.process.wait_for_line(&["handshake refused", "127.0.0.1", &stranger.public, "unknown-key", "echo '"]);
    let process = &guarded.host.process;
    process.wait_for_line(&["handshake refused", "surface=\"frontend\"", "peer=\"127.0.0.1:", "wrong-server-key"]);
    // Both ends notice the different mechanisms. If libzmq's client closes first, the host has not read its mechanism;
    // only of a client that stays connected can the host say that it speaks no CURVE.
    process.wait_for_line(&["handshake refused", "surface=\"frontend\"", "peer=\"127.0.0.1:", "no CURVE"]);
    let _stays = plain_greeting(&guarded.host);
    process.wait_for_line(&["handshake refused", "surface=\"frontend\"", "peer=\"127.0.0.1:", "speaks no CURVE"]);
    for reason in ["denied", "wrong-server-key", "other-mechanism"] {
        let name = format!("{REFUSED}{{socket=\"frontend\",reason=\"{reason}\"}}");
        // The authenticator logs a refusal before the socket counts it.
        wait_for(&name, || guarded.host.admin("/metrics").text().contains(&name).then_some(()));
    }
    assert_echo(&guarded.authorized_dealer());
    for (index, socket) in refused.iter().enumerate() {
        assert_eq!(socket.poll(zmq::POLLIN, IN_VAIN_MS).unwrap(), 0, "client {index}");
    }
    let (code, log) = guarded.host.stop_and_tell();
    assert_eq!(code, 0);
    assert_eq!(crate::balance::at_exit(&log)["hops"]["policy"]["in"], 1, "{log}");
    assert!(!log.contains(&guarded.server.secret) && !log.contains(&stranger.secret), "a secret key is in the log");
}

#[test]
fn a_refused_client_says_so_once_and_why() {
    let guarded = Guarded::new(&[("echo", &echo())]);
    let stranger = Pair::new(guarded.host.directory.path().join("stranger"));
    let (server, secret) = (guarded.server.public.as_str(), guarded.client.file("secret.key"));
    let refused = [
        (
            "denied",
            &["--server-key", server, "--key", &secret][..],
            &["refused this client's key", &guarded.client.public][..],
        ),
        (
            "wrong-server-key",
            &["--server-key", &stranger.public, "--key", &secret],
            &["closed the connection", "--server-key may not be"],
        ),
        ("other-mechanism", &[], &["lets in nobody without keys", "--server-key"]),
    ];
    let commands = [("subscribe", "publish"), ("request", "frontend")];
    let clients: Vec<_> = commands
        .iter()
        .flat_map(|(subcommand, surface)| {
            refused.map(|(reason, keys, words)| (*subcommand, *surface, reason, keys, words))
        })
        .map(|(subcommand, surface, reason, keys, words)| {
            (guarded.run(subcommand, surface, keys), surface, reason, words)
        })
        .collect();
    for (process, surface, reason, words) in &clients {
        process.wait_for_line(&[&["connecting to tcp://127.0.0.1:"], *words].concat());
        // Meanwhile the client tries again, and again.
        wait_for("three refusals", || {
            let metrics = guarded.host.admin("/metrics");
            let series = format!("{REFUSED}{{socket=\"{surface}\",reason=\"{reason}\"}} ");
            let count = metrics.text().lines().find_map(|line| line.strip_prefix(&series)?.parse::<u32>().ok());
            (count >= Some(3)).then_some(())
        });
        let stderr = process.stderr();
        let lines: BTreeSet<&str> = stderr.lines().collect();
        assert_eq!(lines.len(), stderr.lines().count(), "{stderr}");
    }
    assert_eq!(guarded.host.stop(), 0);
}

#[test]
fn keys_at_a_host_without_curve_are_told_apart() {
    let host = Setup::new().committed("echo").start();
    let pair = Pair::new(host.directory.path().join("pair"));
    let mut command = tidegate();
    command.args(["request", "--connect", host.surface("frontend"), "--server-key", &pair.public]);
    let process = Process::start(command.args(["--key", &pair.file("secret.key")]));
    process.wait_for_line(&["connecting to tcp://", "the server speaks no CURVE"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_open_endpoint_is_warned_of_once() {
    let warnings =
        |host: &Host| host.process.stderr().lines().filter(|line| line.contains("without encryption")).count();
    let everywhere = ["--publish=tcp://0.0.0.0:*", "--frontend=tcp://0.0.0.0:*"];
    let host = Setup::new().committed("echo").with(&everywhere).start();
    host.process.wait_for_line(&["WARN", "publish tcp://0.0.0.0:", "frontend tcp://0.0.0.0:", "--curve-secret-key"]);
    assert_eq!(warnings(&host), 1);
    assert_eq!(host.stop(), 0);

    let mut host = Setup::new().committed("echo").start();
    host.process.signal("TERM");
    host.process.wait();
    assert_eq!(warnings(&host), 0);
}
