//! Signals for commands that work step by step: they end, or stop for a while, between two steps, and end at once if asked
//! again.

use super::exit_code::INTERRUPTED;
use futures_util::future::select_all;
use rustix::process::Signal;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TrySendError};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Says whether the user wants an end.
#[derive(Debug)]
pub(crate) struct Interrupt(Receiver<()>);

impl Interrupt {
    /// From now on the first signal ends nothing by itself, and the second one the process.
    ///
    /// # Errors
    /// When the system gives no thread, or does not let us listen.
    pub(crate) fn listen() -> io::Result<Self> {
        Self::listen_to([SignalKind::interrupt(), SignalKind::terminate()])
    }

    /// The same for who has changed how the terminal is: it is to be as it was whichever of the keyboard's signals comes,
    /// or if the terminal hangs up.
    ///
    /// # Errors
    /// As [`Self::listen`].
    pub(crate) fn listen_with_terminal() -> io::Result<Self> {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
        Self::listen_to(kinds)
    }

    fn listen_to<const N: usize>(kinds: [SignalKind; N]) -> io::Result<Self> {
        let (tell, told) = mpsc::channel();
        let mut count = 0;
        each_of(kinds, move || {
            count += 1;
            if count > 1 {
                std::process::exit(INTERRUPTED.into());
            }
            tell.send(()).is_ok()
        })?;
        Ok(Self(told))
    }

    /// Waits this long, or until the user wants an end, and says whether it is wanted.
    pub(crate) fn comes_within(&self, wait: Duration) -> bool {
        !matches!(self.0.recv_timeout(wait), Err(RecvTimeoutError::Timeout))
    }
}

/// Says whether the user wants the process to stop for a while, as Ctrl-Z does.
#[derive(Debug)]
pub(crate) struct StopRequests(Receiver<()>);

impl StopRequests {
    /// From now on SIGTSTP stops nothing by itself.
    ///
    /// # Errors
    /// As [`Interrupt::listen`].
    pub(crate) fn listen() -> io::Result<Self> {
        // Several before the process has stopped are one.
        let (tell, told) = mpsc::sync_channel(1);
        each_of([SignalKind::from_raw(Signal::TSTP.as_raw())], move || {
            !matches!(tell.try_send(()), Err(TrySendError::Disconnected(())))
        })?;
        Ok(Self(told))
    }

    /// Whether there was one.
    pub(crate) fn is_there(&self) -> bool {
        self.0.try_recv().is_ok()
    }
}

/// Calls `come` for each signal of these kinds, in a thread, for as long as it returns true.
fn each_of<const N: usize>(kinds: [SignalKind; N], mut come: impl FnMut() -> bool + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut listening = {
        let _context = runtime.enter();
        kinds.into_iter().map(signal).collect::<io::Result<Vec<_>>>()?
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            loop {
                select_all(listening.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
                if !come() {
                    return;
                }
            }
        });
    })?;
    Ok(())
}
