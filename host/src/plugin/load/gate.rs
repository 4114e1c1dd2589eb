//! The gate of a plugin: whether a newcomer answers captured traffic as what serves does, before it may take its place.

use super::LoadError;
use crate::config;
use crate::plugin::roles::loaded::Plugin;
use arc_swap::ArcSwapOption;
use futures_util::future::BoxFuture;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Compares newcomers with what serves.
pub trait Gate: Send + Sync {
    /// Says what was compared, if the newcomer answers as what serves does as far as the `rules` ask for that. Both are such as
    /// [`Plugin::for_rehearsal`] makes, and the work is done on threads of a low priority.
    ///
    /// # Errors
    /// [`LoadError::Gate`] when it does not, or that cannot be known; [`LoadError::Busy`] when the machine had no time to tell.
    fn judge(
        &self,
        rules: Arc<config::Gate>,
        serving: Arc<Plugin>,
        newcomer: Arc<Plugin>,
    ) -> BoxFuture<'static, Result<String, LoadError>>;
}

/// The gate of one slot, which stands open where the configuration asks for nothing.
pub(in crate::plugin) struct SlotGate {
    judge: Option<Arc<dyn Gate>>,
    rules: ArcSwapOption<config::Gate>,
}

/// How a newcomer came through the gate.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::plugin) enum Judgement {
    /// It was asked for nothing.
    Open,
    /// Nothing served that it could be compared with.
    Alone,
    /// It was not compared, since it is wanted that it differs.
    Expected,
    /// It was compared with the component of this digest.
    #[allow(missing_docs)]
    Compared { with: Arc<str>, found: String },
}

impl Judgement {
    /// Whether it holds where the component of this digest serves, or nothing.
    pub(in crate::plugin) fn is_of(&self, serving: Option<&str>) -> bool {
        match self {
            Self::Open | Self::Expected => true,
            Self::Alone => serving.is_none(),
            Self::Compared { with, .. } => serving == Some(&**with),
        }
    }

    /// What is told of it with the load.
    pub(in crate::plugin) fn remark(&self) -> Option<&str> {
        match self {
            Self::Open => None,
            Self::Alone => Some("nothing served that it could be compared with at its gate"),
            Self::Expected => Some("it was not compared at its gate, as asked"),
            Self::Compared { found, .. } => Some(found),
        }
    }
}

impl SlotGate {
    pub(in crate::plugin) fn new(judge: Option<Arc<dyn Gate>>, rules: Option<&config::Gate>) -> Self {
        let gate = Self { judge, rules: ArcSwapOption::empty() };
        gate.configure(rules);
        gate
    }

    /// Asks for something else from the next newcomer on.
    pub(in crate::plugin) fn configure(&self, rules: Option<&config::Gate>) {
        self.rules.store(rules.cloned().map(Arc::new));
    }

    /// Lets a newcomer through that is wanted to differ.
    pub(in crate::plugin) fn pass_by(&self) -> Judgement {
        let is_open = self.judge.is_none() || self.rules.load().is_none();
        if is_open { Judgement::Open } else { Judgement::Expected }
    }

    /// Compares a newcomer with what serves, off the threads of the traffic. Whoever gives up waiting ends it. One of the
    /// `same_code_as` what serves cannot differ.
    ///
    /// # Errors
    /// When the newcomer may not serve, or it could not be told whether it may.
    pub(in crate::plugin) async fn pass(
        &self,
        serving: Option<&Arc<Plugin>>,
        newcomer: &Arc<Plugin>,
        same_code_as: Option<&str>,
    ) -> Result<Judgement, LoadError> {
        let (Some(judge), Some(rules)) = (&self.judge, self.rules.load_full()) else { return Ok(Judgement::Open) };
        let Some(serving) = serving else { return Ok(Judgement::Alone) };
        // It would not be swapped in whatever it answers.
        LoadError::of_lost_role(serving, newcomer)?;
        let with = Arc::clone(serving.digest());
        if same_code_as == Some(&*with) {
            return Ok(Judgement::Compared {
                with,
                found: "it differs from what served in its examples alone".to_owned(),
            });
        }
        let [serving, rehearsed] = [serving, newcomer].map(|plugin| Arc::new(plugin.for_rehearsal()));
        let judging = judge.judge(rules, serving, rehearsed);
        let (mut tell, told) = oneshot::channel();
        newcomer.sandbox.runtime.background_calls.spawn(async move {
            let mut judging = pin!(judging);
            let judged = tokio::select! {
                judged = &mut judging => judged,
                () = tell.closed() => return,
            };
            let _ = tell.send(judged);
        });
        let panicked = || LoadError::Gate("the host has failed to compare it; its log says more".to_owned());
        let found = told.await.unwrap_or_else(|_| Err(panicked()))?;
        Ok(Judgement::Compared { with, found })
    }
}
