//! Waits until files change, by what they hold: a save that changes nothing is no change.

use crate::config::RESCAN_MS;
use crate::plugin::digest;
use crate::system::file_watch::{self, FileWatch, Fingerprint, Notices, Pace};
use crate::system::supervisor::Supervisor;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use walkdir::{DirEntry, WalkDir};

/// Editors save in several steps, and all files one after another: a change is over after so long without another one …
const REST: Duration = Duration::from_millis(100);
/// … or when that does not come.
const REST_WAIT_MAX: Duration = Duration::from_secs(2);
const RESCAN: Duration = Duration::from_millis(RESCAN_MS);
/// What tools write, wherever it is. What is hidden is left alone too.
const NO_SOURCES: [&str; 3] = ["__pycache__", "node_modules", "target"];
/// What they write right into a guest's folder; further below it may be somebody's work.
const NO_SOURCES_AT_TOP: [&str; 2] = ["bindings", "build"];

/// What to look at.
pub(super) struct WatchedSources {
    pub(super) files: Vec<PathBuf>,
    /// All that is in it, except for what tools write there.
    pub(super) folder: Option<PathBuf>,
}

/// Changes of what is watched, for as long as this is there.
pub(super) struct Changes {
    changed: Arc<Notify>,
    _watch: FileWatch,
}

impl Changes {
    /// Changes from now on.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn new(watched: WatchedSources) -> anyhow::Result<Self> {
        let sources = Sources::new(watched);
        let changed = Arc::clone(&sources.changed);
        let part = (&Supervisor::default(), "watch-sources");
        let watch = FileWatch::start(part, Pace { rest: REST, rescan: RESCAN }, sources);
        Ok(Self { changed, _watch: watch.map_err(anyhow::Error::msg)? })
    }

    /// Waits until something has changed since this last returned.
    pub(super) async fn next(&mut self) {
        self.changed.notified().await;
    }
}

/// The files that are watched, as they were at the last look.
struct Sources {
    watched: WatchedSources,
    seen: BTreeMap<PathBuf, Fingerprint>,
    /// The digest of each when they had last come to rest.
    digests: BTreeMap<PathBuf, String>,
    restless_since: Option<Instant>,
    changed: Arc<Notify>,
}

impl Sources {
    fn new(watched: WatchedSources) -> Self {
        let (seen, digests, changed) = (BTreeMap::new(), BTreeMap::new(), Arc::default());
        let mut sources = Self { watched, seen, digests, restless_since: None, changed };
        sources.read();
        sources
    }

    /// Whether any file holds something else than when this was last asked.
    fn read(&mut self) -> bool {
        // One that cannot be read now is one that is not there.
        let digest = |file: PathBuf| Some((digest(&std::fs::read(&file).ok()?), file));
        let now = self.files().filter_map(digest).map(|(digest, file)| (file, digest)).collect();
        let before = std::mem::replace(&mut self.digests, now);
        before != self.digests
    }

    fn files(&self) -> impl Iterator<Item = PathBuf> {
        let in_folder = self.entries().map(DirEntry::into_path).filter(|path| path.is_file());
        self.watched.files.iter().cloned().chain(in_folder)
    }

    fn entries(&self) -> impl Iterator<Item = DirEntry> {
        self.watched.folder.iter().flat_map(|folder| entries(folder))
    }
}

impl file_watch::Watched for Sources {
    fn look(&mut self, notices: &mut Notices) -> bool {
        // Before the files are looked at: what changes after that gives a notice.
        let folders = self.entries().filter(|entry| entry.file_type().is_dir()).map(|folder| folder.path().join("any"));
        notices.follow(self.watched.files.iter().cloned().chain(folders));
        let now = self.files().filter_map(|file| Some((Fingerprint::of(&file)?, file)));
        let now = now.map(|(fingerprint, file)| (file, fingerprint)).collect();
        let at_rest = self.seen == now;
        self.seen = now;
        if !at_rest {
            self.restless_since.get_or_insert_with(Instant::now);
        }
        if self.restless_since.is_some_and(|since| at_rest || since.elapsed() >= REST_WAIT_MAX) {
            self.restless_since = None;
            if self.read() {
                self.changed.notify_one();
            }
        }
        at_rest
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
        let mut sources = Sources::new(WatchedSources { files: vec![], folder: Some(folder.path().to_owned()) });
        assert!(!sources.read());
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
            assert!(!sources.read(), "{path}");
        }
        for (path, text) in [("src/lib.rs", "2"), ("src/build/new.rs", ""), ("examples.toml", "3")] {
            write(path, text);
            assert!(sources.read(), "{path}");
            assert!(!sources.read(), "{path}");
        }
        std::fs::remove_file(folder.path().join("examples.toml")).unwrap();
        assert!(sources.read());
    }

    #[tokio::test]
    async fn a_file_that_is_replaced_again_and_again_is_seen_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.wasm");
        let mut changes = Changes::new(WatchedSources { files: vec![file.clone()], folder: None }).unwrap();
        for text in ["1", "2", "3"] {
            let temporary = folder.path().join("x.tmp");
            std::fs::write(&temporary, text).unwrap();
            std::fs::rename(temporary, &file).unwrap();
            tokio::time::timeout(Duration::from_secs(60), changes.next()).await.unwrap();
        }
    }
}
