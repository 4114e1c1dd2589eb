//! Components that someone hands in, under a name that may be new.

use super::Slots;
use super::load_log::log_put;
use crate::config::{PLUGINS_DIRECTORY, SLOTS_MAX, check_name};
use crate::plugin::load::LoadError;
use crate::plugin::load::candidate::Candidate;
use crate::plugin::load::sources::Source;
use crate::plugin::slot::{Loaded, Put, PutError, Slot};
use std::path::Path;
use std::sync::Arc;

impl Slots {
    /// Loads a component's bytes; if they are to persist it then writes them to the source, at once. A name that is new becomes
    /// a slot, with its source in `./plugins`, once the component is found to be good.
    ///
    /// # Errors
    /// When no plugin can have the name, the component is refused, or it serves and could not be written.
    pub async fn put(&self, name: &str, bytes: Vec<u8>, put: Put) -> Result<Loaded, PutError> {
        check_name(name).map_err(PutError::Name)?;
        let slot = match self.loadable(name) {
            Some(slot) => slot,
            None if self.all().len() >= SLOTS_MAX => {
                return Err(PutError::Name(format!("{name} would be one plugin more than {SLOTS_MAX}")));
            }
            None if put.persist && !self.scans => {
                return Err(PutError::Name(format!(
                    "{name} is new and cannot be kept: this host loads the plugins that it was told of; name its file \
                     with --plugin, or put it without persist"
                )));
            }
            None => {
                let path = Path::new(PLUGINS_DIRECTORY).join(format!("{name}.wasm"));
                self.arriving(&mut self.unlisted(), Source { name: name.to_owned(), place: path.into() })
            }
        };
        let outcome = self.put_into(slot, bytes, put).await;
        log_put(name, &outcome);
        outcome
    }

    async fn put_into(&self, mut slot: Arc<Slot>, bytes: Vec<u8>, put: Put) -> Result<Loaded, PutError> {
        let candidate = Candidate::new(Arc::new(bytes)).await?;
        let mut outcome = slot.put(&self.engine, candidate.clone(), put).await;
        if matches!(outcome, Err(PutError::Load(LoadError::Superseded))) && slot.was_forgotten() {
            // Meanwhile the file went that the slot was made for, and the slot with it: what is put needs neither.
            let source = Source { name: slot.name().to_owned(), place: slot.source().clone() };
            slot = self.arriving(&mut self.unlisted(), source);
            outcome = slot.put(&self.engine, candidate.clone(), put).await;
        }
        if !matches!(outcome, Err(PutError::Load(_)))
            && let Some(other) = self.arrived(&slot)
        {
            // Meanwhile a file of this name was found, and what was put serves nobody yet.
            return other.put(&self.engine, candidate, put).await;
        }
        outcome
    }
}
