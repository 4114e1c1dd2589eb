//! Promotion: a shadow takes the place of what serves, if what was found allows it.

use super::apply::Apply;
use super::asked::{Asked, AskedError, Terms};
use super::calling::Promote;
use super::live::Live;
use super::running::Shadow;
use super::shadows::{Of, Shadows};
use super::status::ShadowState;
use crate::config::BUSY_RETRY_MS;
use crate::flow::ServedBy;
use crate::plugin::{LoadError, Loaded, NothingLoaded, Put, PutError, Slot};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Why a shadow does not serve.
#[derive(Debug, thiserror::Error)]
pub enum PromoteError {
    /// There is none that runs.
    #[error("no shadow runs beside it: begin one with `tidegate plugin shadow` or `tidegate flow shadow`")]
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

    async fn promote_if_due(&self, shadow: &Arc<Shadow>) {
        let terms = shadow.wanted.terms;
        {
            let progress = shadow.progress();
            let is_refused = progress.refused.is_some_and(|until| until.is_none_or(|until| Instant::now() < until));
            if is_refused || progress.comparison.counts().compared() < terms.min_calls {
                return;
            }
        }
        if let Err(why) = shadow.check(terms) {
            // A share may come to hold.
            return tell(shadow, why, None);
        }
        if let Err(error) = self.promote_within(shadow, terms, false).await {
            // What says nothing of the newcomer is tried again.
            let is_passing =
                matches!(&error, PromoteError::Put(PutError::Load(LoadError::Busy { .. } | LoadError::Superseded)));
            let until = is_passing.then(|| Instant::now() + Duration::from_millis(BUSY_RETRY_MS));
            tell(shadow, error.to_string(), Some(until));
        }
    }

    async fn promote_within(
        &self,
        shadow: &Arc<Shadow>,
        terms: Terms,
        persist: bool,
    ) -> Result<Promoted, PromoteError> {
        shadow.check(terms).map_err(PromoteError::Refused)?;
        let live = shadow.progress().live.clone().ok_or(PromoteError::None)?;
        if persist && !matches!(live, Live::Component { .. }) {
            let why = "settings and chains are kept by the configuration: write them there, and leave out persist";
            return Err(PromoteError::Refused(why.to_owned()));
        }
        let promoted = match live {
            Live::Component { slot, bytes, .. } => self.put_in_place(shadow, terms, (&slot, bytes), persist).await?,
            Live::Settings { slot, .. } => {
                let before = slot.generation();
                let set = shadow.beside.set().clone();
                let settings = self.apply()?.settings(slot.name().to_owned(), set);
                as_promoted(shadow, terms, settings).await?;
                let served_by = slot.serving_for_rehearsal().ok_or(NothingLoaded)?.0;
                let changed = before != Some(served_by.generation);
                Promoted::Plugin { served_by, changed, persisted: false }
            }
            Live::Chain { .. } => {
                let (name, through) = (shadow.beside.flow().to_owned(), shadow.beside.through().to_vec());
                let before = shadow.progress().against.through.clone();
                as_promoted(shadow, terms, self.apply()?.through(name.clone(), before, through.clone())).await?;
                Promoted::Flow { name, through }
            }
        };
        let why = match &promoted {
            Promoted::Plugin { served_by, .. } => format!("it serves as generation {}", served_by.generation),
            Promoted::Flow { .. } => "the flow leads through it".to_owned(),
        };
        tracing::info!(of = shadow.beside.key(), "a shadow has taken the place of what served");
        shadow.is_promoted(why);
        Ok(promoted)
    }

    /// Loads a component. Until the last moment the shadow can be ended, and something else can come to serve.
    async fn put_in_place(
        &self,
        shadow: &Arc<Shadow>,
        terms: Terms,
        (slot, bytes): (&Slot, Arc<Vec<u8>>),
        persist: bool,
    ) -> Result<Promoted, PromoteError> {
        // How much may differ was said of this traffic; a gate has its own.
        let put = Put { persist, expects_difference: false };
        let asked = Arc::clone(shadow);
        let still_wanted = move |generation| {
            let mut progress = asked.progress();
            let is_it = progress.state == ShadowState::Running
                && progress.against.generation == generation
                && progress.check(terms).is_ok();
            if is_it {
                progress.state = ShadowState::Promoted;
            }
            is_it
        };
        let loaded = self.0.slots.promote(slot, bytes, put, Arc::new(still_wanted)).await;
        if let Err(PutError::Persist(_)) = &loaded {
            shadow.is_promoted("it serves, and is not kept for the next start".to_owned());
        }
        let Loaded { served_by, changed, .. } = loaded?;
        Ok(Promoted::Plugin { served_by, changed, persisted: persist })
    }

    fn apply(&self) -> Result<Arc<dyn Apply>, PromoteError> {
        self.0.apply.get().cloned().ok_or_else(|| PromoteError::Refused("the host does not serve yet".to_owned()))
    }
}

/// Has something come into force of a shadow that can be ended no more meanwhile.
async fn as_promoted(
    shadow: &Shadow,
    terms: Terms,
    applying: impl Future<Output = Result<(), String>>,
) -> Result<(), PromoteError> {
    {
        let mut progress = shadow.progress();
        if progress.state != ShadowState::Running {
            return Err(PromoteError::None);
        }
        progress.check(terms).map_err(PromoteError::Refused)?;
        progress.state = ShadowState::Promoted;
    }
    applying.await.map_err(|why| {
        shadow.progress().state = ShadowState::Running;
        PromoteError::Refused(why)
    })
}

/// Says why a shadow does not serve by itself, once.
fn tell(shadow: &Shadow, why: String, refused: Option<Option<Instant>>) {
    let mut progress = shadow.progress();
    if progress.why.as_ref() != Some(&why) && (refused.is_some() || progress.why.is_none()) {
        tracing::warn!(of = shadow.beside.key(), why, "a shadow does not serve by itself");
    }
    (progress.why, progress.refused) = (Some(why), refused);
}
