//! Loading what served before, where the source holds condemned bytes.

use super::Slot;
use super::loading::{Loaded, Wish};
use crate::plugin::load::LoadError;
use crate::plugin::load::candidate::Candidate;
use crate::plugin::load::engine::Engine;
use crate::plugin::load::turn::Turn;
use std::sync::Arc;

impl Slot {
    /// Loads what served before the source's bytes were condemned, where nothing serves: they do not come back by
    /// themselves, not even for want of others.
    pub(super) async fn load_replacement(
        &self,
        engine: &Engine,
        turn: Turn,
        digest: &str,
    ) -> Result<Loaded, LoadError> {
        let Some(condemned) = self.condemned.get(digest) else { return Err(LoadError::Superseded) };
        let nothing = |why: String| {
            let error = LoadError::NoReplacement(format!("{}; nothing serves meanwhile: {why}", condemned.refusal()));
            self.history.refused(Some(digest.to_owned()), false, &error);
            error
        };
        let Some(replacement) = self.condemned.replacement_of(digest) else {
            return Err(nothing("it is not known what served before".to_owned()));
        };
        let bytes_max = self.plugin_state().limits.component_bytes_max;
        let candidate = match self.kept.get(&replacement, bytes_max).await {
            Some(bytes) => Candidate::new(Arc::new(bytes)).await?,
            None => return Err(nothing(format!("what served before, {replacement}, is not in the cache"))),
        };
        match self.load_candidate(engine, turn, candidate, Wish::NOBODYS).await {
            Ok(loaded) => Ok(Loaded { in_place_of: Some(condemned), ..loaded }),
            Err(error @ (LoadError::Busy { .. } | LoadError::Superseded)) => Err(error),
            Err(error) => Err(nothing(format!("what served before, {replacement}, does not load: {error}"))),
        }
    }
}
