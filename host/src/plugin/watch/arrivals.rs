//! Arrivals: files that the system says are whole, so that nobody has to wait for them to come to rest.

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// Paths that are remembered at a time; more are found by the look that every notice calls for.
const PATHS_MAX: usize = 1_000;

/// How a file came to be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It was moved into place.
    Moved,
    /// Its writer closed it. Another one may go on with it, as those do that write in pieces.
    Closed,
}

/// The paths of which the last notices said so.
#[derive(Default)]
pub(super) struct Arrivals {
    paths: Mutex<BTreeMap<PathBuf, Way>>,
    came: Notify,
}

impl Arrivals {
    /// Takes note of an event, if it is one that ends a change: a rename into place, or that a writer closed the file.
    pub(super) fn hear(&self, event: &Event) {
        let way = match event.kind {
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Way::Moved,
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => Way::Closed,
            _ => return,
        };
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        let room = PATHS_MAX.saturating_sub(paths.len());
        paths.extend(event.paths.iter().take(room).map(|path| (path.clone(), way)));
        drop(paths);
        self.came.notify_one();
    }

    /// Waits for one.
    pub(super) async fn come(&self) {
        self.came.notified().await;
    }

    /// All that came since this was last asked.
    pub(super) fn take(&self) -> BTreeMap<PathBuf, Way> {
        std::mem::take(&mut *self.paths.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::DataChange;

    #[test]
    fn a_file_that_is_being_written_has_not_arrived() {
        let arrivals = Arrivals::default();
        let hear = |kind, path: &str| arrivals.hear(&Event::new(kind).add_path(path.into()));
        hear(EventKind::Modify(ModifyKind::Data(DataChange::Any)), "written");
        hear(EventKind::Access(AccessKind::Close(AccessMode::Read)), "read");
        hear(EventKind::Modify(ModifyKind::Name(RenameMode::From)), "gone");
        assert!(arrivals.take().is_empty());
        hear(EventKind::Access(AccessKind::Close(AccessMode::Write)), "closed");
        hear(EventKind::Modify(ModifyKind::Name(RenameMode::To)), "renamed");
        assert_eq!(arrivals.take(), BTreeMap::from([("closed".into(), Way::Closed), ("renamed".into(), Way::Moved)]));
        for number in 0..2 * PATHS_MAX {
            hear(EventKind::Modify(ModifyKind::Name(RenameMode::To)), &number.to_string());
        }
        assert_eq!(arrivals.take().len(), PATHS_MAX);
    }
}
