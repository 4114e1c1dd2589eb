//! Both ends of a stream that carries a fixed rate: the time from when a message was due to when it arrived.

use super::ends::{Ends, Pattern};
use super::numbered::{MESSAGE_BYTES, read_number, write_number};
use crate::figures::quantile;
use crate::traffic::wake_up_on_time;
use anyhow::{Context, Result};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// How much of a second passes before latencies count.
const WARM_UP_SECONDS: f64 = 0.5;
/// If no message arrives for this long, one was lost.
const PATIENCE_MS: i32 = 20_000;

/// Pushes messages at a fixed rate, whatever becomes of those before (open loop).
#[derive(Args)]
pub struct Steady {
    #[arg(long)]
    rate: u32,
    #[arg(long)]
    seconds: u64,
}

/// The latencies of all messages after the warm-up, from when each was due.
#[derive(Deserialize, Serialize)]
pub struct Arrived {
    pub messages: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl Steady {
    pub fn arguments(rate: u32, seconds: u64) -> Vec<String> {
        vec!["steady".to_owned(), format!("--rate={rate}"), format!("--seconds={seconds}")]
    }

    pub(super) fn run(&self) -> Result<()> {
        let Ends { sender, receiver } = Ends::bind(Pattern::Push, Pattern::Push)?;
        receiver.set_rcvtimeo(PATIENCE_MS)?;
        let interval = Duration::from_secs(1) / self.rate;
        let unmeasured = (WARM_UP_SECONDS * f64::from(self.rate)) as u64;
        let whole = unmeasured + self.seconds * u64::from(self.rate);
        let clock = Arc::new(OnceLock::new());
        let began = Arc::clone(&clock);
        thread::spawn(move || send(&sender, interval, whole, &began));

        let mut message = zmq::Message::new();
        let mut take = || {
            receiver.recv(&mut message, 0).with_context(|| format!("no message within {PATIENCE_MS} ms"))?;
            read_number(&message).with_context(|| format!("this has no number: {message:?}"))
        };
        // The one before the first; see `send`.
        take()?;
        let began: &Instant = clock.wait();
        let mut latencies = Vec::with_capacity(usize::try_from(whole - unmeasured)?);
        for received in 0..whole {
            if received == unmeasured {
                super::tell("begin")?;
            }
            let number = take()?;
            if number >= unmeasured {
                latencies.push(began.elapsed().saturating_sub(due(interval, number)));
            }
        }
        latencies.sort_unstable();
        let ms = |q| quantile(&latencies, q).as_secs_f64() * 1e3;
        let arrived = Arrived { messages: latencies.len() as u64, p50_ms: ms(0.5), p99_ms: ms(0.99) };
        super::tell(&format!("end {}", serde_json::to_string(&arrived)?))?;
        super::stay()
    }
}

/// When a message is due, from the beginning on.
fn due(interval: Duration, number: u64) -> Duration {
    interval.mul_f64(number as f64)
}

/// Sends one message to see the stream connected, which begins the clock, then the numbered ones when they are due.
fn send(socket: &zmq::Socket, interval: Duration, messages: u64, clock: &OnceLock<Instant>) -> Result<()> {
    wake_up_on_time();
    let mut message = [b'A'; MESSAGE_BYTES];
    write_number(&mut message, 0);
    socket.send(&message[..], 0)?;
    let began = *clock.get_or_init(Instant::now);
    for number in 0..messages {
        thread::sleep(due(interval, number).saturating_sub(began.elapsed()));
        write_number(&mut message, number);
        socket.send(&message[..], 0)?;
    }
    Ok(())
}
