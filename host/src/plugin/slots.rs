//! All slots by name. A name, once known, stays: a deleted file keeps its last generation serving.

use super::engine::Engine;
use super::load::LoadError;
use super::slot::{self, Loaded, Slot};
use crate::config::{Config, check_name};
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A plugin's name, and the file that it is loaded from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name, which is its route.
    pub name: String,
    /// The component.
    pub path: PathBuf,
}

/// All slots, and what loads into them.
pub struct Slots {
    engine: Engine,
    config: Config,
    by_name: ArcSwap<BTreeMap<String, Arc<Slot>>>,
    // Two additions at the same time must not undo each other; readers never wait for it.
    adding: Mutex<()>,
}

impl Slots {
    /// No slots yet; `config` gives each its limits and settings.
    pub fn new(engine: Engine, config: Config) -> Self {
        Self { engine, config, by_name: ArcSwap::default(), adding: Mutex::default() }
    }

    /// The slot of a name.
    pub fn get(&self, name: &str) -> Option<Arc<Slot>> {
        self.by_name.load().get(name).cloned()
    }

    /// All slots, by name.
    pub fn all(&self) -> Vec<Arc<Slot>> {
        self.by_name.load().values().cloned().collect()
    }

    /// The slot of a source, made empty if the name is new.
    pub fn add(&self, source: Source) -> Arc<Slot> {
        let _guard = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = self.get(&source.name) {
            return slot;
        }
        let limits = self.config.limits_of(&source.name);
        let settings = self.config.settings_of(&source.name);
        let slot = Arc::new(Slot::new(source.name.clone(), source.path, limits, settings));
        let mut by_name = BTreeMap::clone(&self.by_name.load());
        by_name.insert(source.name, Arc::clone(&slot));
        self.by_name.store(Arc::new(by_name));
        slot
    }

    /// Loads a slot from its source, and logs what came of it.
    pub async fn load(&self, slot: &Slot) -> Result<Loaded, LoadError> {
        let outcome = slot.load(&self.engine).await;
        slot::log_load(slot.name(), slot.source().display(), &outcome);
        outcome
    }
}

/// The plugins of a directory: every `*.wasm` whose stem can be a name; the others are returned as complaints.
///
/// # Errors
/// When the directory cannot be read.
pub fn scan(directory: &Path) -> std::io::Result<(Vec<Source>, Vec<String>)> {
    let (mut sources, mut complaints) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        match source_of(path) {
            Ok(source) => sources.push(source),
            Err(complaint) => complaints.push(complaint),
        }
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((sources, complaints))
}

/// A path's plugin: its name is the file's stem.
pub fn source_of(path: PathBuf) -> Result<Source, String> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    check_name(&name).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Source { name, path })
}
