//! ZeroMQ sockets by name, and the flows of messages between them: from sockets, through plugins, to sockets.

mod check;
mod flow;
mod implied;
mod in_force;
mod route;
mod socket;

pub(in crate::config) use check::check;
pub use flow::{Flow, OnError, Order};
pub use in_force::{CurveRole, QueueBounds};
pub use route::{CONNECTION_HEADERS, Route};
pub use socket::{Socket, SocketType};
