//! ZeroMQ: the only folder that names the zmq crate.
//!
//! [`Publisher`] is the PUB side of the HTTP surface, [`Broker`] the ROUTER/DEALER side with its workers; [`subscriber`]
//! and [`requester`] are the clients behind the subcommands. Every socket belongs to one thread from spawn to close;
//! other threads reach it through a queue or through a socket of their own.

pub mod broker;
mod broker_loop;
pub mod endpoint;
mod envelope;
mod exchange;
pub mod figures;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod line;
mod log_file;
mod origin;
pub mod publisher;
pub mod requester;
pub mod resend;
mod schedule;
mod socket;
pub mod subscriber;
mod worker;

pub use broker::Broker;
pub use publisher::{Publisher, QueueFull};
pub use socket::BindError;
