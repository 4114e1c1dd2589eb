//! Promotion: a shadow takes the place of what serves, if what was found allows it.

use super::asked::{Asked, AskedError, Terms};
use super::calling::Promote;
use super::running::{Newcomer, Shadow};
use super::shadows::{Of, Shadows};
use super::status::ShadowState;
use crate::flow::ServedBy;
use crate::plugin::{Loaded, NothingLoaded, Put, PutError, Slot};
use std::sync::Arc;

/// Why a shadow does not serve.
#[derive(Debug, thiserror::Error)]
pub enum PromoteError {
    /// There is none that runs.
    #[error("no shadow runs beside it: begin one with `tidegate plugin shadow`")]
    None,
    /// What is asked for makes no sense.
    #[error(transparent)]
    Asked(#[from] AskedError),
    /// Too much differs, or too little was compared.
    #[error("{0}")]
    Refused(String),
    /// Nothing serves any more.
    #[error(transparent)]
    Nothing(#[from] NothingLoaded),
    /// The component is refused, or not kept.
    #[error(transparent)]
    Put(#[from] PutError),
}

/// What serves once a shadow was promoted.
#[derive(Debug)]
pub enum Promoted {
    /// A generation of a plugin.
    #[allow(missing_docs)]
    Plugin { served_by: Arc<ServedBy>, changed: bool, persisted: bool },
    /// The flow of this name leads through other plugins.
    #[allow(missing_docs)]
    Flow { name: String, through: Vec<String> },
}

impl Shadows {
    /// Has one take the place of what serves, if it may by what it was begun with, but for what is `asked` otherwise. With
    /// `persist` its component becomes the content of the plugin's source.
    ///
    /// # Errors
    /// When it may not, and when the component is refused.
    pub async fn promote(&self, of: Of<'_>, asked: &Asked, persist: bool) -> Result<Promoted, PromoteError> {
        let shadow = self.get(of).filter(|shadow| shadow.is_running()).ok_or(PromoteError::None)?;
        let terms = shadow.wanted.terms.with(asked)?;
        self.promote_within(&shadow, terms, persist).await
    }

    /// What has a shadow serve by itself once it may.
    pub(super) fn promotion_of(&self, shadow: &Arc<Shadow>) -> Promote {
        let (shadows, shadow) = (self.clone(), Arc::clone(shadow));
        Box::new(move || {
            let (shadows, shadow) = (shadows.clone(), Arc::clone(&shadow));
            Box::pin(async move { shadows.promote_if_due(&shadow).await })
        })
    }

    async fn promote_if_due(&self, shadow: &Shadow) {
        let terms = shadow.wanted.terms;
        {
            let mut progress = shadow.progress();
            if progress.comparison.counts().compared() < terms.min_calls || progress.was_refused {
                return;
            }
            if let Err(why) = progress.check(terms) {
                // A share may come to hold.
                let is_news = progress.why.is_none();
                progress.why = Some(why.clone());
                if is_news {
                    tracing::warn!(of = shadow.key, why, "a shadow does not serve by itself");
                }
                return;
            }
        }
        if let Err(error) = self.promote_within(shadow, terms, false).await {
            tracing::warn!(of = shadow.key, %error, "a shadow does not serve by itself");
            let mut progress = shadow.progress();
            (progress.why, progress.was_refused) = (Some(error.to_string()), true);
        }
    }

    async fn promote_within(&self, shadow: &Shadow, terms: Terms, persist: bool) -> Result<Promoted, PromoteError> {
        {
            let progress = shadow.progress();
            if let Some(slot) = shadow.newcomer.slot() {
                let now = slot.generation().ok_or(NothingLoaded)?;
                let against = progress.against.generation;
                if now != against {
                    let why = format!("generation {now} serves by now, and it was compared with {against}");
                    return Err(PromoteError::Refused(why));
                }
            }
            progress.check(terms).map_err(PromoteError::Refused)?;
        }
        let promoted = self.put_in_place(&shadow.newcomer, persist).await?;
        let why = match &promoted {
            Promoted::Plugin { served_by, .. } => format!("it serves as generation {}", served_by.generation),
            Promoted::Flow { .. } => "the flow leads through it".to_owned(),
        };
        tracing::info!(of = shadow.key, "a shadow has taken the place of what served");
        shadow.end(ShadowState::Promoted, Some(why));
        Ok(promoted)
    }

    async fn put_in_place(&self, newcomer: &Newcomer, persist: bool) -> Result<Promoted, PromoteError> {
        let apply = || self.0.apply.get().cloned().ok_or(PromoteError::None);
        match newcomer {
            Newcomer::Component { slot, bytes, .. } => {
                // How much may differ was said of this traffic; a gate has its own.
                let put = Put { persist, expects_difference: false };
                let loaded = self.0.slots.put(slot.name(), (**bytes).clone(), put).await;
                let Loaded { served_by, changed, .. } = loaded?;
                Ok(Promoted::Plugin { served_by, changed, persisted: persist })
            }
            Newcomer::Settings { slot, all, .. } => {
                let before = slot.generation();
                apply()?.settings(slot.name().to_owned(), all.clone()).await.map_err(PromoteError::Refused)?;
                let served_by = serving(slot)?;
                let changed = before != Some(served_by.generation);
                Ok(Promoted::Plugin { served_by, changed, persisted: false })
            }
            Newcomer::Chain { flow, through, .. } => {
                let applied = apply()?.through(flow.clone(), through.clone()).await;
                applied.map_err(PromoteError::Refused)?;
                Ok(Promoted::Flow { name: flow.clone(), through: through.clone() })
            }
        }
    }
}

fn serving(slot: &Slot) -> Result<Arc<ServedBy>, NothingLoaded> {
    Ok(slot.serving_for_rehearsal().ok_or(NothingLoaded)?.0)
}
