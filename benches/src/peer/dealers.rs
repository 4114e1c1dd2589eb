//! The clients of a broker: DEALER sockets, each with a fixed number of outstanding requests.

use crate::figures::quantile;
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

const WARM_UP: Duration = Duration::from_millis(300);
/// If no reply arrives for this long, one was lost.
const PATIENCE_MS: i32 = 10_000;

/// Clients in one thread, each with `window` outstanding requests.
#[derive(Args)]
pub struct Dealers {
    #[arg(long)]
    connect: String,
    #[arg(long)]
    clients: usize,
    #[arg(long)]
    window: usize,
    #[arg(long)]
    seconds: u64,
}

/// The results of the clients.
#[derive(Deserialize, Serialize)]
pub struct Exchanged {
    pub replies: u64,
    pub seconds: f64,
    /// Latencies, if the window is one, so that each reply belongs to the request before it; else none.
    pub p50_us: Option<f64>,
    pub p99_us: Option<f64>,
}

impl Dealers {
    pub fn arguments(connect: &str, clients: usize, window: usize, seconds: u64) -> Vec<String> {
        let numbers = [format!("--clients={clients}"), format!("--window={window}"), format!("--seconds={seconds}")];
        ["dealers".to_owned(), format!("--connect={connect}")].into_iter().chain(numbers).collect()
    }

    pub(super) fn run(&self) -> Result<()> {
        let context = zmq::Context::new();
        let sockets = (0..self.clients).map(|number| {
            let socket = context.socket(zmq::DEALER)?;
            // The identities contain the process id, so that late replies to clients of an earlier turn do not reach
            // these.
            socket.set_identity(format!("worker-{number}-{}", std::process::id()).as_bytes())?;
            socket.set_linger(0)?;
            socket.set_rcvtimeo(PATIENCE_MS)?;
            socket.connect(&self.connect)?;
            Ok(socket)
        });
        let sockets = sockets.collect::<zmq::Result<Vec<_>>>().context("connecting the clients")?;
        let mut clients = Clients { sockets, sent: 0, round_trips: Vec::new() };
        let alone = self.clients == 1 && self.window == 1;
        for _ in 0..if alone { 0 } else { self.window } {
            for index in 0..clients.sockets.len() {
                clients.send(index)?;
            }
        }
        clients.exchange_for(WARM_UP, alone)?;
        clients.round_trips.clear();
        super::tell("begin")?;
        let (replies, took) = clients.exchange_for(Duration::from_secs(self.seconds), alone)?;
        clients.round_trips.sort_unstable();
        let at = |q| (!clients.round_trips.is_empty()).then(|| quantile(&clients.round_trips, q).as_secs_f64() * 1e6);
        let exchanged = Exchanged { replies, seconds: took.as_secs_f64(), p50_us: at(0.5), p99_us: at(0.99) };
        super::tell(&format!("end {}", serde_json::to_string(&exchanged)?))
    }
}

struct Clients {
    sockets: Vec<zmq::Socket>,
    sent: u64,
    round_trips: Vec<Duration>,
}

impl Clients {
    fn send(&mut self, index: usize) -> Result<String> {
        self.sent += 1;
        let request = format!("request #{}", self.sent);
        self.sockets[index].send(request.as_str(), 0)?;
        Ok(request)
    }

    /// Returns how many replies there were, and in what time.
    fn exchange_for(&mut self, time: Duration, alone: bool) -> Result<(u64, Duration)> {
        let began = Instant::now();
        let mut replies = 0;
        while began.elapsed() < time {
            replies += if alone { self.round_trip()? } else { self.turn()? };
        }
        Ok((replies, began.elapsed()))
    }

    /// Sends one request and waits for its reply.
    fn round_trip(&mut self) -> Result<u64> {
        let sent = Instant::now();
        let request = self.send(0)?;
        let reply = self.sockets[0].recv_msg(0).with_context(|| format!("no reply within {PATIENCE_MS} ms"))?;
        self.round_trips.push(sent.elapsed());
        ensure!(*reply == *request.as_bytes(), "the reply to {request} is {reply:?}");
        Ok(1)
    }

    /// Receives the replies that have arrived, and sends a request for each.
    fn turn(&mut self) -> Result<u64> {
        let mut items: Vec<_> = self.sockets.iter().map(|socket| socket.as_poll_item(zmq::POLLIN)).collect();
        ensure!(zmq::poll(&mut items, PATIENCE_MS.into())? > 0, "no reply within {PATIENCE_MS} ms");
        let readable: Vec<_> = items.iter().map(zmq::PollItem::is_readable).collect();
        let mut replies = 0;
        for index in (0..readable.len()).filter(|index| readable[*index]) {
            loop {
                match self.sockets[index].recv_msg(zmq::DONTWAIT) {
                    Ok(reply) => ensure!(is_reply(&reply), "this is no reply: {reply:?}"),
                    Err(zmq::Error::EAGAIN) => break,
                    Err(error) => return Err(error.into()),
                }
                replies += 1;
                self.send(index)?;
            }
        }
        Ok(replies)
    }
}

fn is_reply(reply: &[u8]) -> bool {
    reply.starts_with(b"request #")
}
