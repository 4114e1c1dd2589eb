//! libzmq 4.3.5 with CURVE behind the interface of `zmq-sys` 0.12, for the `zmq` crate to link.
#![allow(unsafe_code, missing_docs, non_camel_case_types)]

// Named so that the linker sees the libsodium that libzmq was compiled against.
extern crate libsodium_sys as _;

pub mod accept;
pub mod beyond;
pub mod connection;
pub mod errno;
mod ffi;
pub mod mended;

pub use ffi::*;
// These stand before those of the same names.
pub use mended::{zmq_errno, zmq_strerror};

/// A descriptor that `zmq_poll` can wait for.
pub type RawFd = std::ffi::c_int;
