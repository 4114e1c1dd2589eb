//! Where the events come from: a socket that a flow of the host reads, and the host.

use crate::host::Host;
use crate::peer::write_number;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// There is nothing but streams and flows, and room for as many streams as there are clients.
const CONFIG: &str = "[http]\nconnections_max = 1000000\n[shutdown]\ngrace_ms = 500\n";
const EVENTS: &str = "[events]\nenabled = true\nstreams_max = 1000000\n";
const FLAGS: [&str; 1] = ["--publish=none"];
/// The host has taken in by then whatever was sent to it.
const TAKEN_MAX: Duration = Duration::from_secs(60);

/// A PUSH socket, and a host that makes events of what it sends.
pub struct Source {
    socket: zmq::Socket,
    pub host: Host,
}

impl Source {
    /// Starts the host, with these further keys of `[events]` and tables.
    pub fn start(binary: &Path, further: &str) -> Result<Self> {
        let socket = zmq::Context::new().socket(zmq::PUSH)?;
        socket.set_linger(0)?;
        socket.bind("tcp://127.0.0.1:*")?;
        let place = socket.get_last_endpoint()?.unwrap_or_default();
        let flow = format!(
            "[sockets.ticks]\ntype = 'pull'\nconnect = ['{place}']\n[flows.ticks]\nfrom = ['ticks']\nto = ['events']\n"
        );
        Ok(Self { socket, host: start(binary, &format!("{EVENTS}{further}{flow}"))? })
    }

    /// Sends numbered messages of this size, so many a second, each when it is due.
    pub fn send(&self, messages: u64, rate: u32, bytes: usize) -> Result<()> {
        let interval = Duration::from_secs(1) / rate;
        let mut message = vec![b'A'; bytes];
        let began = Instant::now();
        for number in 0..messages {
            sleep(interval.mul_f64(number as f64).saturating_sub(began.elapsed()));
            write_number(message.first_chunk_mut().context("a message that is too small")?, number);
            self.socket.send(&message[..], 0)?;
        }
        Ok(())
    }

    /// Waits until so many messages have become events.
    pub fn wait_for(&self, messages: u64) -> Result<()> {
        let began = Instant::now();
        while self.host.figures("events")?["in"].as_u64() < Some(messages) {
            ensure!(began.elapsed() < TAKEN_MAX, "not all of {messages} messages have become events");
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// Starts a host with these tables.
pub fn start(binary: &Path, tables: &str) -> Result<Host> {
    Host::start_with(binary, &[], &format!("{CONFIG}{tables}"), &FLAGS)
}
