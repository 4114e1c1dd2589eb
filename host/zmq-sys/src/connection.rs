//! The TCP connections that libzmq holds, and how to end one.

use std::ffi::c_int;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd};

/// What becomes of bytes that the system has taken for a peer and not yet brought to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// The peer may still read them. One that waits for room to send may go on waiting for a minute: a connection that takes
    /// nothing in any more tells nobody that there is room.
    Delivered,
    /// The connection is reset as libzmq closes it, and the peer hears of its end at once, whatever it waits for.
    Dropped,
}

/// Ends the TCP connection behind a descriptor of libzmq's, if it still is the one to `peer`: libzmq closes descriptors
/// in its own time, and the system gives their numbers to others.
///
/// Returns whether it was.
///
/// # Errors
/// When the system refuses.
pub fn cut_off(descriptor: c_int, peer: SocketAddr, unsent: Unsent) -> io::Result<bool> {
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
        if unsent == Unsent::Dropped {
            reset_when_closed(&stream)?;
        }
        stream.shutdown(Shutdown::Both)?;
    }
    Ok(is_it)
}

fn reset_when_closed(stream: &TcpStream) -> io::Result<()> {
    let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
    let bytes = size_of_val(&at_once) as libc::socklen_t;
    // SAFETY: the system reads as many bytes as it is told there are, of a value that lives.
    let code = unsafe {
        libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, (&raw const at_once).cast(), bytes)
    };
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{ErrorKind, Read, Write};
    use std::net::TcpListener;
    use std::time::Duration;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Two ends of a connection; the second has sent all that the first has room for.
    fn full_connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let mut sender = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        let (receiver, _) = listener.accept().expect("a connection");
        sender.set_write_timeout(Some(Duration::from_millis(100))).expect("a timeout");
        while sender.write(&[0; 100_000]).is_ok() {}
        sender.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        (receiver, sender)
    }

    #[test]
    fn who_is_cut_off_while_it_waits_for_room_is_told_at_once() {
        for drains in [false, true] {
            let (mut receiver, mut sender) = full_connection();
            let peer = sender.local_addr().expect("an address");
            assert!(cut_off(receiver.as_raw_fd(), peer, Unsent::Dropped).expect("ended"));
            // libzmq may read what is there before it sees the end, or not.
            if drains {
                let _ = receiver.read_to_end(&mut Vec::new());
            }
            drop(receiver);
            let error = loop {
                if let Err(error) = sender.write(&[0; 100_000]) {
                    break error;
                }
            };
            assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{drains}: {error}");
        }
    }

    #[test]
    fn what_was_on_its_way_may_still_be_read() {
        let (mut receiver, sender) = full_connection();
        let peer = receiver.local_addr().expect("an address");
        assert!(cut_off(sender.as_raw_fd(), peer, Unsent::Delivered).expect("ended"));
        drop(sender);
        let bytes = receiver.read_to_end(&mut Vec::new()).expect("an end");
        assert!(bytes > 0, "{bytes}");
    }

    #[test]
    fn the_next_one_by_the_same_number_is_left_alone() {
        let (receiver, sender) = full_connection();
        let other = SocketAddr::from(([127, 0, 0, 1], 1));
        assert!(!cut_off(receiver.as_raw_fd(), other, Unsent::Dropped).expect("not asked"));
        assert!(!cut_off(-1, other, Unsent::Dropped).expect("not asked"));
        assert!(sender.peer_addr().is_ok());
    }
}
