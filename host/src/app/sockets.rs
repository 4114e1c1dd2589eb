//! The ZeroMQ side of a host: its sockets as configured, and what is told of them.

use super::{StartError, could_not_start};
use crate::config::{self, Config};
use crate::dead_letters::DeadLetters;
use crate::flow::Surface;
use crate::http::admin::Check;
use crate::ledger::Ledger;
use crate::messaging::broker::BrokerSurface;
use crate::messaging::publisher::PublisherSurface;
use crate::messaging::socket::endpoint::is_exposed;
use crate::messaging::socket::ipc::{IpcAccess, group_number};
use crate::messaging::{Broker, Curve, Publisher, broker, publisher};
use crate::plugin::{PluginStage, ReplyPolicy, Slot};
use crate::request_id::RequestIds;
use crate::system::supervisor::Supervisor;
use std::sync::Arc;

pub(super) fn publisher(
    config: &Config,
    curve: Option<&Curve>,
    ledger: &Ledger,
    supervisor: &Supervisor,
) -> Result<Option<Arc<Publisher>>, StartError> {
    if config.messaging.publish.0.is_none() {
        return Ok(None);
    }
    let settings = publisher::Settings {
        messaging: config.messaging.clone(),
        publisher: config.publisher.clone(),
        ipc: ipc(&config.messaging)?,
        curve: curve.cloned(),
    };
    let publisher = Publisher::bind(settings, ledger.hop("publish"), supervisor).map_err(could_not_start)?;
    Ok(Some(Arc::new(publisher)))
}

/// The surface that a publisher is.
pub(super) fn publish(publisher: &Arc<Publisher>, config: &Config, ledger: &Ledger) -> Arc<PublisherSurface> {
    let (hop, subscribers_min) = (ledger.hop("publish"), config.publisher.subscribers_min);
    Arc::new(PublisherSurface::new(Arc::clone(publisher), hop, subscribers_min))
}

pub(super) fn broker(
    config: &Config,
    curve: Option<&Curve>,
    policy: Arc<Slot>,
    ledger: &Ledger,
    dead_letters: &DeadLetters,
    request_ids: &Arc<RequestIds>,
    supervisor: &Supervisor,
) -> Result<BrokerSurface, StartError> {
    let messaging = &config.messaging;
    let (workers, bytes_max) = (messaging.workers, messaging.queue_bytes_max);
    let output_bytes_max = config.limits_of(policy.name()).output_bytes_max;
    if output_bytes_max.saturating_mul(workers) > bytes_max {
        let calls = (bytes_max / output_bytes_max.max(1)).max(1);
        tracing::warn!(
            "frontend: {workers} workers may return {output_bytes_max} bytes each, and messaging.queue_bytes_max \
             {bytes_max} has room for {calls}: no more calls run at a time; raise it, or lower output_bytes_max of {}",
            policy.name()
        );
    }
    let settings = broker::Settings {
        messaging: messaging.clone(),
        broker: config.broker.clone(),
        output_bytes_max,
        ipc: ipc(messaging)?,
        curve: curve.cloned(),
    };
    let runtime = tokio::runtime::Handle::current();
    let hops = broker::Hops {
        policy: ledger.hop("policy"),
        schedule: ledger.hop("schedule"),
        reply: ledger.hop("reply"),
        dead_letters: dead_letters.clone(),
    };
    let broker = Broker::start(
        settings,
        Arc::new(PluginStage::<ReplyPolicy>::new(policy)),
        runtime,
        hops.clone(),
        Arc::clone(request_ids),
        supervisor,
    );
    Ok(BrokerSurface::new(broker.map_err(could_not_start)?, &hops))
}

fn ipc(messaging: &config::Messaging) -> Result<IpcAccess, StartError> {
    let group = messaging.ipc_group.as_deref().map(group_number).transpose();
    let group = group.map_err(|cause| StartError::Usage(format!("messaging.ipc_group: {cause}")))?;
    Ok(IpcAccess { mode: messaging.ipc_mode.0, group })
}

/// Says once that others can read and ask without being asked who they are.
pub(super) fn warn_if_exposed<'a>(surfaces: impl IntoIterator<Item = &'a dyn Surface>) {
    let endpoints = surfaces.into_iter().map(|surface| (surface.name(), surface.endpoint()));
    let exposed = endpoints.filter(|(_, endpoint)| is_exposed(endpoint));
    let exposed: Vec<_> = exposed.map(|(name, endpoint)| format!("{name} {endpoint}")).collect();
    if !exposed.is_empty() {
        tracing::warn!(
            "{}: open to other machines without encryption, and whoever reaches it is let in; set --curve-secret-key and \
             --curve-authorized-keys (`tidegate keygen` makes the key), or bind to 127.0.0.1",
            exposed.join(", ")
        );
    }
}

/// What the keys have to be before the host is ready.
pub(super) fn checks(curve: Option<&Curve>) -> Vec<Check> {
    let Some(curve) = curve.cloned() else { return Vec::new() };
    vec![Box::new(move || curve.complaint())]
}
