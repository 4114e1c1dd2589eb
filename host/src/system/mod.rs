//! What the host has to do with the system it runs on: descriptors, environment, memory that is swapped out, signals, and the
//! streams that it writes to.

pub(crate) mod descriptors;
pub(crate) mod environment;
pub(crate) mod exit_code;
pub(crate) mod fail_point;
pub(crate) mod file_watch;
pub(crate) mod output;
pub mod shutdown;
pub mod supervisor;
pub(crate) mod swap;
