//! What answers the requests of the frontend: a flow, or a reply policy.

mod storing;

use super::builder::Builder;
use crate::config::{self, Config, FLOW_OUTPUTS_MAX, pool_of};
use crate::flow::{ChainBounds, OwnedChain, OwnedLink, OwnedPlace, ReplyChain, Stage};
use crate::plugin::{PluginStage, ReplyPolicy, Slot};
use std::sync::Arc;
use storing::StoringStage;

/// That, with its bounds.
pub(super) struct Answering {
    pub(super) stage: Arc<dyn Stage>,
    /// What one call returns at most.
    pub(super) output_bytes_max: usize,
    /// Calls at a time.
    pub(super) calls_max: usize,
    /// What to lower where that is more than there is room for.
    remedy: String,
}

impl Answering {
    /// The flow of the frontend, else the policy, if there is either.
    pub(super) fn of(builder: &Builder, policy: Option<Arc<Slot>>) -> Option<Self> {
        if let Some((name, flow)) = builder.config.frontend_flow() {
            return Some(Self::of_flow(builder, name, flow));
        }
        let policy = policy?;
        let output_bytes_max = builder.config.limits_of(policy.name()).output_bytes_max;
        let remedy = format!("output_bytes_max of {}", policy.name());
        let stage = Arc::new(PluginStage::<ReplyPolicy>::new(policy));
        Some(Self { stage, output_bytes_max, calls_max: builder.config.messaging.workers, remedy })
    }

    fn of_flow(builder: &Builder, name: &str, flow: &config::Flow) -> Self {
        let output_bytes_max = flow.through.iter().map(|step| output_bytes_max(&builder.config, step)).max();
        // Without a step what is asked is what comes out.
        let output_bytes_max = output_bytes_max.unwrap_or(builder.config.messaging.frame_bytes_max);
        let (place, name) = (name.to_owned(), format!("flows.{name}"));
        let link = |step: &String| OwnedLink {
            stage: builder.pools.stage_of(step, flow.idempotent, &builder.slots),
            hop: Some(builder.ledger.hop(&format!("{name}.{step}"))),
        };
        let sinks: Vec<_> =
            builder.sinks.iter().filter(|sink| flow.to.iter().any(|to| to == sink.name())).cloned().collect();
        let storing = (!sinks.is_empty()).then(|| OwnedLink { stage: Arc::new(StoringStage::new(sinks)), hop: None });
        let chain = OwnedChain {
            links: flow.through.iter().map(link).chain(storing).collect(),
            numbers: builder.ledger.hop("transform"),
            bounds: ChainBounds { messages_max: FLOW_OUTPUTS_MAX, bytes_max: output_bytes_max },
            is_awaited: false,
            recording: (builder.recording.clone(), OwnedPlace::Flow(place)),
        };
        let remedy = format!("in_flight_max of {name}");
        let stage = Arc::new(ReplyChain::new(name, chain));
        Self { stage, output_bytes_max, calls_max: flow.in_flight_max, remedy }
    }

    /// Says where more calls may run than there is room for.
    pub(super) fn warn_of_room(&self, messaging: &config::Messaging) {
        let Self { output_bytes_max, calls_max, remedy, .. } = self;
        let bytes_max = messaging.queue_bytes_max;
        if output_bytes_max.saturating_mul(*calls_max) > bytes_max {
            let calls = (bytes_max / (*output_bytes_max).max(1)).max(1);
            tracing::warn!(
                "frontend: {calls_max} workers may return {output_bytes_max} bytes each, and messaging.queue_bytes_max \
                 {bytes_max} has room for {calls}: no more calls run at a time; raise it, or lower {remedy}"
            );
        }
    }
}

/// What comes out of a step for one message at most.
fn output_bytes_max(config: &Config, step: &str) -> usize {
    match pool_of(step).and_then(|pool| config.workers.get(pool)) {
        Some(pool) => pool.answer_bytes_max,
        None => config.limits_of(step).output_bytes_max,
    }
}
