//! A file watch: a thread that looks at files when the system reports changes, and at intervals in any case.
//!
//! The system's notices only say *when* to look, and for some files that they are complete. Whether a file changed is
//! decided by its [`Fingerprint`]: network file systems give no notices, and some notices are lost when a directory is
//! replaced. A file is at rest once two looks, some time apart, found it the same. No other thread touches the files,
//! so a file system that hangs blocks this thread alone.

mod fingerprint;
mod links;
mod notices;

pub use fingerprint::Fingerprint;
pub(crate) use notices::{FileArrival, Notices};

use super::fail_point::is_to_fail;
use super::supervisor::Supervisor;
use notify::{Event, EventKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// How many notices may wait for the thread. More are not needed, since it looks at all files after those that wait.
const NOTICES_MAX: usize = 1_000;

/// What a watch looks at.
pub(crate) trait Watched: Send + 'static {
    /// Looks at all files, and says which of them to give notices of. Returns whether all are as the look before found
    /// them.
    fn look(&mut self, notices: &mut Notices) -> bool;

    /// The system reports that a followed file is complete. A look at all files follows in any case.
    fn arrived(&mut self, _file: &Path, _arrival: FileArrival) {}
}

/// The intervals between looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The least time between two looks, and the time until the next one while not all files are at rest.
    pub(crate) rest: Duration,
    /// The time until the next look if there is no notice.
    pub(crate) rescan: Duration,
}

/// The handle of the thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct FileWatch {
    /// The only strong reference to the sender: the channel closes when it is dropped.
    notices: Arc<SyncSender<Event>>,
}

impl FileWatch {
    /// Starts the thread, as a part with this name.
    ///
    /// # Errors
    /// When the system gives no thread, in one line.
    pub(crate) fn start(
        (supervisor, part): (&Supervisor, &'static str),
        pace: Pace,
        watched: impl Watched,
    ) -> Result<Self, String> {
        let (sender, received) = sync_channel(NOTICES_MAX);
        let sender = Arc::new(sender);
        let notices = Notices::new(Arc::downgrade(&sender));
        let started = supervisor.thread(part, move || run(part, watched, pace, notices, &received));
        started.map_err(|error| format!("starting {part}: {error}"))?;
        Ok(Self { notices: sender })
    }

    /// Makes the thread look soon, without a notice.
    pub(crate) fn stir(&self) {
        // If the channel is full, a look is due anyway.
        let _ = self.notices.try_send(Event::new(EventKind::Any));
    }
}

/// Looks until the handle has gone.
fn run(
    part: &str,
    mut watched: impl Watched,
    pace: Pace,
    mut notices: Notices,
    received: &Receiver<Event>,
) -> Result<(), String> {
    loop {
        if is_to_fail(part) {
            return Err("a test has asked for it".to_owned());
        }
        let at_rest = watched.look(&mut notices);
        let looked = Instant::now();
        let mut due = looked + if at_rest { pace.rescan } else { pace.rest };
        let mut received_count = 0;
        // A flood of notices must not put off the look without end.
        while received_count < NOTICES_MAX || Instant::now() < due {
            match received.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(event) => {
                    received_count += 1;
                    due = looked + pace.rest;
                    for (file, arrival) in notices.arrived(&event) {
                        watched.arrived(&file, arrival);
                    }
                }
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests;
