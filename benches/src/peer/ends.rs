//! Both ends of a stream, bound, so that whatever is between them connects to both.

use super::publisher::lossless_publisher;
use anyhow::Result;
use clap::ValueEnum;

/// The queues of libzmq at both ends, of which the sender waits at a full one.
const QUEUE_MESSAGES_MAX: i32 = 10_000;

/// How the messages come and go.
#[derive(Clone, Copy, ValueEnum)]
pub enum Pattern {
    /// The sender is a PUB socket, the receiver a SUB.
    Publish,
    /// The sender is a PUSH socket, the receiver a PULL.
    Push,
}

/// The sockets, each of a context with a thread of its own.
pub struct Ends {
    pub sender: zmq::Socket,
    pub receiver: zmq::Socket,
}

impl Pattern {
    /// The word for it on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Push => "push",
        }
    }
}

impl Ends {
    /// Binds both, and tells the parent process where.
    pub fn bind(sends: Pattern, receives: Pattern) -> Result<Self> {
        let sender = match sends {
            Pattern::Publish => lossless_publisher()?,
            Pattern::Push => zmq::Context::new().socket(zmq::PUSH)?,
        };
        let receiver = match receives {
            Pattern::Publish => subscriber_of_all()?,
            Pattern::Push => zmq::Context::new().socket(zmq::PULL)?,
        };
        let ends = Self { sender, receiver };
        ends.sender.set_sndhwm(QUEUE_MESSAGES_MAX)?;
        ends.receiver.set_rcvhwm(QUEUE_MESSAGES_MAX)?;
        for socket in [&ends.sender, &ends.receiver] {
            socket.set_linger(0)?;
            socket.bind("tcp://127.0.0.1:*")?;
        }
        let place = |socket: &zmq::Socket| Ok::<_, zmq::Error>(socket.get_last_endpoint()?.unwrap_or_default());
        super::tell(&format!("ready {} {}", place(&ends.sender)?, place(&ends.receiver)?))?;
        Ok(ends)
    }
}

fn subscriber_of_all() -> Result<zmq::Socket> {
    let socket = zmq::Context::new().socket(zmq::SUB)?;
    socket.set_subscribe(b"")?;
    Ok(socket)
}
