//! A newcomer: a component that goes through every stage, and takes the place of what serves.

use super::{Loaded, Wish};
use crate::flow::ServedBy;
use crate::plugin::load::LoadError;
use crate::plugin::load::candidate::Candidate;
use crate::plugin::load::engine::Engine;
use crate::plugin::load::gate::Judgement;
use crate::plugin::load::turn::Turn;
use crate::plugin::roles::loaded::Plugin;
use crate::plugin::slot::Slot;
use crate::plugin::slot::history::{Offer, Swapped};
use std::sync::Arc;

impl Slot {
    pub(in crate::plugin::slot) async fn load_candidate(
        &self,
        engine: &Engine,
        turn: Turn,
        candidate: Candidate,
        wish: Wish,
    ) -> Result<Loaded, LoadError> {
        let (digest, bytes) = (Arc::clone(&candidate.digest), Arc::clone(&candidate.bytes));
        let loaded = match self.history.confirm(turn, &digest) {
            Some(served_by) => Ok((served_by, false)),
            None => self.load_new(engine, turn, candidate, wish).await,
        };
        let (served_by, changed) =
            loaded.inspect_err(|error| self.history.refused(Some(digest.to_string()), wish.asked, error))?;
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
        wish: Wish,
    ) -> Result<(Arc<ServedBy>, bool), LoadError> {
        let asked = wish.asked;
        if self.history.is_superseded(turn) {
            return Err(LoadError::Superseded);
        }
        if let Some(condemned) = self.condemned.get(&candidate.digest).filter(|_| !asked) {
            return Err(LoadError::Probation(condemned.refusal()));
        }
        let (same_code_as, still_wanted) = (candidate.same_code_as.clone(), candidate.still_wanted.clone());
        let plugin = engine.load(&self.plugin_state(), candidate, asked).await?;
        loop {
            let judgement = self.pass_gate(&plugin, same_code_as.as_deref(), wish).await?;
            let still_wanted = still_wanted.clone();
            let offer = Offer { same_code_as: same_code_as.as_deref(), asked, still_wanted, judgement };
            match self.history.swap(turn, Arc::clone(&plugin), offer)? {
                Swapped::Serves { served_by, changed } => return Ok((served_by, changed)),
                // It is not known what the newcomer does otherwise than what serves by now.
                Swapped::OtherServes => {}
            }
        }
    }

    /// Holds a newcomer to what serves, where the gate asks for that.
    async fn pass_gate(
        &self,
        plugin: &Arc<Plugin>,
        same_code_as: Option<&str>,
        wish: Wish,
    ) -> Result<Judgement, LoadError> {
        let (name, digest) = (self.name(), &**plugin.digest());
        let serving = self.history.serving().map(|serving| Arc::clone(&serving.plugin));
        if wish.expects_difference {
            let judgement = self.gate.pass_by();
            if judgement != Judgement::Open {
                tracing::info!(plugin = name, digest, "not compared with what serves, since it is expected to differ");
            }
            return Ok(judgement);
        }
        let judgement = self.gate.pass(serving.as_ref(), plugin, same_code_as).await?;
        match &judgement {
            Judgement::Open | Judgement::Expected => {}
            Judgement::Alone => {
                tracing::info!(plugin = name, digest, "nothing serves that it could be compared with at its gate");
            }
            Judgement::Compared { found, .. } => tracing::info!(plugin = name, digest, ?found, "passed its gate"),
        }
        Ok(judgement)
    }
}
