//! Functions of libzmq that the `zmq` crate uses in a way that ends in a panic or a crash, mended under their own names.

use crate::{errno, ffi};
use std::cell::Cell;
use std::ffi::{c_char, c_int};

thread_local! {
    /// What the last [`errno::STAND_IN`] of this thread stood for.
    static STOOD_FOR: Cell<c_int> = const { Cell::new(errno::STAND_IN) };
}

/// The number of this thread's last error, as far as the `zmq` crate knows it: it panics at any other, of which the system
/// has many (a path below a file, a connection that was reset). For those it is [`errno::STAND_IN`].
///
/// # Safety
/// It has nothing to be kept; it is unsafe as libzmq's own is.
pub unsafe fn zmq_errno() -> c_int {
    // SAFETY: takes nothing and gives a number.
    let number = unsafe { ffi::zmq_errno() };
    let known = errno::known_to_the_crate(number);
    if known == errno::STAND_IN {
        STOOD_FOR.set(number);
    }
    known
}

/// The text of an error; of [`errno::STAND_IN`] that of what it stood for last.
///
/// # Safety
/// It has nothing to be kept; it is unsafe as libzmq's own is.
pub unsafe fn zmq_strerror(number: c_int) -> *const c_char {
    let number = if number == errno::STAND_IN { STOOD_FOR.get() } else { number };
    // SAFETY: takes a number and gives a text that lasts.
    unsafe { ffi::zmq_strerror(number) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_number_that_the_crate_does_not_know_keeps_its_text() {
        // SAFETY: libzmq answers with an error to a socket that is none; texts are read at once.
        let (number, text) = unsafe {
            assert_eq!(ffi::zmq_close(std::ptr::null_mut()), -1);
            assert_eq!(zmq_errno(), errno::ENOTSOCK);
            *libc::__errno_location() = libc::ENOTDIR;
            (zmq_errno(), CStr::from_ptr(zmq_strerror(errno::STAND_IN)).to_string_lossy().into_owned())
        };
        assert_eq!((number, text.as_str()), (errno::STAND_IN, "Not a directory"));
        // SAFETY: as above.
        let text = unsafe {
            *libc::__errno_location() = errno::STAND_IN;
            CStr::from_ptr(zmq_strerror(zmq_errno())).to_string_lossy().into_owned()
        };
        assert_eq!(text, "Bad address");
    }
}
