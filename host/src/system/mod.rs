//! The host's dealings with the operating system: descriptors, environment, exit codes, file watches, output streams,
//! signals, threads and swap.

pub(crate) mod descriptors;
pub(crate) mod environment;
pub(crate) mod exit_code;
pub(crate) mod fail_point;
pub(crate) mod file_watch;
pub(crate) mod interrupt;
pub(crate) mod output;
pub mod shutdown;
pub mod supervisor;
pub(crate) mod swap;
