//! How a slot gets what it serves: from its source, or from what someone hands in.
//!
//! Whoever hands a component in waits for no load of the source: reading, pulling and compiling change nothing, and the
//! swap at the end compares. What was asked for earlier and is done later does not undo what was asked for later.

mod newcomer;
mod unfinished;

use super::Slot;
use super::condemned::Condemnation;
use crate::flow::ServedBy;
use crate::plugin::load::LoadError;
use crate::plugin::load::candidate::Candidate;
use crate::plugin::load::engine::Engine;
use crate::plugin::load::turn::Turn;
use crate::system::file_watch::Fingerprint;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::{Mutex, MutexGuard};
use unfinished::until_finished;

/// Why a source is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Someone wants it: whatever is there is tried.
    Asked,
    /// As [`Asked`](Self::Asked), and it is wanted that it answers otherwise than what serves.
    AskedToDiffer,
    /// A file was moved into place, whole. Bytes that were last read are left alone, and those that were rolled back
    /// are refused: so a stray file event never undoes what was done on purpose, and a bad file is complained of once.
    Arrived,
    /// The file may have changed. As [`Arrived`](Self::Arrived), but a file that is still being written is waited for,
    /// and one that is gone is no error.
    Noticed,
    /// The host starts. As [`Noticed`](Self::Noticed), but a file that is not there is an error.
    Started,
}

/// How a component is handed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Put {
    /// It becomes the content of the plugin's source.
    pub persist: bool,
    /// It is wanted that it answers otherwise than what serves.
    pub expects_difference: bool,
}

impl Cause {
    /// Whether someone wants the load.
    pub(super) fn is_asked(self) -> bool {
        matches!(self, Self::Asked | Self::AskedToDiffer)
    }

    fn wish(self) -> Wish {
        Wish { asked: self.is_asked(), expects_difference: self == Self::AskedToDiffer }
    }
}

/// What is wanted of a load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// Someone wants it.
    pub(super) asked: bool,
    /// The gate is passed by.
    pub(super) expects_difference: bool,
}

impl Wish {
    /// Of a load that nobody asked for.
    pub(super) const NOBODYS: Self = Self { asked: false, expects_difference: false };
}

/// What serves after a load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The generation.
    pub served_by: Arc<ServedBy>,
    /// It is a new one; otherwise the same bytes served already.
    pub changed: bool,
    /// It serves in place of the source's bytes, for this reason.
    pub in_place_of: Option<Arc<Condemnation>>,
}

/// The loads of one slot.
#[derive(Default)]
pub(super) struct Loading {
    /// One load of the source that nobody asked for at a time.
    unasked: Mutex<()>,
    /// One that someone asked for at a time.
    asked: Mutex<()>,
    /// One component that is handed in at a time.
    handed_in: Mutex<()>,
    /// A load that nobody asked for waits, and has read nothing yet: it will find what the next one would.
    waits: AtomicBool,
    /// The source was looked at.
    looked: AtomicBool,
    /// The file as it was when the first component was handed in.
    beside: OnceLock<Option<Fingerprint>>,
    /// Held while a file is read or written, but not while a registry or a compiler is waited for.
    source: Mutex<LastRead>,
}

/// The bytes that were last read from the source or written there, loaded or not.
#[derive(Default)]
struct LastRead {
    turn: Turn,
    digest: Option<Arc<str>>,
    /// The host was too busy to load them: the next look tries them again, in their turn.
    is_due: bool,
}

