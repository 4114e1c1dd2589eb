//! The ZeroMQ clients behind the subcommands `subscribe`, `request`, `worker`, `replay` and `dead-letters replay`. The host
//! itself uses none of them.

#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod handshake;
mod line;
mod log_file;
pub mod requester;
pub mod resend;
pub mod sender;
pub mod subscriber;
pub mod worker;
