//! The TCP connections that libzmq holds, and how to end one.

use std::ffi::c_int;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::BorrowedFd;

/// Ends the TCP connection behind a descriptor of libzmq's, if it still is the one to `peer`: libzmq closes descriptors
/// in its own time, and the system gives their numbers to others.
///
/// Returns whether it was.
///
/// # Errors
/// When the system refuses.
pub fn cut_off(descriptor: c_int, peer: SocketAddr) -> io::Result<bool> {
    if descriptor < 0 {
        return Ok(false);
    }
    // SAFETY: a number that names no descriptor makes the system refuse to duplicate it, and nothing else.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    // The duplicate names this connection for as long as it is open, whatever becomes of the number.
    let Ok(owned) = borrowed.try_clone_to_owned() else { return Ok(false) };
    let stream = TcpStream::from(owned);
    let is_it = stream.peer_addr().is_ok_and(|found| (found.ip(), found.port()) == (peer.ip(), peer.port()));
    if is_it {
        stream.shutdown(Shutdown::Both)?;
    }
    Ok(is_it)
}
