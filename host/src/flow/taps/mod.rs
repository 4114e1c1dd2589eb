//! Taps: the places at which whoever watches a host sees messages go by. While nobody does, a message costs one load there.

mod passing;
mod watch;

pub use passing::{Passing, Place, Point, Seen, SeenFrame};
pub use watch::{Choice, Watch};

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use watch::Watcher;

/// The taps of a host, which all that hold a clone of it share.
#[derive(Clone, Debug, Default)]
pub struct Taps(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Whether anybody watches. It is all that is looked at where messages go by; a watch that begins is there a moment later.
    is_watched: AtomicBool,
    watchers: Mutex<Watchers>,
}

#[derive(Debug, Default)]
struct Watchers {
    all: Vec<Arc<Watcher>>,
    have_ended: bool,
}

impl Taps {
    /// A message goes by. What is told of it is made up only if somebody watches.
    pub fn see<'a>(&self, passing: impl FnOnce() -> Passing<'a>) {
        if self.0.is_watched.load(Ordering::Relaxed) {
            self.show(&passing());
        }
    }

    #[cold]
    fn show(&self, passing: &Passing<'_>) {
        // Taken out, so that nobody waits for the lock while another message is shown.
        let watchers = self.lock().all.clone();
        watchers.iter().for_each(|watcher| watcher.see(passing));
    }

    /// Watches what goes by until what is returned is dropped; none if so many watch already, or the host ends.
    pub fn watch(&self, choice: Choice, watches_max: usize) -> Option<Watch> {
        let mut watchers = self.lock();
        if watchers.have_ended || watchers.all.len() >= watches_max {
            return None;
        }
        let watcher = Arc::new(Watcher::new(choice));
        watchers.all.push(Arc::clone(&watcher));
        self.0.is_watched.store(true, Ordering::Relaxed);
        Some(Watch::new(watcher, self.clone()))
    }

    /// Ends all watches once they have told what they have seen, and lets none begin.
    pub fn end(&self) {
        let mut watchers = self.lock();
        watchers.have_ended = true;
        watchers.all.iter().for_each(|watcher| watcher.end());
    }

    fn leave(&self, gone: &Arc<Watcher>) {
        let mut watchers = self.lock();
        watchers.all.retain(|watcher| !Arc::ptr_eq(watcher, gone));
        self.0.is_watched.store(!watchers.all.is_empty(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Watchers> {
        self.0.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
