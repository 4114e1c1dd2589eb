//! Both components, loaded as a host loads them, and one call that is made of both.

use super::captured_call::{CapturedCall, CapturedRole, CapturedSeed};
use crate::cli::compile_cache::compile_cache;
use crate::cli::output::progress::{self, Stderr};
use crate::config::Config;
use crate::flow::{Message, Outputs};
use crate::plugin::{
    CallError, CallNumber, CallSeed, Candidate, Engine, Examples, Plugin, Processor, Rehearsal, ReplyPolicy, RoleName,
    Seed, Setup, StageRole, own_program,
};
use crate::system::supervisor::Supervisor;
use anyhow::Context;
use std::path::Path;
use std::sync::Arc;

/// What came of one call.
pub(super) type Ended = Result<Outputs, CallError>;

/// The components that are compared.
#[derive(Clone)]
pub(super) struct Both {
    pub(super) old: Arc<Plugin>,
    pub(super) new: Arc<Plugin>,
    /// It makes guests yield for as long as it is there: without it one that loops would never end.
    _engine: Engine,
}

impl Both {
    /// Loads both under the bounds and with the settings of a plugin, and without a network. Their examples are not tried:
    /// what a component answers is to be seen even if it is not what its author promises.
    ///
    /// # Errors
    /// When a component is refused, or the engine cannot be set up.
    pub(super) async fn load(old: &Path, new: &Path, name: &str, config: &Config) -> anyhow::Result<Self> {
        let setup = Setup {
            plugins: 2,
            compiler: own_program().context("finding this program, which compiles")?,
            cache: compile_cache(&config.cache, false),
            // Each call has its own.
            seed: Seed { value: 0, fixed: true },
            debug_info: false,
            spare_processors: 0,
            supervisor: Supervisor::default(),
        };
        let engine = Engine::new(&config.limits_largest(), setup)?;
        let loading = async { tokio::try_join!(load(&engine, old, name, config), load(&engine, new, name, config)) };
        let (old, new) = progress::during("compiling", Stderr::Alone, loading).await?;
        Ok(Self { old, new, _engine: engine })
    }

    /// Whether one of them has the role.
    pub(super) fn has_role(&self, role: CapturedRole) -> bool {
        let name = role.name();
        self.old.has_role(name) || self.new.has_role(name)
    }
}

async fn load(engine: &Engine, path: &Path, name: &str, config: &Config) -> anyhow::Result<Arc<Plugin>> {
    let mut limits = config.limits_of(name);
    // Nobody else needs the processors: long calls that took turns on a part of them would miss their deadlines.
    let processors = std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1));
    limits.cpu_percent_max = limits.cpu_percent_max.max(processors.saturating_mul(100));
    let loaded = async {
        let candidate = Candidate::read(path, limits.component_bytes_max).await?;
        let examples = Some(Examples::default());
        engine.load_without_slot(name, candidate, limits, config.settings_of(name), examples).await
    };
    loaded.await.with_context(|| format!("{} is refused", path.display()))
}

/// Both components with instances of their own, for one thread.
pub(super) struct Callers {
    pub(super) old: Rehearsal,
    pub(super) new: Rehearsal,
}

impl Callers {
    pub(super) fn of(both: &Both) -> Self {
        Self { old: Rehearsal::new(&both.old), new: Rehearsal::new(&both.new) }
    }

    /// Makes a call of both, each with the random numbers of the call that was captured, and with clocks that tell the same.
    /// Also returns the message.
    pub(super) async fn call(
        &self,
        role: CapturedRole,
        message: Message,
        seed: &CapturedSeed,
    ) -> (Message, Ended, Ended) {
        let call_seed = self.call_seed(role, seed);
        match role {
            CapturedRole::Processor => self.call_as::<Processor>(message, call_seed).await,
            CapturedRole::ReplyPolicy => self.call_as::<ReplyPolicy>(message, call_seed).await,
        }
    }

    async fn call_as<R: StageRole>(&self, message: Message, call_seed: CallSeed) -> (Message, Ended, Ended)
    where
        R::In: Clone,
    {
        let (old, new) = (self.old.plugin(), self.new.plugin());
        let other = (old.contract_of(R::NAME) != new.contract_of(R::NAME)).then(|| new.input::<R>(message.clone()));
        let input = old.input::<R>(message);
        let new_input = other.unwrap_or_else(|| input.clone());
        let old = self.old.call::<R>(input.clone(), call_seed.clone()).await;
        let new = self.new.call::<R>(new_input, call_seed).await;
        (input.into_message(), old, new)
    }

    /// What the call drew from: of a call that reached no component, the old one stands in for it, and it knows what a
    /// dead letter does not say.
    fn call_seed(&self, role: CapturedRole, seed: &CapturedSeed) -> CallSeed {
        let CapturedSeed { value, digest, role: served_as, number } = seed;
        let (old, new) = (self.old.plugin(), self.new.plugin());
        let name = role.name();
        CallSeed {
            seed: Seed { value: *value, fixed: true },
            digest: Arc::clone(digest.as_ref().unwrap_or_else(|| old.digest())),
            role: served_as.or_else(|| old.name_of_role(name)).or_else(|| new.name_of_role(name)),
            number: CallNumber::Message(*number),
        }
    }
}

impl CapturedCall {
    /// Makes the call of both.
    pub(super) async fn make(self, callers: &Callers) -> (Self, Ended, Ended) {
        let Self { number, role, message, seed } = self;
        let (message, old, new) = callers.call(role, message, &seed).await;
        (Self { number, role, message, seed }, old, new)
    }
}

impl CapturedRole {
    pub(super) fn name(self) -> RoleName {
        match self {
            Self::Processor => RoleName::PROCESSOR,
            Self::ReplyPolicy => RoleName::REPLY_POLICY,
        }
    }
}
