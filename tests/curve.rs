//! CURVE: who holds an authorized key is let in, everybody else is refused and told why, and the list is live.

use crate::fixtures;
use crate::harness::{Host, PATIENCE, Process, Setup, tidegate, wait_for};
use crate::keygen::Pair;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;

/// Long enough for any handshake that is going to succeed.
const IN_VAIN_MS: i64 = 700;

/// A host that speaks CURVE, with its own pair and one of a client; nobody is authorized yet.
struct Guarded {
    host: Host,
    keys: PathBuf,
    server: Pair,
    client: Pair,
}

impl Guarded {
    fn new(plugins: &[(&str, &[u8])]) -> Self {
        Self::of(Setup::new(), plugins)
    }

    fn of(mut setup: Setup, plugins: &[(&str, &[u8])]) -> Self {
        let (server, client) = (Pair::new(setup.path().join("server")), Pair::new(setup.path().join("client")));
        let keys = setup.path().join("authorized");
        fs::create_dir(&keys).unwrap();
        for (name, component) in plugins {
            setup = setup.plugin(name, component);
        }
        let host = setup
            .with(&[
                &format!("--curve-secret-key={}", server.file("secret.key")),
                &format!("--curve-authorized-keys={}", keys.display()),
            ])
            .start();
        Self { host, keys, server, client }
    }

    fn authorize(&self, name: &str, pair: &Pair) {
        fs::copy(pair.file("public.key"), self.keys.join(name)).unwrap();
        self.host.process.wait_for_line(&["authorized keys", "added", name]);
    }

    /// `subscribe` or `request`, with the client's keys.
    fn command(&self, subcommand: &str, arguments: &[&str]) -> Process {
        let surface = if subcommand == "subscribe" { "publish" } else { "frontend" };
        let keys = ["--server-key", &self.server.public, "--key", &self.client.file("secret.key")];
        self.run(subcommand, surface, &[&keys[..], arguments].concat())
    }

    fn run(&self, subcommand: &str, surface: &str, arguments: &[&str]) -> Process {
        let mut command = tidegate();
        command.current_dir(self.host.directory.path()).args([subcommand, "--connect", self.host.surface(surface)]);
        Process::start(command.args(arguments))
    }

    fn dealer(&self, server: Option<&str>, pair: Option<&Pair>) -> zmq::Socket {
        let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
        socket.set_linger(0).unwrap();
        socket.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
        if let Some(server) = server {
            socket.set_curve_serverkey(server.as_bytes()).unwrap();
        }
        if let Some(pair) = pair {
            socket.set_curve_publickey(pair.public.as_bytes()).unwrap();
            socket.set_curve_secretkey(pair.secret.as_bytes()).unwrap();
        }
        socket.connect(self.host.surface("frontend")).unwrap();
        socket
    }

    fn authorized_dealer(&self) -> zmq::Socket {
        self.dealer(Some(&self.server.public), Some(&self.client))
    }

    /// Publishes until the subscriber has printed something.
    fn publish_until_received(&self, subscriber: &Process) {
        wait_for("a message", || {
            assert_eq!(self.host.get("/downcase/?param=AbC").status, 200);
            subscriber.stdout().contains("lower case of AbC is abc").then_some(())
        });
    }
}

fn echo() -> Vec<u8> {
    crate::harness::bytes("echo")
}

fn assert_echo(socket: &zmq::Socket) {
    socket.send("hello", 0).unwrap();
    assert_eq!(socket.recv_bytes(0).unwrap(), b"hello");
}

#[test]
fn the_right_keys_carry_both_kinds_of_traffic() {
    let guarded = Guarded::new(&[("echo", &echo()), ("downcase", &crate::harness::bytes("downcase"))]);
    guarded.authorize("client.key", &guarded.client);
    let mut subscriber = guarded.command("subscribe", &[]);
    guarded.publish_until_received(&subscriber);
    // The public key may come from its file too.
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
    let told = socket.recv_multipart(0).unwrap();
    let key = told.iter().position(|frame| frame == b"tidegate.curve-key").expect("the key's name");
    assert_eq!(told[key + 1], guarded.client.public.as_bytes());

    fs::write(guarded.host.plugin_path("policy"), fixtures::reply_policy("", "(unreachable)")).unwrap();
    guarded.host.process.wait_for_log("generation=2");
    socket.send("trap", 0).unwrap();
    guarded.host.process.wait_for_line(&["call failed", "curve_key", &guarded.client.public]);
    assert_eq!(guarded.host.stop(), 0);
}

/// A connection that has sent what a ZMTP 3 client without CURVE begins with, and stays.
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
    // Both ends see at once that they speak different mechanisms, and a plain client that closes first is gone before the
    // host has read what it speaks. One that stays is told apart.
    process.wait_for_line(&["handshake refused", "surface=\"frontend\"", "peer=\"127.0.0.1:", "no CURVE"]);
    let _stays = plain_greeting(&guarded.host);
    process.wait_for_line(&["handshake refused", "surface=\"frontend\"", "peer=\"127.0.0.1:", "speaks no CURVE"]);
    for reason in ["denied", "wrong-server-key", "other-mechanism"] {
        let name = format!("tidegate_socket_handshakes_refused_total{{socket=\"frontend\",reason=\"{reason}\"}}");
        // Whoever looks keys up says so first, and the socket hears of it afterwards.
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
    for (subcommand, surface) in [("subscribe", "publish"), ("request", "frontend")] {
        for (keys, told) in [
            (
                &["--server-key", server, "--key", &secret][..],
                &["refused this client's key", &guarded.client.public][..],
            ),
            (
                &["--server-key", &stranger.public, "--key", &secret],
                &["closed the connection", "--server-key may not be"],
            ),
            (&[], &["lets in nobody without keys", "--server-key"]),
        ] {
            let process = guarded.run(subcommand, surface, keys);
            process.wait_for_line(&[&["connecting to tcp://127.0.0.1:"], told].concat());
            // By then it has tried again several times.
            std::thread::sleep(std::time::Duration::from_millis(1500));
            let stderr = process.stderr();
            let lines: BTreeSet<&str> = stderr.lines().collect();
            assert_eq!(lines.len(), stderr.lines().count(), "{stderr}");
        }
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

/// A network file system whose server has gone keeps whoever looks at it, for as long as it likes.
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
    // Nobody sees that yet.
    fs::remove_file(guarded.keys.join("client.key")).unwrap();
    assert_echo(&guarded.authorized_dealer());

    fs::remove_file(&hanging).unwrap();
    guarded.host.process.wait_for_log("the authorized keys can be read again");
    guarded.host.process.wait_for_line(&["cut off", "surface=\"frontend\"", &guarded.client.public]);
    assert_eq!(guarded.host.admin("/readyz").status, 200);
    assert_eq!(guarded.host.stop(), 0);
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
