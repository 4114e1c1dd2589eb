//! SIGINT and SIGTERM for commands that work step by step: they end between two steps, and at once if asked again.

use super::exit_code::INTERRUPTED;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
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
        let (tell, told) = mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listening = {
            let _context = runtime.enter();
            [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?]
        };
        std::thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
            runtime.block_on(async {
                let [mut interrupt, mut terminate] = listening;
                for _ in 0..2 {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                    if tell.send(()).is_err() {
                        return;
                    }
                }
                std::process::exit(INTERRUPTED.into());
            });
        })?;
        Ok(Self(told))
    }

    /// Waits this long, or until the user wants an end, and says whether it is wanted.
    pub(crate) fn comes_within(&self, wait: Duration) -> bool {
        !matches!(self.0.recv_timeout(wait), Err(RecvTimeoutError::Timeout))
    }
}
