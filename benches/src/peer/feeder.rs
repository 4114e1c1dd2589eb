//! A publisher that sends a number of messages as fast as libzmq takes them.

use super::numbered::{MESSAGE_BYTES, write_number};
use super::publisher::lossless_publisher;
use anyhow::{Context, Result};
use clap::Args;

/// The send queue of libzmq. When it is full the sender blocks, so that nothing is dropped.
const QUEUE_MESSAGES_MAX: i32 = 100_000;

/// Publishes numbered messages once somebody has subscribed.
#[derive(Args)]
pub struct Feeder {
    #[arg(long)]
    messages: u64,
}

impl Feeder {
    pub fn arguments(messages: u64) -> Vec<String> {
        vec!["feeder".to_owned(), format!("--messages={messages}")]
    }

    pub(super) fn run(&self) -> Result<()> {
        let socket = lossless_publisher()?;
        socket.set_sndhwm(QUEUE_MESSAGES_MAX)?;
        socket.bind("tcp://127.0.0.1:*")?;
        super::tell(&format!("ready {}", socket.get_last_endpoint()?.unwrap_or_default()))?;
        socket.recv_msg(0).context("waiting for a subscription")?;
        super::tell("begin")?;
        let mut message = [b'.'; MESSAGE_BYTES];
        for number in 0..self.messages {
            write_number(&mut message, number);
            socket.send(&message[..], 0)?;
        }
        super::stay()
    }
}
