//! A step of a route: a plugin, or a stage of the host's own.

use super::Kind;
use crate::byte_budget::BudgetShare;
use crate::flow::Stage;
use crate::ledger::Hop;
use crate::plugin::{Contract, HttpHandler, Plugin, PluginStage, Processor, Role, Slot};
use std::sync::Arc;

/// A step on the way of a route.
#[derive(Clone)]
pub struct Stop {
    /// What processes messages there.
    pub step: Step,
    /// Counts its calls, where the route has several steps.
    pub hop: Option<Arc<Hop>>,
}

/// What processes messages at a step.
#[derive(Clone)]
pub enum Step {
    /// The plugin of this name.
    Plugin(String),
    /// A pool of workers, say.
    OfHost(Arc<HostStage>),
}

/// A stage of the host's own, for requests.
pub struct HostStage {
    idempotent: Arc<dyn Stage>,
    other: Arc<dyn Stage>,
    output_bytes_max: usize,
    share: BudgetShare,
}

impl HostStage {
    /// One that may process an `idempotent` request twice, and no `other`. Of one message at most so many bytes come out.
    pub fn new(idempotent: Arc<dyn Stage>, other: Arc<dyn Stage>, output_bytes_max: usize) -> Self {
        Self { idempotent, other, output_bytes_max, share: BudgetShare::default() }
    }

    /// What the stage is called.
    pub(super) fn name(&self) -> &str {
        self.other.name()
    }
}

/// A step as one request has found it.
#[derive(Clone)]
pub(crate) enum FoundStep {
    Plugin(Arc<Slot>),
    OfHost(Arc<HostStage>),
}

impl FoundStep {
    /// The slot of a plugin.
    pub(crate) fn slot(&self) -> Option<&Arc<Slot>> {
        match self {
            Self::Plugin(slot) => Some(slot),
            Self::OfHost(_) => None,
        }
    }

    /// What it has of the room that all bodies of HTTP share.
    pub(crate) fn share(&self) -> &BudgetShare {
        match self {
            Self::Plugin(slot) => slot.room(),
            Self::OfHost(stage) => &stage.share,
        }
    }

    /// Whether it has no plugin now, and could have one.
    pub(crate) fn is_empty(&self) -> bool {
        self.slot().is_some_and(|slot| slot.roles().is_none())
    }

    /// Whether it knows what the contract has had of HTTP since version 0.2.0.
    pub(crate) fn speaks_http(&self) -> bool {
        match self {
            Self::Plugin(slot) => {
                slot.contract_of(Processor::NAME).is_some_and(|contract| contract != Contract::V0_1_0)
            }
            Self::OfHost(_) => true,
        }
    }

    /// What comes out of it for one message at most.
    pub(super) fn output_bytes_max(&self) -> usize {
        match self {
            Self::Plugin(slot) => slot.output_bytes_max(),
            Self::OfHost(stage) => stage.output_bytes_max,
        }
    }

    /// What processes messages here, for requests that may be made twice or not.
    pub(crate) fn stage(&self, is_idempotent: bool) -> Arc<dyn Stage> {
        match self {
            Self::Plugin(slot) => Arc::new(PluginStage::<Processor>::new(Arc::clone(slot))),
            Self::OfHost(stage) => Arc::clone(if is_idempotent { &stage.idempotent } else { &stage.other }),
        }
    }

    /// What it does for its route, where it may be `alone`; none if it has no plugin now.
    pub(super) fn kind(&self, alone: bool) -> Option<Kind> {
        let of_plugin = |plugin: &Plugin| match plugin.has_role(Processor::NAME) {
            _ if alone && plugin.has_role(HttpHandler::NAME) => Kind::Handler,
            true => Kind::Processors,
            false => Kind::Nothing,
        };
        match self {
            Self::Plugin(slot) => slot.read(of_plugin),
            Self::OfHost(_) => Some(Kind::Processors),
        }
    }

    /// Logs what is wrong with what came out of it, which shows only to who makes a response of it.
    pub(crate) fn log_no_response(&self, error: &str, request_id: &str) {
        match self {
            Self::Plugin(slot) => slot.log_no_response(error, request_id),
            Self::OfHost(stage) => {
                let stage = stage.other.name();
                tracing::warn!(stage, request_id, ?error, "what came out is no response");
            }
        }
    }
}
