//! The system's notices of changed files: for which directories they are requested, and which files they are about.

use super::links::Links;
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Weak;
use std::sync::mpsc::SyncSender;

/// How a file became complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileArrival {
    /// It was moved into place.
    Moved,
    /// Its writer closed it. Another writer may continue it, as tools do that write in pieces.
    Closed,
}

impl FileArrival {
    fn of(event: &Event) -> Option<Self> {
        match event.kind {
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Some(Self::Moved),
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Self::Closed),
            _ => None,
        }
    }
}

/// The notices of the directories on the paths to the followed files.
pub(crate) struct Notices {
    /// None if the system gives no notices.
    watcher: Option<RecommendedWatcher>,
    /// The directories that are watched, with device and inode: one that was replaced has lost its watch.
    watched: BTreeMap<PathBuf, (u64, u64)>,
    /// Which files each entry of a directory leads to.
    leads_to: HashMap<PathBuf, Vec<PathBuf>>,
}

impl Notices {
    /// Sends notices to the listener as long as it exists.
    pub(super) fn new(listener: Weak<SyncSender<Event>>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error means that some notices were lost: it is passed on as an event of unspecified kind.
            let event = event.unwrap_or_default();
            // Looking opens files and directories itself: without this filter, each look would cause the next.
            let only_read = matches!(event.kind, EventKind::Access(_)) && FileArrival::of(&event).is_none();
            if let Some(listener) = listener.upgrade().filter(|_| !only_read) {
                let _ = listener.try_send(event);
            }
        });
        if let Err(error) = &watcher {
            tracing::warn!(%error, "no notices of changed files; looking at them now and then instead");
        }
        Self { watcher: watcher.ok(), watched: BTreeMap::new(), leads_to: HashMap::new() }
    }

    /// Requests notices of these files, and of no others: of every directory with an entry that leads to one of them. A
    /// file need not exist; a directory is followed by the path of any file in it.
    pub(crate) fn follow(&mut self, files: impl IntoIterator<Item = PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        let mut links = Links::default();
        self.leads_to.clear();
        for file in files {
            for entry in links.entries_to(&file) {
                self.leads_to.entry(entry).or_default().push(file.clone());
            }
        }
        let directory = |entry: &PathBuf| {
            let directory = entry.parent()?;
            let metadata = std::fs::metadata(directory).ok()?;
            Some((directory.to_owned(), (metadata.dev(), metadata.ino())))
        };
        let mut wanted: BTreeMap<_, _> = self.leads_to.keys().filter_map(directory).collect();
        let watched = std::mem::take(&mut self.watched);
        for (directory, _) in watched.iter().filter(|(directory, number)| wanted.get(*directory) != Some(number)) {
            // It may be gone already, and its watch with it.
            let _ = watcher.unwatch(directory);
        }
        // A directory that cannot be watched now is tried again at the next look.
        wanted.retain(|directory, number| {
            watched.get(directory) == Some(number) || watcher.watch(directory, RecursiveMode::NonRecursive).is_ok()
        });
        self.watched = wanted;
    }

    /// The followed files that an event reports as complete.
    pub(super) fn arrived(&self, event: &Event) -> Vec<(PathBuf, FileArrival)> {
        let Some(arrival) = FileArrival::of(event) else { return Vec::new() };
        let files = event.paths.iter().filter_map(|entry| self.leads_to.get(entry)).flatten();
        files.map(|file| (file.clone(), arrival)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::DataChange;
    use std::sync::Arc;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn a_file_that_is_being_written_has_not_arrived() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().canonicalize().unwrap().join("file");
        let (listener, _events) = sync_channel(1);
        let mut notices = Notices::new(Arc::downgrade(&Arc::new(listener)));
        notices.follow([file.clone()]);
        let arrived = |kind| notices.arrived(&Event::new(kind).add_path(file.clone()).add_path("other".into()));
        for kind in [
            EventKind::Modify(ModifyKind::Data(DataChange::Any)),
            EventKind::Access(AccessKind::Close(AccessMode::Read)),
            EventKind::Modify(ModifyKind::Name(RenameMode::From)),
        ] {
            assert_eq!(arrived(kind), []);
        }
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        assert_eq!(arrived(closed), [(file.clone(), FileArrival::Closed)]);
        let moved = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        assert_eq!(arrived(moved), [(file.clone(), FileArrival::Moved)]);
    }
}
