//! Operations on any socket, safe from the pitfalls of libzmq and of the zmq crate: own, bind, connect, poll.

pub(crate) mod addresses;
mod bind_place;
mod connection;
pub(crate) mod connections;
pub(crate) mod endpoint;
pub(crate) mod host_name;
pub(crate) mod ipc;
pub(crate) mod monitor;
mod multipart;
pub(crate) mod name_states;
pub(crate) mod reading;
mod refusals;
mod reservation;
pub(crate) mod statistics;

pub(crate) use bind_place::BindPlace;
pub(crate) use multipart::{
    Frames, Received, frames_bytes, receive, receive_from, receive_into, receive_now, send, send_frames,
};
pub use reservation::Reservation;
pub(crate) use reservation::is_left;
pub use statistics::{PeerStatistics, SocketStatistics};

use crate::config::PEER_TEXT_LOG_BYTES_MAX;
use crate::system::fail_point::is_to_fail;
use crate::system::supervisor::Supervisor;
use host_name::is_ipv6;
use ipc::IpcAccess;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use zmq_sys::beyond;

/// A socket could not be bound or connected.
#[derive(Debug, thiserror::Error)]
#[error("{act} {role} to {endpoint}: {cause}")]
pub struct BindError {
    /// `binding` or `connecting`.
    pub act: &'static str,
    /// The kind of socket, and its name if there may be several of the kind: `ROUTER`, `PULL jobs`.
    pub role: String,
    /// Where it should have been bound or connected.
    pub endpoint: String,
    /// Why it could not, as a fragment.
    pub cause: String,
}

/// Starts the thread that owns a socket: `open` makes it there, `run` uses it until it closes. The supervisor knows the
/// thread by the name of its part.
///
/// Returns once `open` has: with the thread, and what `open` returned beside the socket.
///
/// # Errors
/// When `open` fails or panics, or the system gives no thread; says why.
pub(crate) fn spawn_owner<S, T: Send + 'static, E: From<String> + Send + 'static>(
    (supervisor, part): (&Supervisor, &str),
    open: impl FnOnce() -> Result<(S, T), E> + Send + 'static,
    run: impl FnOnce(S) -> Result<(), String> + Send + 'static,
) -> Result<(JoinHandle<()>, T), E> {
    let (opened, report) = mpsc::sync_channel(1);
    let body = move || match open() {
        Ok((socket, details)) => {
            // The thread that started this one waits for it.
            let _ = opened.send(Ok(details));
            run(socket)
        }
        Err(cause) => {
            let _ = opened.send(Err(cause));
            Ok(())
        }
    };
    let thread = supervisor.thread(part, body).map_err(|error| format!("starting a thread: {error}"))?;
    match report.recv() {
        Ok(Ok(details)) => Ok((thread, details)),
        Ok(Err(cause)) => Err(cause),
        Err(mpsc::RecvError) => Err("its thread panicked".to_owned().into()),
    }
}

/// Binds a socket. Returns the real endpoint, in which a wildcard port is a number.
///
/// # Errors
/// When the socket cannot be bound there; says why, as a fragment.
pub(crate) fn bind(socket: &zmq::Socket, endpoint: &str) -> Result<String, String> {
    BindPlace::look_up(endpoint)?.bind(socket)
}

/// As [`bind`]; an endpoint in the file system is made such that no others may connect than `access` says.
///
/// # Errors
/// Those of [`bind`]; and when the system does not give the file that group or mode.
pub(crate) fn bind_guarded(socket: &zmq::Socket, endpoint: &str, access: IpcAccess) -> Result<String, String> {
    BindPlace::look_up(endpoint)?.bind_guarded(socket, access)
}

/// Connects a socket to an endpoint without a host name.
///
/// # Errors
/// When libzmq refuses the endpoint; says why, as a fragment.
pub(crate) fn connect(socket: &zmq::Socket, endpoint: &str) -> Result<(), String> {
    connect_by(socket, endpoint, is_ipv6(endpoint))
}

/// Connects a socket. A host name is connected to by its first address of IPv6, or of IPv4.
///
/// # Errors
/// When libzmq refuses the endpoint; says why, as a fragment.
pub(crate) fn connect_by(socket: &zmq::Socket, endpoint: &str, ipv6: bool) -> Result<(), String> {
    attach(socket, endpoint, ipv6, zmq::Socket::connect)
}

fn attach(
    socket: &zmq::Socket,
    endpoint: &str,
    ipv6: bool,
    act: fn(&zmq::Socket, &str) -> zmq::Result<()>,
) -> Result<(), String> {
    ipc::check_length(endpoint)?;
    // Not for all endpoints: with IPv6 on, libzmq reports an IPv4 address as an IPv6 one, and resolves a name to its
    // IPv6 address alone if it has any.
    socket.set_ipv6(ipv6).map_err(cause)?;
    act(socket, endpoint).map_err(cause)
}

