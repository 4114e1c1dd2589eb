//! Watch: loads again what changed on disk, and finds new files in a scanned directory.

pub(crate) mod poll;

use super::load::sources::scan;
use super::slot::slots::Slots;
use super::slot::{Cause, Slot};
use crate::config::{RESCAN_MS, SETTLE_MS};
use crate::system::file_watch::{FileArrival, FileWatch, Fingerprint, Notices, Pace, Watched};
use crate::system::supervisor::Supervisor;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

const RESCAN: Duration = Duration::from_millis(RESCAN_MS);
const SETTLE: Duration = Duration::from_millis(SETTLE_MS);

/// The watch over the files of all slots. It ends when this is dropped.
pub struct Watch(FileWatch);

impl Watch {
    /// Starts to look at the files of `slots`, and for new ones in the `scanned` directory. What changed is loaded on
    /// the runtime that this is called on.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(slots: Arc<Slots>, scanned: Option<PathBuf>, supervisor: &Supervisor) -> Result<Self, String> {
        let runtime = Handle::current();
        let files = PluginFiles { slots, scanned, runtime, seen: BTreeMap::new(), complaints: BTreeSet::new() };
        FileWatch::start((supervisor, "watch-plugins"), Pace { rest: SETTLE, rescan: RESCAN }, files).map(Self)
    }

    /// Looks at once.
    pub fn stir(&self) {
        self.0.stir();
    }
}

/// The files of all slots.
struct PluginFiles {
    slots: Arc<Slots>,
    scanned: Option<PathBuf>,
    runtime: Handle,
    seen: BTreeMap<String, Seen>,
    complaints: BTreeSet<String>,
}

/// What was last seen of one slot's file.
struct Seen {
    of: Weak<Slot>,
    file: Option<Fingerprint>,
    /// Whether it was loaded (or refused) in this state.
    settled: bool,
    /// Whether there ever was a file: a plugin that came by an admin call may have none.
    ever: bool,
    /// When it was last loaded on arrival.
    arrived: Option<Instant>,
    /// The state in which it was last moved into place, and is whole.
    moved: Option<Fingerprint>,
}

impl Watched for PluginFiles {
    /// Loads what changed and has come to rest.
    fn look(&mut self, notices: &mut Notices) -> bool {
        self.look_for_new_files();
        self.slots.return_changed();
        let slots = self.slots.all();
        // What comes from a registry has no file to look at.
        let files = slots.iter().filter_map(|slot| slot.file().map(Path::to_owned));
        notices.follow(files.chain(self.scanned.as_ref().map(|directory| directory.join("any"))));
        let names: BTreeSet<&str> = slots.iter().map(|slot| slot.name()).collect();
        self.seen.retain(|name, _| names.contains(name.as_str()));
        let mut all_settled = true;
        for slot in slots.iter().filter(|slot| slot.file().is_some()) {
            all_settled &= self.look_at(slot);
        }
        all_settled
    }

    /// Loads it at once. A file that comes again and again is left to the look at all of them, which takes its time.
    fn arrived(&mut self, path: &Path, arrival: FileArrival) {
        for slot in self.slots.all().iter().filter(|slot| slot.file() == Some(path)) {
            let seen = self.seen_of(slot);
            let file = Fingerprint::of(path);
            let moved = file.filter(|_| arrival == FileArrival::Moved);
            let known = seen.is_some_and(|seen| seen.file == file && seen.settled);
            let lately = seen.and_then(|seen| seen.arrived).is_some_and(|arrived| arrived.elapsed() < SETTLE);
            if file.is_none() || known {
                continue;
            }
            if !lately {
                self.load(slot, if moved.is_some() { Cause::Arrived } else { Cause::Noticed });
                let (of, arrived) = (Arc::downgrade(slot), Some(Instant::now()));
                let seen = Seen { of, file, settled: true, ever: true, arrived, moved };
                self.seen.insert(slot.name().to_owned(), seen);
            } else if let Some(seen) = self.seen.get_mut(slot.name()) {
                seen.moved = moved;
            }
        }
    }
}

impl PluginFiles {
    fn look_at(&mut self, slot: &Arc<Slot>) -> bool {
        let file = slot.file().and_then(Fingerprint::of);
        let seen = self.seen_of(slot);
        // What was handed in under a new name stays until the file changes that is there already.
        let handed_in = seen.is_none() && slot.was_handed_in_beside(file);
        let at_rest = handed_in || seen.is_some_and(|seen| seen.file == file);
        let settled = handed_in || (at_rest && seen.is_some_and(|seen| seen.settled));
        let ever = file.is_some() || seen.is_some_and(|seen| seen.ever);
        let (arrived, moved) = seen.map_or((None, None), |seen| (seen.arrived, seen.moved));
        if at_rest && !settled {
            match file {
                Some(_) => self.load(slot, if moved == file { Cause::Arrived } else { Cause::Noticed }),
                None => self.gone(slot, ever),
            }
        }
        let of = Arc::downgrade(slot);
        self.seen.insert(slot.name().to_owned(), Seen { of, file, settled: at_rest, ever, arrived, moved });
        at_rest
    }

    /// What was seen of the file of this slot; what was seen for one that had the name before it says nothing of it.
    fn seen_of(&self, slot: &Arc<Slot>) -> Option<&Seen> {
        self.seen.get(slot.name()).filter(|seen| std::ptr::eq(seen.of.as_ptr(), Arc::as_ptr(slot)))
    }

    /// Starts a load; a slow one holds back no other slot.
    fn load(&self, slot: &Arc<Slot>, cause: Cause) {
        let (slots, slot) = (Arc::clone(&self.slots), Arc::clone(slot));
        self.runtime.spawn(async move { slots.load_in_time(&slot, cause).await });
    }

    /// A file that is gone takes nothing with it that serves; `ever` is whether there was one.
    fn gone(&self, slot: &Arc<Slot>, ever: bool) {
        let source = slot.source();
        if slot.roles().is_none() && self.slots.forget(slot) {
            tracing::info!(plugin = slot.name(), %source, "forgotten: the file is gone, and nothing of it serves");
        } else if ever {
            tracing::warn!(plugin = slot.name(), %source, "the file is gone; what served before serves on");
        }
    }

    fn look_for_new_files(&mut self) {
        let Some(directory) = &self.scanned else { return };
        // A directory that is away for a moment comes back.
        let Ok((sources, complaints)) = scan(directory) else { return };
        self.slots.add_all(sources);
        for complaint in complaints.iter().filter(|complaint| !self.complaints.contains(*complaint)) {
            tracing::error!("{complaint}");
        }
        // A complaint that no longer holds is forgotten, and logged again if it returns.
        self.complaints = complaints.into_iter().collect();
    }
}
