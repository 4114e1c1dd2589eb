//! A real NATS: nats-server, on free ports and with a directory of its own.

use crate::harness::{LONG_PATIENCE, PATIENCE, Process, wait_for, wait_up_to};
use async_nats::ConnectOptions;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::{self, Context};
use futures_util::StreamExt;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;

pub struct Nats {
    process: Option<Process>,
    directory: tempfile::TempDir,
    port: u16,
    runtime: Runtime,
    /// How the test itself connects.
    options: ConnectOptions,
}

/// A port that is free, and that the system gives to nobody who asks for any: a server keeps it across its kills.
pub fn stable_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 2_000).unwrap() * 10;
    loop {
        let port = 10_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// What a stream keeps: the subject, the headers and the payload of each message.
pub type Stored = (String, Vec<(String, String)>, Vec<u8>);

impl Nats {
    /// Starts a server; returns none, and prints why, where the program is missing.
    pub fn start() -> Option<Self> {
        let mut nats = Self::not_started()?;
        nats.run();
        Some(nats)
    }

    /// A server that is not there yet, at a port that is free now.
    pub fn not_started() -> Option<Self> {
        if Command::new("nats-server").arg("--version").output().is_err() {
            eprintln!("skipped: there is no nats-server here; apt-get install nats-server");
            return None;
        }
        let port = stable_port();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        Some(Self { process: None, directory, port, runtime, options: ConnectOptions::new() })
    }

    /// As [`Nats::not_started`], with a configuration, and with a test that connects so.
    pub fn configured(config: &str, options: ConnectOptions) -> Option<Self> {
        let nats = Self { options, ..Self::not_started()? };
        nats.configure(config);
        Some(nats)
    }

    /// From the next start on it has this configuration, in which `{store}` is the directory of its files.
    pub fn configure(&self, config: &str) {
        let store = self.directory.path().display().to_string();
        std::fs::write(self.directory.path().join("nats.conf"), config.replace("{store}", &store)).unwrap();
    }

    /// Starts the process, after a kill with the same port and the same files.
    pub fn run(&mut self) {
        let mut command = Command::new("nats-server");
        command.args(["--addr", "127.0.0.1", "--port", &self.port.to_string()]);
        let config = self.directory.path().join("nats.conf");
        if config.exists() {
            command.arg("--config").arg(config);
        } else {
            command.args(["--jetstream", "--store_dir"]).arg(self.directory.path());
        }
        let process = Process::start(&mut command);
        process.wait_for_log("Server is ready");
        self.process = Some(process);
    }

    /// Kills the process.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.signal("KILL");
        process.wait();
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// `[nats]`, with `orders.>` in the stream `orders`.
    pub fn config(&self) -> String {
        format!("[nats]\nurl = '{}'\nack_timeout_ms = 2000\n[streams.orders]\nsubjects = ['orders.>']\n", self.url())
    }

    /// Does something with JetStream.
    pub fn with<T>(&self, act: impl AsyncFnOnce(Context) -> T) -> T {
        self.runtime.block_on(async {
            let client = self.options.clone().connect(self.url()).await.expect("the server is there");
            let acting = act(jetstream::new(client));
            tokio::time::timeout(3 * PATIENCE, acting).await.expect("it takes too long")
        })
    }

    /// How many messages a stream keeps; none if there is no such stream.
    pub fn count(&self, stream: &str) -> Option<u64> {
        self.with(async |jetstream| Some(jetstream.get_stream(stream).await.ok()?.cached_info().state.messages))
    }

    /// All that a stream keeps, once that is so much.
    pub fn stored(&self, stream: &str, count: u64) -> Vec<Stored> {
        wait_for("the messages in the stream", || (self.count(stream)? == count).then_some(()));
        self.with(async |jetstream| {
            let config = jetstream::consumer::pull::OrderedConfig::default();
            let stream = jetstream.get_stream(stream).await.unwrap();
            let consumer = stream.create_consumer(config).await.unwrap();
            let messages = consumer.messages().await.unwrap().take(count as usize).map(Result::unwrap);
            messages.map(|message| stored(&message)).collect().await
        })
    }

    /// What is stored under a subject, with these headers.
    pub fn publish(&self, subject: &str, headers: &[(&str, &str)], payload: &str) {
        let mut map = async_nats::HeaderMap::new();
        headers.iter().for_each(|(name, value)| map.insert(*name, *value));
        let (subject, payload) = (subject.to_owned(), payload.to_owned());
        self.with(async |jetstream| {
            jetstream.publish_with_headers(subject, map, payload.into()).await.unwrap().await.unwrap();
        });
    }

    /// What is stored under a subject with headers that are these bytes, from the line that they begin with to the empty one.
    pub fn publish_raw(&self, subject: &str, headers: &str, payload: &str) {
        let mut server = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        let (length, all) = (headers.len(), headers.len() + payload.len());
        write!(
            server,
            "CONNECT {{\"verbose\":false,\"headers\":true}}\r\nHPUB {subject} {length} {all}\r\n{headers}{payload}\r\nPING\r\n"
        )
        .unwrap();
        let mut lines = BufReader::new(server).lines().map(Result::unwrap);
        assert_eq!(lines.find(|line| !line.starts_with("INFO ")).as_deref(), Some("PONG"));
    }

    /// Stops the process, which then takes and says nothing, until it goes on.
    pub fn pause(&self) {
        self.process.as_ref().unwrap().signal("STOP");
    }

    pub fn resume(&self) {
        self.process.as_ref().unwrap().signal("CONT");
    }

    /// Waits until a consumer has delivered all, and all is acknowledged.
    pub fn wait_for_acknowledged(&self, stream: &str, consumer: &str, patience: Duration) {
        wait_up_to(patience, "all to be acknowledged", || {
            let left = self.with(async |jetstream| {
                let stream = jetstream.get_stream(stream).await.ok()?;
                let consumer: jetstream::consumer::PullConsumer = stream.get_consumer(consumer).await.ok()?;
                let info = consumer.cached_info();
                Some(info.num_pending + info.num_ack_pending as u64)
            });
            (left == Some(0)).then_some(())
        });
    }
}

fn stored(message: &jetstream::Message) -> Stored {
    let headers = message.headers.iter().flat_map(|headers| headers.iter());
    let pairs =
        headers.flat_map(|(name, values)| values.iter().map(move |value| (name.to_string(), value.to_string())));
    (message.subject.to_string(), pairs.collect(), message.payload.to_vec())
}

/// Three servers, each of which keeps what the others do.
pub struct Cluster {
    servers: Vec<Option<Process>>,
    _directory: tempfile::TempDir,
    ports: Vec<u16>,
    runtime: Runtime,
}

impl Cluster {
    /// Starts them; returns none, and prints why, where the program is missing.
    pub fn start() -> Option<Self> {
        let Nats { directory, runtime, .. } = Nats::not_started()?;
        let ports: Vec<_> = (0..6).map(|_| stable_port()).collect();
        let (ports, routes) = ports.split_at(3);
        let all: Vec<_> = routes.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let start = |index: usize| {
            let process = Process::start(
                Command::new("nats-server")
                    .args(["--jetstream", "--addr", "127.0.0.1", "--cluster_name", "test", "--routes", &all.join(",")])
                    .args(["--name", &index.to_string(), "--port", &ports[index].to_string(), "--cluster", &all[index]])
                    .arg("--store_dir")
                    .arg(directory.path().join(index.to_string())),
            );
            Some(process)
        };
        let servers: Vec<_> = (0..3).map(start).collect();
        let cluster = Self { servers, ports: ports.to_vec(), _directory: directory, runtime };
        // They have a leader when one answers.
        wait_up_to(LONG_PATIENCE, "the cluster", || {
            cluster.with(async |jetstream| match jetstream.get_stream("none").await.map_err(|error| error.kind()) {
                Err(GetStreamErrorKind::JetStream(error)) if error.code() == 404 => Some(()),
                _ => None,
            })
        });
        Some(cluster)
    }

    /// `[nats]`, with `orders.>` in the stream `orders`.
    pub fn config(&self) -> String {
        let url: Vec<_> = self.ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        format!("[nats]\nurl = '{}'\nack_timeout_ms = 2000\n[streams.orders]\nsubjects = ['orders.>']\n", url.join(","))
    }

    fn with<T>(&self, act: impl AsyncFn(Context) -> Option<T>) -> Option<T> {
        self.runtime.block_on(async {
            let living = self.servers.iter().zip(&self.ports).find(|(server, _)| server.is_some());
            let port = living.expect("one lives").1;
            let client = async_nats::connect(format!("nats://127.0.0.1:{port}")).await.ok()?;
            tokio::time::timeout(PATIENCE, act(jetstream::new(client))).await.ok()?
        })
    }

    /// Waits until a stream keeps so many messages; returns how many it does.
    pub fn wait_for_messages(&self, stream: &str, count: u64) -> u64 {
        wait_up_to(LONG_PATIENCE, "the messages in the stream", || {
            let kept = self
                .with(async |jetstream| Some(jetstream.get_stream(stream).await.ok()?.cached_info().state.messages));
            kept.filter(|kept| *kept >= count)
        })
    }

    /// Kills the server that leads a stream; returns its name.
    pub fn kill_leader(&mut self, stream: &str) -> String {
        let leader = wait_up_to(LONG_PATIENCE, "the stream's leader", || {
            self.with(async |jetstream| jetstream.get_stream(stream).await.ok()?.cached_info().cluster.clone()?.leader)
        });
        let mut process = self.servers[leader.parse::<usize>().unwrap()].take().unwrap();
        process.signal("KILL");
        process.wait();
        leader
    }
}
