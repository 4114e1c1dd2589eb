//! A newcomer: a component that goes through every stage, and takes the place of what serves.

use super::Loaded;
use crate::flow::ServedBy;
use crate::plugin::load::LoadError;
use crate::plugin::load::candidate::Candidate;
use crate::plugin::load::engine::Engine;
use crate::plugin::load::turn::Turn;
use crate::plugin::slot::Slot;
use std::sync::Arc;

impl Slot {
    pub(in crate::plugin::slot) async fn load_candidate(
        &self,
        engine: &Engine,
        turn: Turn,
        candidate: Candidate,
        asked: bool,
    ) -> Result<Loaded, LoadError> {
        let (digest, bytes) = (Arc::clone(&candidate.digest), Arc::clone(&candidate.bytes));
        let loaded = match self.history.confirm(turn, &digest) {
            Some(served_by) => Ok((served_by, false)),
            None => self.load_new(engine, turn, candidate, asked).await,
        };
        let (served_by, changed) =
            loaded.inspect_err(|error| self.history.refused(Some(digest.to_string()), asked, error))?;
        self.kept.copy(self.name(), &digest, bytes, self.history.digests()).await;
        if changed {
            // Among it what the load has forgiven.
            self.condemned.write_soon(|| ());
        }
        Ok(Loaded { served_by, changed, in_place_of: None })
    }

    /// Takes a component through every stage and swaps. Also returns whether the generation is a new one.
    async fn load_new(
        &self,
        engine: &Engine,
        turn: Turn,
        candidate: Candidate,
        asked: bool,
    ) -> Result<(Arc<ServedBy>, bool), LoadError> {
        if self.history.is_superseded(turn) {
            return Err(LoadError::Superseded);
        }
        if let Some(condemned) = self.condemned.get(&candidate.digest).filter(|_| !asked) {
            return Err(LoadError::Probation(condemned.refusal()));
        }
        let same_code_as = candidate.same_code_as.clone();
        let plugin = engine.load(&self.plugin_state(), candidate, asked).await?;
        self.history.swap(turn, plugin, same_code_as.as_deref(), asked)
    }
}
