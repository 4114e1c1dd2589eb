//! ZeroMQ: the only folder that names the zmq crate.
//!
//! [`Publisher`] is the PUB side of the HTTP surface, [`Broker`] the ROUTER side with its workers; [`subscriber`]
//! and [`requester`] are the clients behind the subcommands. Every socket belongs to one thread from spawn to close;
//! other threads reach it through a queue or through a socket of their own.

pub mod authorized_keys;
mod backend;
pub mod broker;
mod broker_control;
mod broker_loop;
mod client_keys;
mod client_shares;
pub mod curve;
mod denials;
mod dispatch;
pub mod endpoint;
mod envelope;
mod exchange;
mod figures;
mod frontend;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod gate;
mod handshake;
mod host_name;
pub mod ipc;
mod keeper;
pub mod key;
mod key_file;
mod key_watch;
mod line;
mod log_file;
mod monitor;
mod origin;
mod outbox;
mod pace;
mod policy;
mod publish_loop;
mod publish_queue;
pub mod publisher;
mod reading;
mod refusals;
pub mod requester;
pub mod resend;
mod retained;
mod rush;
mod schedule;
mod socket;
mod socket_event;
pub mod subscriber;
mod subscriptions;
mod waiting_replies;
mod worker;
mod zap;

pub use authorized_keys::AuthorizedKeys;
pub use broker::Broker;
pub use broker_control::{BrokerControl, BrokerState, BrokerStatus};
pub use client_keys::ClientKeys;
pub use curve::Curve;
pub use figures::{PeerFigures, SocketFigures};
pub use publish_queue::QueueFull;
pub use publisher::Publisher;
pub use socket::BindError;
pub use zmq_sys::accept::accept_below;
