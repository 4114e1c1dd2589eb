//! Both ends of a stream that carries what it can: a sender that never stops, and a receiver that counts.

use super::ends::{Ends, Pattern};
use super::numbered::{MESSAGE_BYTES, read_number, write_number};
use anyhow::{Context, Result};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::thread;
use std::time::{Duration, Instant};

const WARM_UP: Duration = Duration::from_millis(300);
/// If no message arrives for this long, none will.
const PATIENCE_MS: i32 = 20_000;

/// Sends as fast as whatever is between the ends takes messages, and counts those that arrive.
#[derive(Args)]
pub struct Flood {
    #[arg(long)]
    pattern: Pattern,
    /// How long to count, after a warm-up; without it, the receiver is a PULL that nobody ever reads
    #[arg(long)]
    seconds: Option<u64>,
}

/// What arrived.
#[derive(Deserialize, Serialize)]
pub struct Flooded {
    pub messages: u64,
    /// Those with a number between the first and the last that did not arrive.
    pub missing: u64,
    pub seconds: f64,
}

impl Flood {
    pub fn arguments(pattern: Pattern, seconds: Option<u64>) -> Vec<String> {
        let seconds = seconds.map(|seconds| format!("--seconds={seconds}"));
        ["flood".to_owned(), format!("--pattern={}", pattern.name())].into_iter().chain(seconds).collect()
    }

    pub(super) fn run(&self) -> Result<()> {
        let pattern = self.pattern;
        let receives = if self.seconds.is_some() { pattern } else { Pattern::Push };
        let Ends { sender, receiver } = Ends::bind(pattern, receives)?;
        thread::spawn(move || send(&sender, pattern));
        if let Some(seconds) = self.seconds {
            receiver.set_rcvtimeo(PATIENCE_MS)?;
            let mut receiver = Receiver { socket: receiver, message: zmq::Message::new() };
            receiver.take_for(WARM_UP)?;
            super::tell("begin")?;
            let flooded = receiver.take_for(Duration::from_secs(seconds))?;
            super::tell(&format!("end {}", serde_json::to_string(&flooded)?))?;
            // What is between the ends can end in order only while somebody takes what it has left.
            thread::spawn(move || while receiver.take().is_ok() {});
        }
        super::stay()
    }
}

/// Sends numbered messages in upper case until this process ends.
fn send(socket: &zmq::Socket, pattern: Pattern) -> Result<()> {
    if let Pattern::Publish = pattern {
        socket.recv_msg(0).context("waiting for a subscription")?;
    }
    let mut message = [b'A'; MESSAGE_BYTES];
    for number in 0.. {
        write_number(&mut message, number);
        socket.send(&message[..], 0)?;
    }
    Ok(())
}

struct Receiver {
    socket: zmq::Socket,
    message: zmq::Message,
}

impl Receiver {
    /// Receives one message, and gives its number.
    fn take(&mut self) -> Result<u64> {
        self.socket.recv(&mut self.message, 0).with_context(|| format!("no message within {PATIENCE_MS} ms"))?;
        read_number(&self.message).with_context(|| format!("this has no number: {:?}", self.message))
    }

    /// Counts from the next message on.
    fn take_for(&mut self, time: Duration) -> Result<Flooded> {
        let first = self.take()?;
        let began = Instant::now();
        let (mut messages, mut last) = (0, first);
        while began.elapsed() < time {
            last = self.take()?;
            messages += 1;
        }
        let missing = last.saturating_sub(first).saturating_sub(messages);
        Ok(Flooded { messages, missing, seconds: began.elapsed().as_secs_f64() })
    }
}
