//! What systemd is told where it started the host: that it is ready, looks at its files, stops.

use sd_notify::NotifyState;

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
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("telling systemd by NOTIFY_SOCKET: {error}");
    }
}
