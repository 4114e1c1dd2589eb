//! Arrivals: files that the system says are whole, so that nobody has to wait for them to come to rest.

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// Paths that are remembered at a time; more are found by the look that every notice calls for.
const PATHS_MAX: usize = 1_000;

/// The paths of which the last notices said so.
#[derive(Default)]
pub(super) struct Arrivals {
    paths: Mutex<BTreeSet<PathBuf>>,
    came: Notify,
}

impl Arrivals {
    /// Takes note of an event, if it is one that ends a change: a rename into place, or that a writer closed the file.
    pub(super) fn hear(&self, event: &Event) {
        let arrived = matches!(
            event.kind,
            EventKind::Modify(ModifyKind::Name(RenameMode::To))
                | EventKind::Access(AccessKind::Close(AccessMode::Write))
        );
        if arrived {
            let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
            let room = PATHS_MAX.saturating_sub(paths.len());
            paths.extend(event.paths.iter().take(room).cloned());
            drop(paths);
            self.came.notify_one();
        }
    }

    /// Waits for one.
    pub(super) async fn come(&self) {
        self.came.notified().await;
    }

    /// All that came since this was last asked.
    pub(super) fn take(&self) -> BTreeSet<PathBuf> {
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
        assert_eq!(arrivals.take(), BTreeSet::from(["closed".into(), "renamed".into()]));
        for number in 0..2 * PATHS_MAX {
            hear(EventKind::Modify(ModifyKind::Name(RenameMode::To)), &number.to_string());
        }
        assert_eq!(arrivals.take().len(), PATHS_MAX);
    }
}
