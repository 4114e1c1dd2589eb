//! Waits until files change, by what they hold: a save that changes nothing is no change.
//!
//! Notices of the system say when to look; in case there are none, or one got lost, there is a look every second.

use crate::config::RESCAN_MS;
use crate::plugin::{Fingerprint, digest};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::timeout;
use walkdir::{DirEntry, WalkDir};

/// Editors save in several steps, and all files one after another: a change is over after so long without a notice …
const QUIET: Duration = Duration::from_millis(100);
/// … or when that does not come.
const QUIET_WAIT_MAX: Duration = Duration::from_secs(2);
const RESCAN: Duration = Duration::from_millis(RESCAN_MS);
/// What tools write, wherever it is. What is hidden is left alone too.
const NO_SOURCES: [&str; 3] = ["__pycache__", "node_modules", "target"];
/// What they write right into a guest's folder; further below it may be somebody's work.
const NO_SOURCES_AT_TOP: [&str; 2] = ["bindings", "build"];

/// What to look at.
pub(super) struct Watched {
    pub(super) files: Vec<PathBuf>,
    /// All that is in it, except for what tools write there.
    pub(super) folder: Option<PathBuf>,
}

/// The state of what is watched, and the notices that it may have changed.
pub(super) struct Changes {
    watched: Watched,
    seen: BTreeMap<PathBuf, (Fingerprint, String)>,
    stirred: Arc<Notify>,
    // None where the system gives no notices.
    notices: Option<RecommendedWatcher>,
    directories: BTreeSet<PathBuf>,
}

impl Changes {
    /// Changes from now on.
    pub(super) fn new(watched: Watched) -> Self {
        let stirred = Arc::new(Notify::new());
        let wake = Arc::clone(&stirred);
        let notices = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Looking reads files itself: without this, one look would call for the next.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                wake.notify_one();
            }
        });
        let mut changes =
            Self { watched, seen: BTreeMap::new(), stirred, notices: notices.ok(), directories: BTreeSet::new() };
        changes.look();
        changes
    }

    /// Waits until something differs from what it was when this was last asked.
    pub(super) async fn next(&mut self) {
        while !self.look() {
            // No notice is no news, but for what the system does not tell of.
            if timeout(RESCAN, self.stirred.notified()).await.is_ok() {
                let began = Instant::now();
                while began.elapsed() < QUIET_WAIT_MAX && timeout(QUIET, self.stirred.notified()).await.is_ok() {}
            }
        }
    }

    /// Whether anything differs from what was last seen.
    fn look(&mut self) -> bool {
        // Before the files are read: what changes after that gives a notice.
        self.watch_directories();
        let mut now = BTreeMap::new();
        for path in self.files() {
            let Some(fingerprint) = Fingerprint::of(&path) else { continue };
            let known = self.seen.get(&path).filter(|(seen, _)| *seen == fingerprint).map(|(_, digest)| digest.clone());
            // One that cannot be read now is one that is not there.
            let Some(digest) = known.or_else(|| Some(digest(&std::fs::read(&path).ok()?))) else { continue };
            now.insert(path, (fingerprint, digest));
        }
        let digests = |files: &BTreeMap<PathBuf, (Fingerprint, String)>| -> Vec<_> {
            files.iter().map(|(path, (_, digest))| (path.clone(), digest.clone())).collect()
        };
        let differs = digests(&now) != digests(&self.seen);
        self.seen = now;
        differs
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = self.watched.folder.iter().flat_map(|folder| entries(folder));
        let in_folder = entries.map(DirEntry::into_path).filter(|path| path.is_file());
        self.watched.files.iter().cloned().chain(in_folder).collect()
    }

    /// Asks for notices of the directories that the files are in: a file that is replaced takes its own watch with it.
    fn watch_directories(&mut self) {
        let Some(notices) = &mut self.notices else { return };
        let parent = |file: &PathBuf| Some(std::path::absolute(file).ok()?.parent()?.to_owned());
        let entries = self.watched.folder.iter().flat_map(|folder| entries(folder));
        let folders = entries.filter(|entry| entry.file_type().is_dir()).map(DirEntry::into_path);
        let wanted: BTreeSet<PathBuf> = self.watched.files.iter().filter_map(parent).chain(folders).collect();
        for directory in self.directories.difference(&wanted) {
            // It may be gone already, and its watch with it.
            let _ = notices.unwatch(directory);
        }
        let watched = &self.directories;
        self.directories = wanted
            .into_iter()
            .filter(|directory| {
                watched.contains(directory) || notices.watch(directory, RecursiveMode::NonRecursive).is_ok()
            })
            .collect();
    }
}

/// The folder and all below it that may be somebody's work.
fn entries(folder: &Path) -> impl Iterator<Item = DirEntry> {
    let is_work = |entry: &DirEntry| !is_left_alone(entry.file_name(), entry.depth());
    WalkDir::new(folder).into_iter().filter_entry(is_work).filter_map(Result::ok)
}

fn is_left_alone(name: &OsStr, depth: usize) -> bool {
    let is_in = |names: &[&str]| names.iter().any(|left_alone| name == *left_alone);
    // The folder itself may be called anything.
    depth > 0
        && (name.as_encoded_bytes().starts_with(b".")
            || is_in(&NO_SOURCES)
            || (depth == 1 && is_in(&NO_SOURCES_AT_TOP)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_files_of_the_folder_hold_makes_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("src/lib.rs", "1");
        let mut changes = Changes::new(Watched { files: vec![], folder: Some(folder.path().to_owned()) });
        assert!(!changes.look());
        for (path, text) in [
            ("src/lib.rs", "1"),
            ("target/release/x", "2"),
            ("bindings/plugin.h", "2"),
            ("build/plugin.wasm", "2"),
            (".venv/lib/x.py", "2"),
            ("src/__pycache__/x", "2"),
            ("node_modules/x/index.js", "2"),
            ("src/.lib.rs.swp", "2"),
        ] {
            write(path, text);
            assert!(!changes.look(), "{path}");
        }
        for (path, text) in [("src/lib.rs", "2"), ("src/build/new.rs", ""), ("examples.toml", "3")] {
            write(path, text);
            assert!(changes.look(), "{path}");
            assert!(!changes.look(), "{path}");
        }
        std::fs::remove_file(folder.path().join("examples.toml")).unwrap();
        assert!(changes.look());
    }

    #[tokio::test]
    async fn a_file_that_is_replaced_again_and_again_is_seen_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.wasm");
        let mut changes = Changes::new(Watched { files: vec![file.clone()], folder: None });
        for text in ["1", "2", "3"] {
            let temporary = folder.path().join("x.tmp");
            std::fs::write(&temporary, text).unwrap();
            std::fs::rename(temporary, &file).unwrap();
            timeout(Duration::from_secs(60), changes.next()).await.unwrap();
        }
    }
}
