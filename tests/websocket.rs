//! WebSockets: events in each subprotocol, sockets of flows, who is let in, TLS, and clients that are hostile or slow.

mod client;
mod doors;
mod events;
mod hostile;
mod peers;
mod sockets;
mod tls;
