//! Components that are loaded for one call, and examples that a plugin's component is to carry from now on.

use super::Slots;
use super::load_log::log_put;
use crate::buckets::PluginBuckets;
use crate::plugin::load::LoadError;
use crate::plugin::load::blocking::blocking;
use crate::plugin::load::candidate::Candidate;
use crate::plugin::load::examples::carried::{named, with_examples};
use crate::plugin::roles::loaded::Plugin;
use crate::plugin::slot::{Loaded, Put, PutError, Slot};
use std::path::Path;
use std::sync::Arc;

/// Why a component does not carry further examples.
#[derive(Debug, thiserror::Error)]
pub enum AddExamplesError {
    /// What was given is no list of examples, or not one that the component could carry.
    #[error("{0}")]
    Malformed(String),
    /// There is no file to write to, or it holds something else than what serves.
    #[error("{0}")]
    NoFile(String),
    /// The component does not do what they say, or could not be kept.
    #[error(transparent)]
    Put(#[from] PutError),
}

impl Slots {
    /// Takes a component through every stage, under the bounds and settings of the plugin of this name, and serves nobody with
    /// it.
    ///
    /// # Errors
    /// When a stage refuses it.
    pub async fn load_for_a_call(&self, name: &str, bytes: Vec<u8>) -> Result<Arc<Plugin>, LoadError> {
        let config = self.config.load_full();
        let candidate = Candidate::new(Arc::new(bytes)).await?;
        let (limits, settings) = (config.limits_of(name), config.settings_of(name));
        let buckets = PluginBuckets::of_nobody(&config.buckets_of(name));
        self.engine.load_without_slot(name, candidate, limits, settings, buckets, None).await
    }

    /// Has a plugin's component carry the examples of this text too, the only one of which may get a `name`, and be loaded and
    /// kept so. Also returns how many it carries then.
    ///
    /// # Errors
    /// When there is no such file, the text is wrong, or the component does not do what it promises then: it stays as it was.
    pub async fn add_examples(
        &self,
        slot: &Arc<Slot>,
        text: String,
        name: Option<String>,
    ) -> Result<(Loaded, usize), AddExamplesError> {
        let component = self.served_file(slot).await?;
        let same_code_as = Some(Arc::clone(&component.digest));
        let added = blocking(move || {
            let text = name.map_or(Ok(text.clone()), |name| named(&text, &name));
            Ok(text.and_then(|text| with_examples(&component.bytes, &text)))
        });
        let (bytes, count) = added.await.map_err(PutError::from)?.map_err(AddExamplesError::Malformed)?;
        let candidate = Candidate::new(Arc::new(bytes)).await.map_err(PutError::from)?;
        let put = Put { persist: true, ..Put::default() };
        let outcome = slot.put(&self.engine, Candidate { same_code_as, ..candidate }, put).await;
        log_put(slot.name(), &outcome);
        Ok((outcome?, count))
    }

    /// What serves, read from its file.
    async fn served_file(&self, slot: &Slot) -> Result<Candidate, AddExamplesError> {
        let name = slot.name();
        let no_file = |why: String| AddExamplesError::NoFile(format!("{name} gets no examples on this host: {why}"));
        let Some(file) = slot.file().map(Path::to_owned) else {
            return Err(no_file(format!(
                "it comes from {}: put them into the examples.toml of its sources, build it and push it",
                slot.source()
            )));
        };
        let read = Candidate::read(&file, slot.plugin_state().limits.component_bytes_max).await;
        let digest = slot.read(|plugin| Arc::clone(plugin.digest()));
        match (read, digest) {
            (Ok(component), Some(digest)) if component.digest == digest => Ok(component),
            _ => Err(no_file(format!(
                "{} does not hold what serves: load one of the two with --persist first",
                file.display()
            ))),
        }
    }
}
