//! A file watch: a thread that looks at files when the system says that they changed, and now and then in any case.
//!
//! The system's notices only say *when* to look, and of some files that they are whole. Whether a file changed is read off the
//! file itself, by its [`Fingerprint`]: network file systems give no notices, and some are lost where a directory is replaced.
//! A file has come to rest once two looks find it the same, which are a while apart. Nobody else has to touch the files, so a
//! file system that hangs holds up this thread alone.

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

/// Notices that wait for the thread. More are not needed: after those that wait it looks at all files.
const NOTICES_MAX: usize = 1_000;

/// What is looked at.
pub(crate) trait Watched: Send + 'static {
    /// Looks at all of it, and says which files to give notices of. Returns whether everything is as the look before found it.
    fn look(&mut self, notices: &mut Notices) -> bool;

    /// A file that is followed is whole, says the system. A look at all of them comes in any case.
    fn arrived(&mut self, _file: &Path, _arrival: FileArrival) {}
}

/// How often is looked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The least time between two looks, and the next one's time while not everything has come to rest.
    pub(crate) rest: Duration,
    /// How long nobody looks without a notice.
    pub(crate) rescan: Duration,
}

/// The handle of the thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct FileWatch {
    /// Nobody else keeps the channel open.
    notices: Arc<SyncSender<Event>>,
}

impl FileWatch {
    /// Starts the thread, which is a part of that name.
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

    /// Calls for a look now.
    pub(crate) fn stir(&self) {
        // Where as many notices wait as may, there will be one.
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
        // However many notices there are, the look comes.
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
