//! A subscriber that counts what it receives.

use anyhow::Result;
use clap::Args;

/// Receives this many messages, then reports it.
#[derive(Args)]
pub struct Collector {
    #[arg(long)]
    connect: String,
    #[arg(long)]
    messages: u64,
}

impl Collector {
    pub fn arguments(connect: &str, messages: u64) -> Vec<String> {
        vec!["collector".to_owned(), format!("--connect={connect}"), format!("--messages={messages}")]
    }

    pub(super) fn run(&self) -> Result<()> {
        let socket = zmq::Context::new().socket(zmq::SUB)?;
        socket.set_rcvhwm(1_000_000)?;
        socket.set_subscribe(b"")?;
        socket.connect(&self.connect)?;
        let mut message = zmq::Message::new();
        for _ in 0..self.messages {
            socket.recv(&mut message, 0)?;
        }
        super::tell("end")?;
        super::stay()
    }
}