/// The beginning of a text that a peer sent, escaped for a log line.
pub(crate) fn escape_for_log(bytes: &[u8]) -> String {
    let beginning = &bytes[..bytes.len().min(PEER_TEXT_LOG_BYTES_MAX)];
    let rest = if beginning.len() < bytes.len() { "…" } else { "" };
    format!("{}{rest}", beginning.escape_ascii())
}

/// Describes an error of libzmq, as a fragment.
pub(crate) fn cause(error: zmq::Error) -> String {
    match error {
        zmq::Error::EADDRINUSE => "address in use".to_owned(),
        zmq::Error::EADDRNOTAVAIL | zmq::Error::ENODEV => "not an address of this machine".to_owned(),
        zmq::Error::EACCES => "permission denied".to_owned(),
        zmq::Error::ENOENT => "no such directory".to_owned(),
        zmq::Error::EINVAL => "not understood by libzmq".to_owned(),
        other => other.message().to_lowercase(),
    }
}

/// Describes an error number of libzmq, as a fragment.
pub(crate) fn raw_cause(code: i32) -> String {
    std::io::Error::from_raw_os_error(code).to_string().to_lowercase()
}

/// A bound as libzmq takes it.
pub(crate) fn hwm(messages_max: usize) -> i32 {
    i32::try_from(messages_max).unwrap_or(i32::MAX)
}

/// Bounds the queue to each peer and the one from it in bytes; to be called before the socket has peers.
///
/// # Errors
/// When libzmq refuses the bound.
pub(crate) fn bound_queues(socket: &mut zmq::Socket, bytes_max: usize) -> Result<(), String> {
    beyond::bound_queues(socket.as_mut_ptr(), bytes_max as u64).map_err(raw_cause)
}

/// Sets the timeouts of a socket's connections: a silent one gets a heartbeat after `heartbeat` (zero for never) and is
/// ended when it has not answered within three times that; one that has not finished its handshake is ended after
/// `handshake`.
///
/// # Errors
/// When libzmq refuses one of the options.
pub(crate) fn set_timeouts(socket: &zmq::Socket, heartbeat: Duration, handshake: Duration) -> zmq::Result<()> {
    let ms = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    socket.set_heartbeat_ivl(ms(heartbeat))?;
    socket.set_heartbeat_timeout(ms(heartbeat * 3))?;
    socket.set_handshake_ivl(ms(handshake))
}

/// Has the system ask on a silent connection every `silence` whether the peer's system is still there, and end it where three
/// questions were not answered; zero for never.
///
/// # Errors
/// When libzmq refuses one of the options.
pub(crate) fn keep_alive(socket: &zmq::Socket, silence: Duration) -> zmq::Result<()> {
    if silence.is_zero() {
        return Ok(());
    }
    let seconds = i32::try_from(silence.as_millis().div_ceil(1_000)).unwrap_or(i32::MAX);
    socket.set_tcp_keepalive(1)?;
    socket.set_tcp_keepalive_idle(seconds)?;
    socket.set_tcp_keepalive_intvl(seconds)?;
    socket.set_tcp_keepalive_cnt(3)
}

/// Waits until an item is ready or `timeout` has passed; without a timeout it waits for ever. It may also end early, on
/// a signal.
///
/// # Errors
/// When libzmq cannot wait: with `ETERM` when the context is terminated.
pub(crate) fn poll(items: &mut [zmq::PollItem<'_>], timeout: Option<Duration>) -> zmq::Result<()> {
    // Rounded up: a loop that polled with 0 ms for the last few µs would spin.
    let timeout_ms = timeout.map_or(-1, |wait| i64::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(i64::MAX));
    if is_to_fail(std::thread::current().name().unwrap_or_default()) {
        return Err(zmq::Error::ETERM);
    }
    match zmq::poll(items, timeout_ms) {
        Ok(_) | Err(zmq::Error::EINTR) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The zmq crate panics at a number that it does not know, on the thread that owns the socket.
    #[test]
    fn no_error_number_makes_the_crate_panic() {
        use zmq_sys::errno::{EFSM, STAND_IN, known_to_the_crate};
        for number in (-1..10_000).chain(EFSM - 100..EFSM + 100) {
            let _ = zmq::Error::from_raw(known_to_the_crate(number)).message();
        }
        assert_eq!(known_to_the_crate(zmq_sys::errno::EAGAIN), zmq_sys::errno::EAGAIN);
        // A connection that was reset, a path below a file.
        assert_eq!((known_to_the_crate(104), known_to_the_crate(20)), (STAND_IN, STAND_IN));
    }

    #[test]
    fn an_error_that_the_crate_does_not_know_is_told_as_the_system_tells_it() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let socket = zmq::Context::new().socket(zmq::ROUTER).expect("a socket");
        let below = format!("ipc://{}/socket", file.path().display());
        assert_eq!(bind(&socket, &below), Err("not a directory".to_owned()));
        assert_eq!(bind(&socket, "ipc:///nowhere/at/all"), Err("no such directory".to_owned()));
        // It can be used afterwards.
        bind(&socket, "tcp://127.0.0.1:*").expect("a free port");
    }
}
