//! ZeroMQ sockets and pools of workers by name, and the flows of messages between them: from sockets, through plugins and
//! workers, to sockets.

mod check;
mod flow;
mod implied;
mod in_force;
mod route;
mod socket;
mod workers;

pub(in crate::config) use check::check;
pub use flow::{Flow, OnError, Order};
pub use in_force::{CurveRole, QueueBounds};
pub use route::{CONNECTION_HEADERS, Route};
pub use socket::{Socket, SocketType};
pub use workers::{Retry, WorkerCodec, WorkerPool, WorkerProtocol, pool_of, step_of};
