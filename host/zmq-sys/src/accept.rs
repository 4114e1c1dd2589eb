//! How many descriptors the listeners of libzmq may take.

use std::ffi::c_int;

/// What a failed accept is told with where descriptors are the reason.
pub const NO_DESCRIPTORS: c_int = crate::errno::ENFILE;

// In `accept.cpp`.
unsafe extern "C" {
    safe fn tidegate_accept_below(below: c_int);
}

/// Has all listeners of this process refuse connections whose descriptor would have this number or a higher one. As the
/// system gives the lowest that is free, that is while so many are taken, whoever took them.
pub fn accept_below(below: c_int) {
    tidegate_accept_below(below);
}
