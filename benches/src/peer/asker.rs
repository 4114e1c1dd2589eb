//! A DEALER that binds and asks REP workers, with a fixed number of requests outstanding.

use anyhow::{Context, Result};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

const WARM_UP: Duration = Duration::from_millis(500);
/// If no answer arrives for this long, one was lost.
const PATIENCE_MS: i32 = 20_000;

/// Asks whatever workers connect.
#[derive(Args)]
pub struct Asker {
    #[arg(long)]
    window: usize,
    #[arg(long)]
    seconds: u64,
    #[arg(long)]
    body: String,
}

/// What was answered.
#[derive(Deserialize, Serialize)]
pub struct Answered {
    pub answers: u64,
    pub seconds: f64,
}

impl Asker {
    pub fn arguments(window: usize, seconds: u64, body: &str) -> Vec<String> {
        let numbers = [format!("--window={window}"), format!("--seconds={seconds}"), format!("--body={body}")];
        ["asker".to_owned()].into_iter().chain(numbers).collect()
    }

    pub(super) fn run(&self) -> Result<()> {
        let socket = zmq::Context::new().socket(zmq::DEALER)?;
        socket.set_linger(0)?;
        socket.set_rcvtimeo(PATIENCE_MS)?;
        socket.bind("tcp://127.0.0.1:*")?;
        super::tell(&format!("ready {}", socket.get_last_endpoint()?.unwrap_or_default()))?;
        let ask = || socket.send_multipart([&b"1"[..], b"", self.body.as_bytes()], 0).context("asking");
        (0..self.window).try_for_each(|_| ask())?;
        let exchange = |time| {
            let (began, mut answers) = (Instant::now(), 0);
            while began.elapsed() < time {
                socket.recv_multipart(0).with_context(|| format!("no answer within {PATIENCE_MS} ms"))?;
                answers += 1;
                ask()?;
            }
            anyhow::Ok(Answered { answers, seconds: began.elapsed().as_secs_f64() })
        };
        exchange(WARM_UP)?;
        let answered = exchange(Duration::from_secs(self.seconds))?;
        super::tell(&format!("end {}", serde_json::to_string(&answered)?))
    }
}
