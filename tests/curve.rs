//! CURVE: clients with an authorized key are let in, all others are refused with a reason, and the list is live.

mod authorized_keys;
mod handshakes;
mod names;

use crate::harness::{Host, PATIENCE, Process, Setup, tidegate, wait_for};
use crate::keygen::Pair;
use std::fs;
use std::path::PathBuf;

/// Within this time any handshake would have succeeded.
const IN_VAIN_MS: i64 = 700;

/// A host with CURVE, its key pair, and a client's key pair that is not authorized yet.
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

    /// Starts `tidegate subscribe` or `tidegate request` with the client's keys.
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
