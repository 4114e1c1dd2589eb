//! Watch: loads again what changed on disk, and finds new files in a scanned directory.
//!
//! The system's notices only say *when* to look, and of some files that they are whole. Whether a file changed is read off
//! the file itself, and a look comes every second in any case: notices are lost on network file systems and when a parent
//! directory is replaced.

pub(crate) mod poll;

mod arrivals;
mod way;

use super::load::fingerprint::Fingerprint;
use super::load::sources::scan;
use super::slot::slots::Slots;
use super::slot::{Cause, Slot};
use crate::config::{RESCAN_MS, SETTLE_MS};
use arrivals::{Arrivals, Way};
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::sleep;
use way::Links;

const RESCAN: Duration = Duration::from_millis(RESCAN_MS);
const SETTLE: Duration = Duration::from_millis(SETTLE_MS);

/// Looks at the files of all slots.
pub struct Watch {
    slots: Arc<Slots>,
    scanned: Option<PathBuf>,
    stirred: Arc<Notify>,
    arrivals: Arc<Arrivals>,
    seen: BTreeMap<String, Seen>,
    complaints: BTreeSet<String>,
    // None where the system gives no notices; then the look of every second has to do.
    notices: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    /// Which slots' files each entry of a directory leads to, as of the last look.
    leads_to: HashMap<PathBuf, Vec<String>>,
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

impl Watch {
    /// A watch over the files of `slots`, and for new ones in the `scanned` directory. Whoever notifies `stirred`
    /// makes it look at once.
    pub fn new(slots: Arc<Slots>, scanned: Option<PathBuf>, stirred: Arc<Notify>) -> Self {
        let arrivals = Arc::new(Arrivals::default());
        let (wake, arrived) = (Arc::clone(&stirred), Arc::clone(&arrivals));
        let notices = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if let Ok(event) = &event {
                arrived.hear(event);
            }
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
            arrivals,
            seen: BTreeMap::new(),
            complaints: BTreeSet::new(),
            notices,
            watched: BTreeSet::new(),
            leads_to: HashMap::new(),
        };
        watch.watch_directories();
        watch
    }

    /// Looks for ever.
    pub async fn run(mut self) {
        loop {
            // Off the runtime's threads: a thousand files take some milliseconds.
            let looked = tokio::task::spawn_blocking(move || {
                let all_settled = self.look();
                (self, all_settled)
            });
            let Ok((watch, all_settled)) = looked.await else {
                tracing::error!("looking at the plugins' files panicked; changes of them are seen no more");
                return;
            };
            self = watch;
            if all_settled {
                self.wait(RESCAN, true).await;
            }
            // Also after a notice: a file that is being written gives many of them.
            self.wait(SETTLE, false).await;
        }
    }

    /// Waits, and meanwhile loads what arrives. `ends_early` lets any other notice end the wait.
    async fn wait(&mut self, length: Duration, ends_early: bool) {
        let mut over = pin!(sleep(length));
        loop {
            tokio::select! {
                () = self.arrivals.come() => self.look_at_arrivals(),
                () = self.stirred.notified(), if ends_early => return,
                () = &mut over => return,
            }
        }
    }

    /// Looks at every file once and loads those that changed and have come to rest. False while one has not.
    fn look(&mut self) -> bool {
        self.look_for_new_files();
        self.slots.return_changed();
        self.watch_directories();
        let mut all_settled = true;
        let slots = self.slots.all();
        let names: BTreeSet<&str> = slots.iter().map(|slot| slot.name()).collect();
        self.seen.retain(|name, _| names.contains(name.as_str()));
        for slot in &slots {
            // What comes from a registry has no file to look at.
            if slot.file().is_some() {
                all_settled &= self.look_at(slot);
            }
        }
        all_settled
    }

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

    /// Loads at once what the system says is whole. A file that comes again and again is left to the look at all of them,
    /// which takes its time.
    fn look_at_arrivals(&mut self) {
        for (path, way) in self.arrivals.take() {
            for name in self.leads_to.get(&path).into_iter().flatten() {
                let Some(slot) = self.slots.get(name) else { continue };
                let seen = self.seen_of(&slot);
                let file = slot.file().and_then(Fingerprint::of);
                let moved = file.filter(|_| way == Way::Moved);
                let known = seen.is_some_and(|seen| seen.file == file && seen.settled);
                let lately = seen.and_then(|seen| seen.arrived).is_some_and(|arrived| arrived.elapsed() < SETTLE);
                if file.is_none() || known {
                    continue;
                }
                if !lately {
                    self.load(&slot, if moved.is_some() { Cause::Arrived } else { Cause::Noticed });
                    let (of, arrived) = (Arc::downgrade(&slot), Some(Instant::now()));
                    let seen = Seen { of, file, settled: true, ever: true, arrived, moved };
                    self.seen.insert(name.clone(), seen);
                } else if let Some(seen) = self.seen.get_mut(name) {
                    seen.moved = moved;
                }
            }
        }
    }

    /// Starts a load; a slow one holds back no other slot.
    fn load(&self, slot: &Arc<Slot>, cause: Cause) {
        let (slots, slot) = (Arc::clone(&self.slots), Arc::clone(slot));
        tokio::spawn(async move { slots.load_in_time(&slot, cause).await });
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
        // Of what is mended nothing is remembered.
        self.complaints = complaints.into_iter().collect();
    }

    /// Looks up the way to every file, and asks for notices of every directory that it leads through.
    fn watch_directories(&mut self) {
        let Some(notices) = &mut self.notices else { return };
        let mut links = Links::default();
        self.leads_to.clear();
        for slot in self.slots.all() {
            let way = slot.file().map(|file| links.way_to(file));
            for entry in way.into_iter().flatten() {
                self.leads_to.entry(entry).or_default().push(slot.name().to_owned());
            }
        }
        let directory = |entry: &PathBuf| entry.parent().map(Path::to_owned);
        let mut wanted: BTreeSet<PathBuf> = self.leads_to.keys().filter_map(directory).collect();
        if let Some(scanned) = &self.scanned {
            wanted.extend(links.way_to(&scanned.join("any")).iter().filter_map(directory));
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
