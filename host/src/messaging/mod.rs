//! The ZeroMQ sockets of a host. With [`crate::clients`] the only folder that names the zmq crate.
//!
//! [`Publisher`] is a PUB socket, [`Broker`] the ROUTER side with its policy, [`Streams`] are all SUB, PULL, PAIR and PUSH
//! sockets, a [`WorkerPool`] is the ROUTER that workers connect to. Every socket belongs to one thread from spawn to close;
//! other threads reach it through a queue or through a socket of their own.

mod batching;
pub mod broker;
pub mod curve;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
pub mod publisher;
pub(crate) mod socket;
mod spans;
pub mod stream;
pub mod workers;

pub use broker::{Broker, BrokerControl};
pub use curve::{AuthorizedKeys, ClientKeys, Curve};
pub use publisher::{Publisher, QueueFull};
pub use socket::endpoint::check_peer;
pub use socket::{BindError, PeerStatistics, Reservation, SocketStatistics};
pub use stream::{SocketSettings, StreamHops, StreamSettings, StreamSocket, Streams};
pub use workers::{PoolHops, PoolSettings, WorkerPool};
pub use zmq_sys::accept::accept_below;