impl Slot {
    /// Loads the source and swaps. None if there is nothing to tell: bytes that nobody asked for were left alone.
    ///
    /// # Errors
    /// When the source cannot be fetched, or the component is refused.
    pub(super) async fn load(&self, engine: &Engine, cause: Cause) -> Result<Option<Loaded>, LoadError> {
        let (asked, loading) = (cause.is_asked(), &self.loading);
        let bytes_max = self.plugin_state().limits.component_bytes_max;
        self.condemned.recall().await;
        let mut turn = Turn::next();
        let _guard: MutexGuard<()>;
        if asked {
            _guard = loading.asked.lock().await;
        } else {
            if loading.waits.swap(true, Ordering::Relaxed) {
                return Ok(None);
            }
            _guard = loading.unasked.lock().await;
            let there = match (cause, self.file()) {
                (Cause::Noticed | Cause::Started, Some(file)) => until_finished(file, bytes_max).await,
                _ => true,
            };
            loading.waits.store(false, Ordering::Relaxed);
            if !there && cause == Cause::Noticed {
                return Ok(None);
            }
        }
        loading.looked.store(true, Ordering::Relaxed);
        let held = if self.file().is_some() { Some(loading.source.lock().await) } else { None };
        if !asked {
            // The file is read now, and its turn is that of the reading; `fetch` gives a registry's component a later
            // one.
            turn = Turn::next();
        }
        let serves = self.history.serving().is_some();
        let fetched = match self.origin.fetch(self.name(), bytes_max, asked, serves, &mut turn).await {
            Ok(Some(candidate)) => candidate,
            Ok(None) => return Ok(None),
            Err(error) => {
                // What someone chose meanwhile is not undone by the next look.
                if self.history.is_superseded(turn) {
                    self.origin.leave_alone();
                }
                self.history.refused(None, asked, &error);
                return Err(error);
            }
        };
        let mut read = match held {
            Some(held) => held,
            None => loading.source.lock().await,
        };
        let known = !asked && read.digest.as_ref() == Some(&fetched.digest);
        let is_due = known && read.is_due;
        if is_due {
            // Another try keeps the turn of the first, so that it does not undo what was asked for since.
            turn = read.turn;
        }
        if read.turn <= turn {
            *read = LastRead { turn, digest: Some(Arc::clone(&fetched.digest)), is_due: false };
            self.history.source_holds(Arc::clone(&fetched.digest));
        }
        drop(read);
        if known && !is_due {
            return Ok(None);
        }
        let digest = Arc::clone(&fetched.digest);
        let mut loaded = self.load_candidate(engine, turn, fetched, cause.wish()).await;
        if matches!(loaded, Err(LoadError::Probation(_))) && self.history.serving().is_none() {
            loaded = self.load_replacement(engine, turn, &digest).await;
        }
        if matches!(loaded, Err(LoadError::Busy { .. })) {
            let mut read = loading.source.lock().await;
            if read.turn == turn && !self.history.is_superseded(turn) {
                read.is_due = true;
                self.origin.forget();
            }
        }
        loaded.map(Some)
    }

    /// Loads a component that someone hands in and swaps.
    ///
    /// # Errors
    /// When the component is refused, or the source cannot be written.
    pub(super) async fn put(&self, engine: &Engine, candidate: Candidate, put: Put) -> Result<Loaded, PutError> {
        let Put { persist, expects_difference } = put;
        let source = persist.then(|| self.writable()).transpose()?;
        self.condemned.recall().await;
        self.look_beside().await;
        let guard = self.loading.handed_in.lock().await;
        let turn = Turn::next();
        let kept = source.map(|path| (path, candidate.clone()));
        let wish = Wish { asked: true, expects_difference };
        let loaded = self.load_candidate(engine, turn, candidate, wish).await?;
        self.origin.leave_alone();
        // The next one does not wait for the disk.
        drop(guard);
        if let Some((path, candidate)) = kept {
            self.keep(path, candidate).await?;
        }
        Ok(loaded)
    }

    /// Makes what serves the content of the source, unless something else serves by now.
    async fn keep(&self, path: PathBuf, candidate: Candidate) -> Result<(), PutError> {
        let mut read = self.loading.source.lock().await;
        let turn = Turn::next();
        if self.history.confirm(turn, &candidate.digest).is_none() {
            return Err(LoadError::Superseded.into());
        }
        // Before the file is there: the notice of it must find nothing new.
        let digest = Arc::clone(&candidate.digest);
        let written = LastRead { turn, digest: Some(Arc::clone(&digest)), is_due: false };
        let before = std::mem::replace(&mut *read, written);
        let written = tokio::task::spawn_blocking(move || {
            // A new plugin's may not be there yet.
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            crate::plugin::write_at_once(&path, &candidate.bytes)
        })
        .await;
        written.unwrap_or_else(|panic| Err(std::io::Error::other(panic))).map_err(|error| {
            *read = before;
            PutError::Persist(format!("writing {}: {error}", self.source()))
        })?;
        self.history.source_holds(digest);
        Ok(())
    }

    /// Takes note of the file that is there before anything is handed in.
    async fn look_beside(&self) {
        if let Some(path) = self.file().map(Path::to_owned).filter(|_| self.loading.beside.get().is_none()) {
            let file = tokio::task::spawn_blocking(move || Fingerprint::of(&path)).await.unwrap_or_default();
            let _ = self.loading.beside.set(file);
        }
    }

    /// Whether what serves was handed in, and the source was never looked at and is such a file as there was then.
    pub(crate) fn was_handed_in_beside(&self, file: Option<Fingerprint>) -> bool {
        let loading = &self.loading;
        !loading.looked.load(Ordering::Relaxed)
            && loading.beside.get() == Some(&file)
            && self.history.serving().is_some()
    }

    /// The file that a component can be kept in.
    fn writable(&self) -> Result<PathBuf, PutError> {
        self.file().map(Path::to_owned).ok_or_else(|| {
            PutError::Name(format!(
                "{} comes from {} and cannot be kept there by a put: push it with `tidegate plugin push`, or put it without \
                 persist",
                self.name(),
                self.source()
            ))
        })
    }
}

/// Why a component that was handed in does not serve, or was not kept.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// No plugin can have this name.
    #[error("{0}")]
    Name(String),
    /// The component was refused; what served before serves on.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The component serves, but the next start will not find it.
    #[error("the component serves, but is not kept for the next start: {0}")]
    Persist(String),
}
