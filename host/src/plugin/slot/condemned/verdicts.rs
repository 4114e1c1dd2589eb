//! The verdicts on the bytes of one plugin, and which of them the disk does not have yet. No I/O.

use super::Condemnation;
use crate::config::CONDEMNED_MAX;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is condemned, by digest.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    by_digest: BTreeMap<String, Arc<Condemnation>>,
    /// The digests whose verdict has changed since it was written.
    unwritten: BTreeSet<String>,
}

impl Verdicts {
    /// Takes over what was written earlier, except what was decided anew since.
    pub(super) fn recall(&mut self, known: Vec<Condemnation>) {
        for condemnation in known {
            if !self.unwritten.contains(&condemnation.digest) {
                self.by_digest.insert(condemnation.digest.clone(), Arc::new(condemnation));
            }
        }
        self.bound();
    }

    pub(super) fn get(&self, digest: &str) -> Option<Arc<Condemnation>> {
        self.by_digest.get(digest).cloned()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Condemnation> {
        self.by_digest.values().map(Arc::as_ref)
    }

    pub(super) fn condemn(&mut self, condemnation: Condemnation) {
        self.unwritten.insert(condemnation.digest.clone());
        self.by_digest.insert(condemnation.digest.clone(), Arc::new(condemnation));
        self.bound();
    }

    pub(super) fn forgive(&mut self, digest: &str) -> bool {
        let known = self.by_digest.remove(digest).is_some();
        if known {
            self.unwritten.insert(digest.to_owned());
        }
        known
    }

    /// What served in place of these bytes; if that was condemned as well, what served in place of that.
    pub(super) fn replacement_of(&self, digest: &str) -> Option<String> {
        let mut replacement = self.by_digest.get(digest)?.replaced_by.as_ref()?;
        // Two that replaced each other lead nowhere.
        for _ in 0..self.by_digest.len() {
            match self.by_digest.get(replacement) {
                None => return Some(replacement.clone()),
                Some(condemned) => replacement = condemned.replaced_by.as_ref()?,
            }
        }
        None
    }

    /// What the disk does not have yet: a verdict to write, or to remove.
    pub(super) fn unwritten(&self) -> Vec<(String, Option<Arc<Condemnation>>)> {
        self.unwritten.iter().map(|digest| (digest.clone(), self.get(digest))).collect()
    }

    /// The disk has this verdict; there may be another one by now.
    pub(super) fn written(&mut self, digest: &str, verdict: Option<&Arc<Condemnation>>) {
        if self.by_digest.get(digest) == verdict {
            self.unwritten.remove(digest);
        }
    }

    /// Forgets what was condemned longest ago, once there is too much.
    fn bound(&mut self) {
        while self.by_digest.len() > CONDEMNED_MAX {
            let oldest = self.by_digest.values().min_by(|a, b| a.at.cmp(&b.at)).map(|oldest| oldest.digest.clone());
            let Some(oldest) = oldest else { return };
            self.by_digest.remove(&oldest);
            self.unwritten.insert(oldest);
        }
        // Nobody takes them down where there is no disk to write to.
        while self.unwritten.len() > 4 * CONDEMNED_MAX {
            let stale = self.unwritten.iter().find(|digest| !self.by_digest.contains_key(*digest)).cloned();
            let Some(stale) = stale else { return };
            self.unwritten.remove(&stale);
        }
    }
}
