//! The signals that end the host, and the one that makes it look at its files.

use super::exit_code::{INTERRUPTED, TERMINATED};
use std::process::exit;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that the host listens to, from the moment this is made.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// SIGINT or SIGTERM: end in order.
    Stop,
    /// SIGHUP: look at all files now.
    Look,
}

impl Signals {
    /// Takes the signals over from their default, which would kill the process.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next signal.
    pub async fn next(&mut self) -> Ask {
        tokio::select! {
            _ = self.interrupt.recv() => Ask::Stop,
            _ = self.terminate.recv() => Ask::Stop,
            _ = self.hangup.recv() => Ask::Look,
        }
    }

    /// The next signal to stop, as the exit code of who ends for it at once. A SIGHUP that comes meanwhile is left to
    /// [`Self::next`].
    pub async fn stop(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPTED,
            _ = self.terminate.recv() => TERMINATED,
        }
    }

    /// Waits for a second signal to stop, and ends the process at once when it comes.
    pub async fn exit_at_second(mut self) {
        exit(self.stop().await.into());
    }
}
