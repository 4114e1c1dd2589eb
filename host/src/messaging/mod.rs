//! ZeroMQ: the only folder that names the zmq crate.
//!
//! [`Publisher`] is the PUB side of the HTTP surface, [`Broker`] the ROUTER/DEALER side with its workers; [`subscriber`]
//! and [`requester`] are the clients behind the subcommands. Every socket belongs to one thread from spawn to close;
//! other threads reach it through a queue or through a socket of their own.

pub mod authorized_keys;
pub mod broker;
mod broker_loop;
mod client_keys;
pub mod curve;
mod denials;
pub mod endpoint;
mod envelope;
mod exchange;
pub mod figures;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod gate;
mod handshake;
pub mod key;
mod key_file;
mod line;
mod log_file;
pub mod publisher;
pub mod requester;
mod schedule;
mod socket;
pub mod subscriber;
mod worker;
mod zap;

pub use authorized_keys::AuthorizedKeys;
pub use broker::Broker;
pub use client_keys::ClientKeys;
pub use curve::Curve;
pub use gate::Gate;
pub use publisher::{Publisher, QueueFull};
pub use socket::BindError;
