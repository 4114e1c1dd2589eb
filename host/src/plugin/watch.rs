//! Watch: loads again what changed on disk, and finds new files in a scanned directory.
//!
//! The system's notices only say *when* to look. Whether a file changed is read off the file itself, and a look comes
//! every second in any case: notices are lost on network file systems and when a parent directory is replaced.

use super::slot::Slot;
use super::slots::{Slots, scan};
use crate::config::{RESCAN_MS, SETTLE_MS};
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::sleep;

/// How many symbolic links one path may go through, as in the system's own lookup.
const LINKS_MAX: usize = 40;

/// Looks at the files of all slots.
pub struct Watch {
    slots: Arc<Slots>,
    scanned: Option<PathBuf>,
    stirred: Arc<Notify>,
    seen: BTreeMap<String, Seen>,
    complaints: BTreeSet<String>,
    // None where the system gives no notices; then the look of every second has to do.
    notices: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
}

/// What was last seen of one slot's file.
struct Seen {
    file: Option<Fingerprint>,
    /// Whether it was loaded (or refused) in this state.
    settled: bool,
    /// Whether there ever was a file: a plugin that came by an admin call may have none.
    ever: bool,
}

/// What tells one state of a file from another without reading it. Only a hint: the digest decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fingerprint {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Fingerprint {
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

impl Watch {
    /// A watch over the files of `slots`, and for new ones in the `scanned` directory. Whoever notifies `stirred`
    /// makes it look at once.
    pub fn new(slots: Arc<Slots>, scanned: Option<PathBuf>, stirred: Arc<Notify>) -> Self {
        let wake = Arc::clone(&stirred);
        let notices = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Looking opens files and directories itself: without this, one look would call for the next.
            let only_read = matches!(&event, Ok(event) if is_read(event.kind));
            if !only_read {
                wake.notify_one();
            }
        });
        if let Err(error) = &notices {
            tracing::warn!(%error, "no notices of changed files; looking every {RESCAN_MS} ms instead");
        }
        let notices = notices.ok();
        let mut watch = Self {
            slots,
            scanned,
            stirred,
            seen: BTreeMap::new(),
            complaints: BTreeSet::new(),
            notices,
            watched: BTreeSet::new(),
        };
        watch.watch_directories();
        watch
    }

    /// Looks for ever.
    pub async fn run(mut self) {
        loop {
            let all_settled = self.look();
            if all_settled {
                tokio::select! {
                    () = self.stirred.notified() => {}
                    () = sleep(Duration::from_millis(RESCAN_MS)) => {}
                }
            }
            // Also after a notice: a file that is being written gives many of them.
            sleep(Duration::from_millis(SETTLE_MS)).await;
        }
    }

    /// Looks at every file once and loads those that changed and have come to rest. False while one has not.
    fn look(&mut self) -> bool {
        self.look_for_new_files();
        self.watch_directories();
        let mut all_settled = true;
        for slot in self.slots.all() {
            let file = Fingerprint::of(slot.source());
            let seen = self.seen.get(slot.name());
            let at_rest = seen.is_some_and(|seen| seen.file == file);
            let settled = at_rest && seen.is_some_and(|seen| seen.settled);
            let ever = file.is_some() || seen.is_some_and(|seen| seen.ever);
            if at_rest && !settled && ever {
                self.load(slot.clone(), file.is_some());
            }
            all_settled &= at_rest;
            self.seen.insert(slot.name().to_owned(), Seen { file, settled: at_rest, ever });
        }
        all_settled
    }

    /// Starts a load; a slow one holds back no other slot, and loads of one slot queue up in the slot.
    fn load(&self, slot: Arc<Slot>, exists: bool) {
        if exists {
            let slots = Arc::clone(&self.slots);
            tokio::spawn(async move { slots.load(&slot, false).await });
        } else {
            let source = slot.source().display();
            tracing::warn!(plugin = slot.name(), %source, "the file is gone; what served before serves on");
        }
    }

    fn look_for_new_files(&mut self) {
        let Some(directory) = &self.scanned else { return };
        // A directory that is away for a moment comes back.
        let Ok((sources, complaints)) = scan(directory) else { return };
        for source in sources {
            self.slots.add(source);
        }
        for complaint in complaints {
            if self.complaints.insert(complaint.clone()) {
                tracing::error!("{complaint}");
            }
        }
    }

    /// Asks for notices of every directory through which a file's path leads.
    fn watch_directories(&mut self) {
        let Some(notices) = &mut self.notices else { return };
        let mut wanted: BTreeSet<PathBuf> =
            self.slots.all().iter().flat_map(|slot| directories_of(slot.source())).collect();
        if let Some(directory) = &self.scanned {
            wanted.extend(directories_of(&directory.join("any")));
        }
        for directory in self.watched.difference(&wanted) {
            // It may be gone already, and its watch with it.
            let _ = notices.unwatch(directory);
        }
        let watched = &self.watched;
        // A directory that cannot be watched now is tried again at the next look.
        self.watched = wanted
            .into_iter()
            .filter(|directory| {
                watched.contains(directory) || notices.watch(directory, RecursiveMode::NonRecursive).is_ok()
            })
            .collect();
    }
}

fn is_read(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

/// The directory of a file, and of every symbolic link on the way to it: replacing any of these entries replaces the
/// file.
fn directories_of(file: &Path) -> BTreeSet<PathBuf> {
    let mut directories = BTreeSet::new();
    let Ok(mut path) = std::path::absolute(file) else { return directories };
    'links: for _ in 0..LINKS_MAX {
        for prefix in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
            let Ok(target) = std::fs::read_link(prefix) else { continue };
            let parent = prefix.parent().unwrap_or(Path::new("/"));
            directories.insert(parent.to_owned());
            let rest = path.strip_prefix(prefix).unwrap_or(Path::new(""));
            // An absolute target replaces the parent; an empty rest would add a slash.
            path = if rest.as_os_str().is_empty() { parent.join(target) } else { parent.join(target).join(rest) };
            continue 'links;
        }
        break;
    }
    directories.extend(path.parent().map(Path::to_owned));
    directories
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn every_directory_whose_entry_leads_to_the_file_is_watched() {
        let root = tempfile::tempdir().unwrap();
        // As Kubernetes mounts a volume: plugins/x.wasm -> ..data/x.wasm, ..data -> ..1
        let root = root.path().canonicalize().unwrap();
        let plugins = root.join("plugins");
        std::fs::create_dir_all(plugins.join("..1")).unwrap();
        symlink("..1", plugins.join("..data")).unwrap();
        symlink("..data/x.wasm", plugins.join("x.wasm")).unwrap();
        symlink(&plugins, root.join("current")).unwrap();

        let found = directories_of(&root.join("current/x.wasm"));
        assert_eq!(found, BTreeSet::from([root.clone(), plugins.clone(), plugins.join("..1")]));
    }

    #[test]
    fn a_circle_of_links_ends() {
        let root = tempfile::tempdir().unwrap();
        symlink("b", root.path().join("a")).unwrap();
        symlink("a", root.path().join("b")).unwrap();
        assert!(directories_of(&root.path().join("a")).len() <= 2);
    }
}
