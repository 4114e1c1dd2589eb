//! A publisher that sends a number of messages as fast as libzmq takes them.

use anyhow::{Context, Result, anyhow};
use clap::Args;
use zmq_sys::beyond::{Switch, set_switch};

/// The size of each message.
pub const MESSAGE_BYTES: usize = 64;
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
        // An XPUB socket is a PUB socket that receives subscriptions.
        let mut socket = zmq::Context::new().socket(zmq::XPUB)?;
        socket.set_sndhwm(QUEUE_MESSAGES_MAX)?;
        set_switch(socket.as_mut_ptr(), Switch::XpubNodrop, true).map_err(|code| anyhow!("XPUB_NODROP: {code}"))?;
        socket.bind("tcp://127.0.0.1:*")?;
        super::tell(&format!("ready {}", socket.get_last_endpoint()?.unwrap_or_default()))?;
        socket.recv_msg(0).context("waiting for a subscription")?;
        super::tell("begin")?;
        let mut message = [b'.'; MESSAGE_BYTES];
        for number in 0..self.messages {
            write_digits(&mut message, number);
            socket.send(&message[..], 0)?;
        }
        super::stay()
    }
}

/// Writes the number as ten digits at the front of the message, which is cheaper than formatting.
fn write_digits(message: &mut [u8; MESSAGE_BYTES], mut number: u64) {
    for digit in message[..10].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
