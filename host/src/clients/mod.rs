//! The ZeroMQ clients behind the subcommands `subscribe`, `request` and `dead-letters replay`: no host runs them.

#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod handshake;
mod line;
mod log_file;
pub mod requester;
pub mod resend;
pub mod subscriber;
