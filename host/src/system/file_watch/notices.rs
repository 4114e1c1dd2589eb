//! The system's notices of changed files: which directories they are asked for, and which files they speak of.

use super::links::Links;
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Weak;
use std::sync::mpsc::SyncSender;

/// How a file came to be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileArrival {
    /// It was moved into place.
    Moved,
    /// Its writer closed it. Another one may go on with it, as those do that write in pieces.
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

/// Notices of the directories that lead to the files which are followed.
pub(crate) struct Notices {
    // None where the system gives no notices.
    watcher: Option<RecommendedWatcher>,
    /// The directories that are watched, with device and inode: one that was replaced has lost its watch.
    watched: BTreeMap<PathBuf, (u64, u64)>,
    /// Which files each entry of a directory leads to.
    leads_to: HashMap<PathBuf, Vec<PathBuf>>,
}

impl Notices {
    /// Has them sent for as long as somebody listens.
    pub(super) fn new(listener: Weak<SyncSender<Event>>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error says that some were lost.
            let event = event.unwrap_or_default();
            // Looking opens files and directories itself: without this, one look would call for the next.
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

    /// Asks for notices of these files, and of no others: of every directory that an entry on the way to one of them is in. A
    /// file need not be there; a directory is followed by the path of any file in it.
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

    /// The followed files of which an event says that they are whole.
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
