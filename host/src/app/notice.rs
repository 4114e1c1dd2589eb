//! What systemd is told where it started the host: that it is ready, looks at its files, stops.

use sd_notify::NotifyState;
use std::ffi::OsStr;
use std::io::{Error, ErrorKind};
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Where the service manager listens: a path, or `@` and a name that is in no file system.
const SOCKET: &str = "NOTIFY_SOCKET";
const PATIENCE: Duration = Duration::from_secs(1);

/// All is loaded and bound, and what a SIGHUP asked to be looked at has been looked at.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// A SIGHUP has come; [`ready`] has to follow.
pub(super) fn reloading() {
    // Newer versions of systemd want to know since when; without that they would wait for the rest of their patience.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// The drain has begun.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Does nothing where `NOTIFY_SOCKET` is not set. A service manager that does not listen is no reason not to serve.
fn tell(states: &[NotifyState<'_>]) {
    let Some(place) = std::env::var_os(SOCKET) else { return };
    if let Err(error) = send(&place, states) {
        tracing::warn!("telling systemd by NOTIFY_SOCKET {}: {error}", place.display());
    }
}

fn send(place: &OsStr, states: &[NotifyState<'_>]) -> std::io::Result<()> {
    let text: String = states.iter().map(|state| format!("{state}\n")).collect();
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address(place)?)?;
    // A manager that reads nothing must not hold up the host.
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.send(text.as_bytes()).map(drop)
}

fn address(place: &OsStr) -> std::io::Result<SocketAddr> {
    match place.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(place),
        _ => Err(Error::new(ErrorKind::InvalidInput, "it is neither an absolute path nor @ and a name")),
    }
}
