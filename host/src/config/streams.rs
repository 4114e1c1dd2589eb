//! ZeroMQ sockets by name, and the flows of messages between them: from sockets, through plugins, to sockets.

mod flow;
mod route;
mod socket;

pub use flow::{Flow, OnError, Order};
pub use route::Route;
pub use socket::{Socket, SocketType};
