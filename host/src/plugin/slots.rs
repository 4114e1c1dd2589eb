//! All slots by name. A name, once known, stays: a deleted file keeps its last generation serving.

use super::account::shortened;
use super::call::Stamp;
use super::copies::Copies;
use super::engine::Engine;
use super::load::LoadError;
use super::origin::Origin;
use super::slot::{Loaded, PutError, Slot};
use crate::config::{Config, LOG_LINE_BYTES_MAX, PLUGINS_DIRECTORY, Place, SLOTS_MAX, check_name};
use crate::ledger::Figures;
use crate::oci::Registries;
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A plugin's name, and where it is loaded from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name, which is its route.
    pub name: String,
    /// The component.
    pub place: Place,
}

/// All slots, and what loads into them.
pub struct Slots {
    engine: Engine,
    config: Config,
    registries: Arc<Registries>,
    copies: Option<Arc<Copies>>,
    /// Whether plugins come from a scan of their directory, rather than by name.
    scans: bool,
    by_name: ArcSwap<BTreeMap<String, Arc<Slot>>>,
    // Two additions at the same time must not undo each other; readers never wait for it.
    adding: Mutex<()>,
}

impl Slots {
    /// No slots yet; `config` gives each its limits and settings. `scans` says whether the next start finds a new file in
    /// the plugins' directory.
    pub fn new(engine: Engine, config: Config, scans: bool) -> Self {
        let registries = Arc::new(Registries::new(config.oci.plain_http.clone()));
        let copies = engine.cache.as_deref().map(|cache| Arc::new(Copies::below(cache)));
        let (by_name, adding) = Default::default();
        Self { engine, config, registries, copies, scans, by_name, adding }
    }

    /// The slot of a name.
    pub fn get(&self, name: &str) -> Option<Arc<Slot>> {
        self.by_name.load().get(name).cloned()
    }

    /// All slots, by name.
    pub fn all(&self) -> Vec<Arc<Slot>> {
        self.by_name.load().values().cloned().collect()
    }

    /// What became of the calls of each plugin, by name.
    pub fn figures(&self) -> Vec<(String, Figures)> {
        self.all().iter().map(|slot| (slot.name().to_owned(), slot.figures())).collect()
    }

    /// The host ends: calls that are let go from now on are given up by it, not by who asked.
    pub fn close_books(&self) {
        self.all().iter().for_each(|slot| slot.close_books());
    }

    /// The slot of a source, made empty if the name is new.
    pub fn add(&self, source: Source) -> Arc<Slot> {
        self.register(self.empty(source))
    }

    /// As [`Slots::add`], for many: a new map for each of them would be quadratic.
    pub fn add_all(&self, sources: Vec<Source>) -> Vec<Arc<Slot>> {
        let _guard = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_name = self.by_name.load_full();
        let slot = |source: Source| match by_name.get(&source.name) {
            Some(slot) => Arc::clone(slot),
            None => {
                let slot = self.empty(source);
                // A copy of the map at the first, and none after it.
                Arc::make_mut(&mut by_name).insert(slot.name().to_owned(), Arc::clone(&slot));
                slot
            }
        };
        let slots = sources.into_iter().map(slot).collect();
        self.by_name.store(by_name);
        slots
    }

    /// Loads a slot from its source and logs what came of it. Unless someone `asked` for it, bytes that were last read
    /// from there are left alone, and those that were rolled back are refused.
    ///
    /// Returns what serves; none if the bytes were left alone.
    pub async fn load(&self, slot: &Slot, asked: bool) -> Result<Option<Loaded>, LoadError> {
        let outcome = slot.load(&self.engine, asked).await;
        let source = slot.source();
        match &outcome {
            Ok(loaded) => log_load(slot.name(), source, loaded.as_ref()),
            Err(error) => log_refusal(slot.name(), source, error),
        }
        outcome
    }

    /// How often it is looked whether a slot's tag has moved; none where it cannot, or nobody wants to know.
    pub(super) fn poll_interval(&self, slot: &Slot) -> Option<Duration> {
        let is_tag = matches!(slot.source(), Place::Registry(reference) if reference.is_tag());
        self.config.poll_of(slot.name()).filter(|_| is_tag)
    }

