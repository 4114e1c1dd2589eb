//! The slot: the cell that holds the current plugin of one name, and the only way in which it changes.

use super::call::{Answer, CallError, Message, Reply, Request, Stamp};
use super::engine::Engine;
use super::load::{self, LoadError, Plugin, Role};
use crate::config::Limits;
use arc_swap::ArcSwapOption;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{Mutex, Semaphore};

/// The cell of one plugin name.
pub struct Slot {
    name: String,
    source: PathBuf,
    limits: Limits,
    settings: BTreeMap<String, String>,
    current: ArcSwapOption<Generation>,
    // Of the slot, not of a generation: a swap must not double what may run.
    calls: Semaphore,
    loading: Mutex<Loading>,
}

/// A plugin as it serves: what it is, and who it says it is.
struct Generation {
    stamp: Arc<Stamp>,
    plugin: Plugin,
}

impl Drop for Generation {
    /// The last call has ended and nothing refers to the generation: it is retired.
    fn drop(&mut self) {
        tracing::debug!(plugin = self.stamp.plugin, generation = self.stamp.generation, "retired");
    }
}

/// What only loads need, one at a time.
#[derive(Default)]
struct Loading {
    last_generation: u64,
    /// The digest of the bytes that were last read from the source, loaded or not.
    last_read: Option<String>,
}

/// What a load came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// A new generation serves.
    Swapped(Arc<Stamp>),
    /// The bytes are those that serve, or those that were last read.
    Unchanged,
}

impl Slot {
    /// An empty slot for the plugin `name`, to be loaded from `source`.
    pub fn new(name: String, source: PathBuf, limits: Limits, settings: BTreeMap<String, String>) -> Self {
        Self {
            calls: Semaphore::new(limits.calls_max),
            name,
            source,
            limits,
            settings,
            current: ArcSwapOption::empty(),
            loading: Mutex::default(),
        }
    }

    /// The plugin's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that the plugin is loaded from.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// What the serving generation can do; none if the slot is empty.
    pub fn roles(&self) -> Option<Vec<Role>> {
        self.current.load().as_ref().map(|generation| generation.plugin.roles.clone())
    }

    /// Loads the source and swaps, if its bytes are neither those that serve nor those that were last read: so a
    /// stray file event never undoes what was loaded on purpose, and a bad file is complained of once.
    pub async fn load(&self, engine: &Engine) -> Result<Loaded, LoadError> {
        let mut loading = self.loading.lock().await;
        let source = self.source.clone();
        let bytes = load::blocking(move || load::read(&source)).await?;

        let digest = load::digest(&bytes);
        let serving = self.current.load_full();
        let serves = serving.as_ref().is_some_and(|generation| generation.stamp.digest == digest);
        if loading.last_read.as_ref() == Some(&digest) || serves {
            loading.last_read = Some(digest);
            return Ok(Loaded::Unchanged);
        }
        loading.last_read = Some(digest);

        let plugin = engine.load(&self.name, bytes, self.limits.clone(), self.settings.clone()).await?;
        if let Some(serving) = serving {
            refuse_lost_role(&serving.plugin.roles, &plugin.roles)?;
        }
        loading.last_generation += 1;
        let stamp = Arc::new(Stamp {
            plugin: self.name.clone(),
            generation: loading.last_generation,
            digest: plugin.digest.clone(),
        });
        self.current.store(Some(Arc::new(Generation { stamp: Arc::clone(&stamp), plugin })));
        Ok(Loaded::Swapped(stamp))
    }

    /// Calls the role `transform` of the generation that serves now.
    pub async fn transform(&self, message: Message) -> Answer<Option<Message>> {
        let id = request_id(&message.metadata).to_owned();
        let Some(serving) = self.current.load_full() else { return nobody() };
        let result = match self.calls.try_acquire() {
            Ok(_permit) => serving.plugin.transform(message).await,
            Err(_) => Err(CallError::TooManyCalls(self.limits.calls_max)),
        };
        serving.answer(result, &id)
    }

    /// Calls the role `reply-policy` of the generation that serves now.
    pub async fn replies(&self, request: Request) -> Answer<Vec<Reply>> {
        let id = request_id(&request.metadata).to_owned();
        let Some(serving) = self.current.load_full() else { return nobody() };
        let result = match self.calls.try_acquire() {
            Ok(_permit) => serving.plugin.replies(request).await,
            Err(_) => Err(CallError::TooManyCalls(self.limits.calls_max)),
        };
        serving.answer(result, &id)
    }
}

impl Generation {
    /// Stamps a result. A failed call is logged here, because its text may be for the log alone.
    fn answer<T>(&self, result: Result<T, CallError>, request_id: &str) -> Answer<T> {
        if let Err(error) = &result {
            let Stamp { plugin, generation, .. } = &*self.stamp;
            // Escaped: the text may be the guest's own, and must not forge lines.
            let error = error.to_string();
            tracing::warn!(plugin, generation, request_id, ?error, "call failed");
        }
        Answer { by: Some(Arc::clone(&self.stamp)), result }
    }
}

fn nobody<T>() -> Answer<T> {
    Answer { by: None, result: Err(CallError::EmptySlot) }
}

fn request_id(metadata: &[(String, String)]) -> &str {
    metadata.iter().find(|(key, _)| key == "tidegate.request-id").map_or("", |(_, id)| id)
}

/// Whoever routes to the slot relies on the roles that it serves.
fn refuse_lost_role(served: &[Role], offered: &[Role]) -> Result<(), LoadError> {
    match served.iter().find(|role| !offered.contains(role)) {
        Some(role) => Err(LoadError::TypeCheck(format!("lacks the role {role}, which the serving generation has"))),
        None => Ok(()),
    }
}

/// Says what a load came to, in one line.
pub(super) fn log_load(name: &str, source: impl Display, outcome: &Result<Loaded, LoadError>) {
    match outcome {
        Ok(Loaded::Swapped(stamp)) => {
            tracing::info!(plugin = name, generation = stamp.generation, digest = stamp.digest, %source, "loaded");
        }
        Ok(Loaded::Unchanged) => tracing::debug!(plugin = name, %source, "unchanged"),
        Err(error) => {
            // `?` on the text escapes what a file of a stranger may have put into a compiler's message.
            let reason = error.to_string();
            tracing::error!(plugin = name, %source, ?reason, "not loaded; what served before serves on");
        }
    }
}
