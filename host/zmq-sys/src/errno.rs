//! The error numbers that libzmq sets: the system's, and its own from `ZMQ_HAUSNUMERO` up.

use crate::ZMQ_HAUSNUMERO;

pub use libc::{
    EACCES, EADDRINUSE, EADDRNOTAVAIL, EAGAIN, EBUSY, ECONNREFUSED, EFAULT, EHOSTUNREACH, EINPROGRESS, EINTR, EINVAL,
    EMFILE, EMSGSIZE, ENAMETOOLONG, ENETDOWN, ENFILE, ENOBUFS, ENODEV, ENOENT, ENOMEM, ENOTCONN, ENOTSOCK, ENOTSUP,
    EPROTO, EPROTONOSUPPORT,
};

const fn own(offset: u32) -> i32 {
    (ZMQ_HAUSNUMERO + offset) as i32
}

pub const EFSM: i32 = own(51);
pub const ENOCOMPATPROTO: i32 = own(52);
pub const ETERM: i32 = own(53);
pub const EMTHREAD: i32 = own(54);

// What libzmq uses where a system lacks the name.
pub const ENOTSUP_ALT: i32 = own(1);
pub const EPROTONOSUPPORT_ALT: i32 = own(2);
pub const ENOBUFS_ALT: i32 = own(3);
pub const ENETDOWN_ALT: i32 = own(4);
pub const EADDRINUSE_ALT: i32 = own(5);
pub const EADDRNOTAVAIL_ALT: i32 = own(6);
pub const ECONNREFUSED_ALT: i32 = own(7);
pub const EINPROGRESS_ALT: i32 = own(8);
pub const ENOTSOCK_ALT: i32 = own(9);
pub const EMSGSIZE_ALT: i32 = own(10);
pub const EAFNOSUPPORT_ALT: i32 = own(11);
pub const ENETUNREACH_ALT: i32 = own(12);
pub const ECONNABORTED_ALT: i32 = own(13);
pub const ECONNRESET_ALT: i32 = own(14);
pub const ENOTCONN_ALT: i32 = own(15);
pub const ETIMEDOUT_ALT: i32 = own(16);
pub const EHOSTUNREACH_ALT: i32 = own(17);
pub const ENETRESET_ALT: i32 = own(18);

/// What stands for a number that the `zmq` crate does not know: one that libzmq itself has no use for here, since whoever
/// uses it does so through safe functions.
pub const STAND_IN: i32 = EFAULT;

/// The number itself, or [`STAND_IN`]: the `zmq` crate panics at numbers that are not among these.
pub const fn known_to_the_crate(number: i32) -> i32 {
    match number {
        EACCES | EADDRINUSE | EAGAIN | EBUSY | ECONNREFUSED | EFAULT | EHOSTUNREACH | EINPROGRESS | EINTR | EINVAL
        | EMFILE | EMSGSIZE | ENAMETOOLONG | ENODEV | ENOENT | ENOMEM | ENOTCONN | ENOTSOCK | EPROTO
        | EPROTONOSUPPORT | ENOTSUP | ENOBUFS | ENETDOWN | EADDRNOTAVAIL => number,
        ENOTSUP_ALT | EPROTONOSUPPORT_ALT | ENOBUFS_ALT | ENETDOWN_ALT | EADDRINUSE_ALT | EADDRNOTAVAIL_ALT
        | ECONNREFUSED_ALT | EINPROGRESS_ALT | ENOTSOCK_ALT | EMSGSIZE_ALT => number,
        EFSM | ENOCOMPATPROTO | ETERM | EMTHREAD => number,
        _ => STAND_IN,
    }
}
