//! Going back to an earlier generation: as an operator asks for it, or since a newcomer failed too often.

use super::timeline::{HappenedBy, TimelineEntry};
use super::{Generation, History, PastGenerations, RefusedGeneration};
use crate::flow::ServedBy;
use crate::plugin::load::turn::Turn;
use crate::plugin::slot::condemned::{Condemnation, CondemnedBy};
use std::sync::Arc;

/// Why a plugin does not go back to an earlier generation, or does so for as long as the host runs only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RollbackError {
    /// There is no earlier generation.
    #[error("there is no earlier generation to go back to; load a component instead")]
    NothingToGoBackTo,
    /// This one is not, or no more, kept.
    #[error("generation {wanted} is not kept; there is to go back to: {}", list(.kept))]
    #[allow(missing_docs)]
    NotKept { wanted: u64, kept: Vec<u64> },
    /// It would change nothing.
    #[error("generation {wanted} has the bytes that serve already, as generation {serving}")]
    #[allow(missing_docs)]
    SameBytes { wanted: u64, serving: u64 },
    /// It serves, but the next start will not know.
    #[error("the next start may load again what was rolled back: {0}")]
    NotPersisted(String),
}

/// Why a generation serves that was rolled back to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RolledBack {
    /// The generation that served before.
    pub from: u64,
    /// Who took it out of service.
    pub by: CondemnedBy,
    /// Why, for people to read.
    pub reason: String,
    /// When, as RFC 3339 has it.
    pub at: String,
}

/// What became of a newcomer that failed too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plugin::slot) enum Newcomer {
    /// Something else served by then.
    Gone,
    /// It was rolled back.
    Condemned,
}

impl History {
    /// Publishes the code of an earlier generation under the next number: of the one before, or of the one that is
    /// `wanted`. With `condemn`, what served until now does not come back by itself.
    ///
    /// # Errors
    /// When there is no such generation, or the slot has ended.
    pub(in crate::plugin::slot) fn roll_back(
        &self,
        wanted: Option<u64>,
        condemn: bool,
    ) -> Result<Arc<ServedBy>, RollbackError> {
        let mut past = self.lock();
        let serving = self.serving.load_full().filter(|_| !past.ended).ok_or(RollbackError::NothingToGoBackTo)?;
        let at = past.position(wanted)?;
        if let Some(wanted) = wanted
            && past.previous[at].0.digest == serving.served_by.digest
        {
            return Err(RollbackError::SameBytes { wanted, serving: serving.served_by.generation });
        }
        let (served_by, to) = self.go_back(&mut past, at)?;
        past.in_force = Turn::next();
        let rolled_back =
            RolledBack::now(&serving.served_by, CondemnedBy::Operator, "an operator rolled it back".to_owned());
        if condemn {
            self.condemn(&mut past, &serving.served_by.digest, &rolled_back, &served_by);
        }
        let entry = TimelineEntry::of_rollback(HappenedBy::Operator, rolled_back.from, to);
        past.timeline.note(entry.of(&served_by).because(&rolled_back.reason));
        past.rolled_back = Some(rolled_back);
        let ServedBy { generation, digest, .. } = &*served_by;
        tracing::info!(plugin = self.name, generation, digest, condemned = condemn, "rolled back, as asked");
        Ok(served_by)
    }

    /// Takes a newcomer that is unfit out of service, if it is still the one that serves and was not unloaded. None if
    /// there is nothing to go back to.
    pub(in crate::plugin::slot) fn roll_back_newcomer(&self, newcomer: &Generation) -> Option<Newcomer> {
        let mut past = self.lock();
        let serving = self.serving.load().as_ref().map(|serving| serving.served_by.generation);
        if past.ended || serving != Some(newcomer.served_by.generation) {
            return Some(Newcomer::Gone);
        }
        let (served_by, to) = self.go_back(&mut past, 0).ok()?;
        let ServedBy { plugin, generation: failed, digest, .. } = &*newcomer.served_by;
        let (calls, breakdowns) = newcomer.health.on_probation();
        let reason =
            format!("{breakdowns} of its first {calls} calls failed, and rollback.failures is {}", self.rules.failures);
        tracing::error!(
            plugin,
            failed,
            generation = served_by.generation,
            digest = served_by.digest,
            calls,
            breakdowns,
            "rolled back: generation {failed} failed too often; its bytes are refused until they are loaded explicitly"
        );
        let rolled_back = RolledBack::now(&newcomer.served_by, CondemnedBy::Host, reason.clone());
        self.condemn(&mut past, digest, &rolled_back, &served_by);
        past.rolled_back = Some(rolled_back);
        let entry = TimelineEntry::of_rollback(HappenedBy::Calls, *failed, to);
        past.timeline.note(entry.of(&served_by).because(&reason));
        past.last_refused = Some(RefusedGeneration::now(Some(digest.clone()), "probation", reason));
        Some(Newcomer::Condemned)
    }

    fn condemn(&self, past: &mut PastGenerations, digest: &str, why: &RolledBack, replaced_by: &ServedBy) {
        // The same bytes may have served before, and would be gone back to.
        past.previous.retain(|(served_by, _)| served_by.digest != digest);
        let roles = self.serving().map(|serving| serving.plugin.roles().map(|role| role.to_string()).collect());
        self.condemned.condemn(Condemnation {
            digest: digest.to_owned(),
            by: why.by,
            reason: why.reason.clone(),
            at: why.at.clone(),
            replaced_by: Some(replaced_by.digest.clone()),
            roles: roles.unwrap_or_default(),
        });
    }

    /// Publishes the code of a previous generation, whose number is returned too.
    ///
    /// # Errors
    /// When there are not so many.
    fn go_back(&self, past: &mut PastGenerations, at: usize) -> Result<(Arc<ServedBy>, u64), RollbackError> {
        let (before, plugin) = past.previous.remove(at).ok_or(RollbackError::NothingToGoBackTo)?;
        past.rollbacks += 1;
        // It has served before. On probation again, it could be rolled back in turn to a generation that is no better.
        let (served_by, _) = self.publish(past, plugin, true);
        Ok((served_by, before.generation))
    }
}

impl PastGenerations {
    /// Where a generation is among the previous ones: the latest, if none is `wanted`.
    ///
    /// # Errors
    /// When it is not there.
    fn position(&self, wanted: Option<u64>) -> Result<usize, RollbackError> {
        let kept: Vec<u64> = self.previous.iter().map(|(served_by, _)| served_by.generation).collect();
        match wanted {
            _ if kept.is_empty() => Err(RollbackError::NothingToGoBackTo),
            None => Ok(0),
            Some(wanted) => {
                let at = kept.iter().position(|generation| *generation == wanted);
                at.ok_or(RollbackError::NotKept { wanted, kept })
            }
        }
    }
}

impl RolledBack {
    fn now(from: &ServedBy, by: CondemnedBy, reason: String) -> Self {
        Self { from: from.generation, by, reason, at: format!("{:.3}", jiff::Timestamp::now()) }
    }
}

fn list(generations: &[u64]) -> String {
    generations.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}