    /// As [`Slots::load`], for a look that nobody asked for: what is wrong with a registry is logged once, and that it is
    /// well again. `complaint` is what there was to say last time.
    pub(super) async fn look(&self, slot: &Slot, complaint: &mut Option<String>) {
        let outcome = slot.load(&self.engine, false).await;
        let (name, source) = (slot.name(), slot.source());
        let trouble = match &outcome {
            // However it is away: a dead connection is followed by a refused one.
            Err(LoadError::Away(_)) => Some(String::new()),
            Err(LoadError::Pull(why)) => Some(why.clone()),
            _ => None,
        };
        let before = std::mem::replace(complaint, trouble);
        if complaint.is_some() && *complaint == before {
            return;
        }
        if complaint.is_none() && before.is_some() {
            tracing::info!(plugin = name, %source, "the registry answers again");
        }
        match &outcome {
            Ok(loaded) => log_load(name, source, loaded.as_ref()),
            Err(error) => log_refusal(name, source, error),
        }
    }

    /// How large a component of this name may be, whether there is a plugin of that name or not.
    pub fn component_bytes_max(&self, name: &str) -> u64 {
        self.config.limits_of(name).component_bytes_max
    }

    /// Loads a component's bytes; with `persist` it then writes them to the source, at once. A name that is new becomes
    /// a slot, with its source in `./plugins`, once the component is found to be good.
    pub async fn put(&self, name: &str, bytes: Vec<u8>, persist: bool) -> Result<Loaded, PutError> {
        check_name(name).map_err(PutError::Name)?;
        let slot = match self.get(name) {
            Some(slot) => slot,
            None if self.all().len() >= SLOTS_MAX => {
                return Err(PutError::Name(format!("{name} would be one plugin more than {SLOTS_MAX}")));
            }
            None if persist && !self.scans => {
                return Err(PutError::Name(format!(
                    "{name} is new and cannot be kept: this host loads the plugins that it was told of; name its file \
                     with --plugin, or put it without persist"
                )));
            }
            None => {
                let path = Path::new(PLUGINS_DIRECTORY).join(format!("{name}.wasm"));
                self.empty(Source { name: name.to_owned(), place: path.into() })
            }
        };
        let mut outcome = slot.put(&self.engine, bytes.clone(), persist).await;
        if !matches!(outcome, Err(PutError::Load(_))) {
            let known = self.register(Arc::clone(&slot));
            if !Arc::ptr_eq(&known, &slot) {
                // Meanwhile the name has become known, and what was put serves nobody yet.
                outcome = known.put(&self.engine, bytes, persist).await;
            }
        }
        match &outcome {
            Ok(loaded) => log_load(name, "admin", Some(loaded)),
            Err(PutError::Load(error)) => log_refusal(name, "admin", error),
            Err(error) => tracing::error!(plugin = name, %error, "put"),
        }
        outcome
    }

    fn empty(&self, source: Source) -> Arc<Slot> {
        let Source { name, place } = source;
        let (limits, settings) = (self.config.limits_of(&name), self.config.settings_of(&name));
        let (reuse, outbound) = (self.config.reuse_of(&name), self.config.outbound_of(&name));
        let origin = Origin::new(place, Arc::clone(&self.registries), self.copies.clone());
        Arc::new(Slot::new(name, origin, limits, settings, reuse, outbound, self.config.rollback))
    }

    /// Makes a slot known, unless its name is.
    fn register(&self, slot: Arc<Slot>) -> Arc<Slot> {
        let _guard = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = self.get(slot.name()) {
            return slot;
        }
        let mut by_name = BTreeMap::clone(&self.by_name.load());
        by_name.insert(slot.name().to_owned(), Arc::clone(&slot));
        self.by_name.store(Arc::new(by_name));
        slot
    }
}

/// Says what a load came to, in one line.
fn log_load(name: &str, source: impl Display, loaded: Option<&Loaded>) {
    match loaded {
        Some(Loaded { stamp, changed: true }) => {
            let Stamp { generation, digest, artifact, .. } = &**stamp;
            tracing::info!(plugin = name, generation, digest, artifact, %source, "loaded");
        }
        _ => tracing::debug!(plugin = name, %source, "unchanged"),
    }
}

fn log_refusal(name: &str, source: impl Display, error: &LoadError) {
    // `?` on the text escapes what a file of a stranger may have put into a compiler's message.
    let reason = error.to_string();
    let reason = shortened(&reason, LOG_LINE_BYTES_MAX);
    tracing::error!(plugin = name, %source, ?reason, "not loaded; what served before serves on");
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

impl Source {
    /// The plugin of a place that names none: the file's stem, or the repository's last part.
    pub fn of(place: Place) -> Result<Self, String> {
        match place {
            Place::File(path) => source_of(path),
            Place::Registry(ref reference) => {
                let name = reference.name().to_owned();
                check_name(&name).map_err(|error| format!("{reference}: {error}"))?;
                Ok(Self { name, place })
            }
        }
    }
}

/// A path's plugin: its name is the file's stem.
pub fn source_of(path: PathBuf) -> Result<Source, String> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    check_name(&name).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Source { name, place: path.into() })
}
