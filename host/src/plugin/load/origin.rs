//! Where a slot's component comes from: a file that is read, or a reference that is resolved and pulled.

use super::blocking::blocking;
use super::oci_cache::OciCache;
use super::turn::Turn;
use super::{Candidate, LoadError};
use crate::config::{Place, Reference};
use crate::oci::{Artifact, Error, Registries};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The place of one slot's component, and what is known of it.
pub(crate) struct ComponentOrigin {
    place: Place,
    registries: Arc<Registries>,
    oci_cache: Option<Arc<OciCache>>,
    known: Mutex<Known>,
}

/// What is known of a reference.
#[derive(Default)]
struct Known {
    /// What it stood for when it was last fetched.
    last: Option<Artifact>,
    /// What it stood for when the registry was last asked.
    resolved: Option<Artifact>,
}

/// A component, and the artifact that it is the layer of.
type Pulled = (Artifact, Arc<Vec<u8>>);

impl ComponentOrigin {
    pub(crate) fn new(place: Place, registries: Arc<Registries>, oci_cache: Option<Arc<OciCache>>) -> Self {
        Self { place, registries, oci_cache, known: Mutex::default() }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Reads or pulls the component; none if the reference still stands for what was fetched last, and nobody `asked`.
    /// While nothing `serves`, a cached copy stands in for a registry that does not answer. A load that nobody asked
    /// for takes its `turn` when the registry has resolved the reference, so that only what is asked for after that
    /// supersedes it.
    ///
    /// # Errors
    /// When the file cannot be read, or the registry does not give the component and no copy may stand in.
    pub(crate) async fn fetch(
        &self,
        plugin: &str,
        bytes_max: u64,
        asked: bool,
        serves: bool,
        turn: &mut Turn,
    ) -> Result<Option<Candidate>, LoadError> {
        let reference = match &self.place {
            Place::File(path) => return Candidate::read(path, bytes_max).await.map(Some),
            Place::Registry(reference) => reference,
        };
        let pulled = match self.pull(reference, bytes_max, asked, turn).await {
            Ok(pulled) => pulled,
            Err(Error::Unavailable(why)) if !serves => Some(self.stand_in(plugin, reference, bytes_max, why).await?),
            Err(Error::Unavailable(why)) => return Err(LoadError::Unreachable(why)),
            Err(Error::Refused(why)) => return Err(LoadError::Pull(why)),
            Err(Error::Denied(why)) => return Err(LoadError::Denied(why)),
        };
        let Some((artifact, bytes)) = pulled else { return Ok(None) };
        let bytes = if artifact.is_packed { unpacked(reference, bytes, bytes_max).await? } else { bytes };
        let candidate = Candidate::new(bytes).await?;
        if !artifact.is_packed && *candidate.digest != artifact.component {
            return Err(LoadError::Pull(format!(
                "the component's digest is {}, not {}",
                candidate.digest, artifact.component
            )));
        }
        let digest = Arc::from(artifact.digest.as_str());
        self.remember(artifact);
        Ok(Some(Candidate { artifact: Some(digest), ..candidate }))
    }

    async fn pull(
        &self,
        reference: &Reference,
        bytes_max: u64,
        asked: bool,
        turn: &mut Turn,
    ) -> Result<Option<Pulled>, Error> {
        let last = self.known().last.clone();
        // A digest stands for the same thing for ever.
        if !reference.is_tag()
            && let Some(pulled) = self.copy(reference, bytes_max).await
        {
            return Ok(Some(pulled));
        }
        let artifact = self.registries.resolve(reference, last.as_ref()).await?;
        if !asked {
            *turn = Turn::next();
        }
        self.known().resolved = Some(artifact.clone());
        if !asked && last.is_some_and(|last| last.component == artifact.component) {
            self.remember(artifact);
            return Ok(None);
        }
        let bytes = match self.copy_of(&artifact, bytes_max).await {
            Some(bytes) => bytes,
            None => Arc::new(self.registries.pull(reference, &artifact, bytes_max).await?),
        };
        self.keep(reference, &artifact, &bytes).await;
        Ok(Some((artifact, bytes)))
    }

    /// The copy of what a reference last stood for.
    async fn stand_in(
        &self,
        plugin: &str,
        reference: &Reference,
        bytes_max: u64,
        why: String,
    ) -> Result<Pulled, LoadError> {
        let Some((artifact, bytes)) = self.copy(reference, bytes_max).await else {
            let no_copy = match &self.oci_cache {
                Some(_) => "and there is no copy of it in the cache",
                None => "and no copies are kept, as there is no cache",
            };
            return Err(LoadError::Unreachable(format!("{why}; {no_copy}")));
        };
        tracing::warn!(
            plugin,
            source = %reference,
            artifact = artifact.digest,
            reason = ?why,
            "a copy from the cache is used, of what the reference last stood for; a newer one may be missed"
        );
        Ok((artifact, bytes))
    }

    /// Marks what the reference stands for as fetched, so that the next poll leaves it alone: someone chose something
    /// else.
    pub(crate) fn leave_alone(&self) {
        let mut known = self.known();
        known.last = known.resolved.take().or(known.last.take());
    }

    /// Marks nothing as fetched, so that the next poll fetches again what the reference stands for.
    pub(crate) fn forget(&self) {
        self.known().last = None;
    }

    fn remember(&self, artifact: Artifact) {
        self.known().last = Some(artifact);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn copy(&self, reference: &Reference, bytes_max: u64) -> Option<Pulled> {
        let (oci_cache, reference) = (Arc::clone(self.oci_cache.as_ref()?), reference.clone());
        let artifact = blocking(move || Ok(oci_cache.last(&reference))).await.ok()??;
        let bytes = self.copy_of(&artifact, bytes_max).await?;
        Some((artifact, bytes))
    }

    async fn copy_of(&self, artifact: &Artifact, bytes_max: u64) -> Option<Arc<Vec<u8>>> {
        let (oci_cache, component) = (Arc::clone(self.oci_cache.as_ref()?), artifact.component.clone());
        blocking(move || Ok(oci_cache.get(&component, bytes_max))).await.ok()?.map(Arc::new)
    }

    /// Keeps a copy, where copies are kept.
    async fn keep(&self, reference: &Reference, artifact: &Artifact, bytes: &Arc<Vec<u8>>) {
        let Some(oci_cache) = self.oci_cache.clone() else { return };
        let (reference, artifact, bytes) = (reference.clone(), artifact.clone(), Arc::clone(bytes));
        // A copy that is not kept is logged there, and costs the next start a pull.
        let _ = blocking(move || {
            oci_cache.put(&reference, &artifact, &bytes);
            Ok(())
        })
        .await;
    }
}

/// The component in the layer of a container image.
async fn unpacked(reference: &Reference, layer: Arc<Vec<u8>>, bytes_max: u64) -> Result<Arc<Vec<u8>>, LoadError> {
    let reference = reference.clone();
    blocking(move || {
        let component = Artifact::unpacked(&reference, &layer, bytes_max);
        component.map(Arc::new).map_err(|error| LoadError::Pull(error.to_string()))
    })
    .await
}
