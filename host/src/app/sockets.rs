//! The ZeroMQ side of a host: its sockets as configured, and what is told of them.

use super::{StartError, could_not_start};
use crate::config::{self, Config};
use crate::dead_letters::DeadLetters;
use crate::http::admin::Check;
use crate::ledger::Ledger;
use crate::messaging::publisher::RetainBounds;
use crate::messaging::socket::endpoint::is_exposed;
use crate::messaging::socket::ipc::{IpcAccess, group_number};
use crate::messaging::{Broker, BrokerState, Curve, Publisher, SocketFigures, broker, publisher};
use crate::plugin::Slot;
use crate::request_id::RequestIds;
use std::sync::Arc;
use std::time::Duration;

pub(super) fn publisher(
    config: &Config,
    curve: Option<&Curve>,
    ledger: &Ledger,
) -> Result<Option<Arc<Publisher>>, StartError> {
    let Some(endpoint) = config.messaging.publish.0.clone() else { return Ok(None) };
    let (messaging, publisher) = (&config.messaging, &config.publisher);
    let retain = RetainBounds { topics_max: publisher.retain_topics_max, bytes_max: publisher.retain_bytes_max };
    let settings = publisher::Settings {
        endpoint,
        ipc: ipc(messaging)?,
        queue_messages_max: messaging.queue_messages_max,
        queue_bytes_max: messaging.queue_bytes_max,
        peer_queue_bytes_max: messaging.peer_queue_bytes_max,
        on_full: publisher.on_full,
        retain: publisher.retain.then_some(retain),
        heartbeat: Duration::from_millis(messaging.heartbeat_ms),
        handshake_timeout: Duration::from_millis(messaging.handshake_timeout_ms),
        curve: curve.cloned(),
    };
    let publisher = Publisher::bind(settings, Arc::clone(&ledger.publish)).map_err(could_not_start)?;
    Ok(Some(Arc::new(publisher)))
}

pub(super) fn broker(
    config: &Config,
    curve: Option<&Curve>,
    policy: Arc<Slot>,
    ledger: &Ledger,
    dead_letters: &DeadLetters,
    request_ids: &Arc<RequestIds>,
) -> Result<Broker, StartError> {
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
        endpoint: messaging.frontend.to_string(),
        ipc: ipc(messaging)?,
        workers,
        frame_bytes_max: messaging.frame_bytes_max,
        frames_max: messaging.frames_max,
        queue_messages_max: messaging.queue_messages_max,
        queue_bytes_max: bytes_max,
        output_bytes_max,
        peer_queue_bytes_max: messaging.peer_queue_bytes_max,
        on_full: config.broker.on_full,
        envelope: config.broker.envelope,
        heartbeat: Duration::from_millis(messaging.heartbeat_ms),
        handshake_timeout: Duration::from_millis(messaging.handshake_timeout_ms),
        curve: curve.cloned(),
    };
    let runtime = tokio::runtime::Handle::current();
    let hops = broker::Hops {
        policy: Arc::clone(&ledger.policy),
        schedule: Arc::clone(&ledger.schedule),
        reply: Arc::clone(&ledger.reply),
        dead_letters: dead_letters.clone(),
    };
    Broker::start(settings, policy, runtime, hops, Arc::clone(request_ids)).map_err(could_not_start)
}

fn ipc(messaging: &config::Messaging) -> Result<IpcAccess, StartError> {
    let group = messaging.ipc_group.as_deref().map(group_number).transpose();
    let group = group.map_err(|cause| StartError::Usage(format!("messaging.ipc_group: {cause}")))?;
    Ok(IpcAccess { mode: messaging.ipc_mode.0, group })
}

/// Says once that others can read and ask without being asked who they are.
pub(super) fn warn_if_exposed(publisher: Option<&Publisher>, broker: Option<&Broker>) {
    let publish = publisher.map(|publisher| ("publish", publisher.endpoint()));
    let frontend = broker.map(|broker| ("frontend", broker.endpoint()));
    let exposed: Vec<_> = [publish, frontend]
        .into_iter()
        .flatten()
        .filter(|(_, endpoint)| is_exposed(endpoint))
        .map(|(surface, endpoint)| format!("{surface} {endpoint}"))
        .collect();
    if !exposed.is_empty() {
        tracing::warn!(
            "{}: open to other machines without encryption, and whoever reaches it is let in; set --curve-secret-key and \
             --curve-authorized-keys (`tidegate keygen` makes the key), or bind to 127.0.0.1",
            exposed.join(", ")
        );
    }
}

/// What each socket tells of itself, by the name of its surface.
pub(super) fn figures(
    publisher: Option<&Arc<Publisher>>,
    broker: Option<&Broker>,
) -> Vec<(&'static str, Arc<SocketFigures>)> {
    let publish = publisher.map(|publisher| ("publish", Arc::clone(publisher.figures())));
    let frontend = broker.map(|broker| ("frontend", Arc::clone(broker.figures())));
    publish.into_iter().chain(frontend).collect()
}

/// What the sockets have to be before the host is ready.
pub(super) fn checks(
    publisher: Option<&Arc<Publisher>>,
    broker: Option<&Broker>,
    curve: Option<&Curve>,
    subscribers_min: usize,
) -> Vec<Check> {
    let mut checks: Vec<Check> = Vec::new();
    if let Some(curve) = curve.cloned() {
        let keys = Arc::clone(curve.keys());
        checks.push(Box::new(move || keys.complaint()));
        checks.push(Box::new(move || {
            let lost = curve.gates_lost() > 0;
            lost.then(|| "the thread that looks CURVE keys up has died, and nobody is let in".to_owned())
        }));
    }
    if let Some(figures) = publisher.map(|publisher| Arc::clone(publisher.figures())) {
        checks.push(Box::new(move || {
            let subscribers = figures.subscriber_count();
            let missing = subscribers < subscribers_min;
            missing.then(|| format!("{subscribers} subscribers of subscribers_min {subscribers_min}"))
        }));
    }
    if let Some(control) = broker.map(|broker| Arc::clone(broker.control())) {
        checks.push(Box::new(move || match control.status().state {
            BrokerState::Running => {
                control.obstacle().map(|obstacle| format!("the frontend reads no requests: {obstacle}"))
            }
            BrokerState::Paused => Some("the broker is paused".to_owned()),
            BrokerState::Draining => Some("the broker is draining".to_owned()),
            BrokerState::Drained => Some("the broker is drained".to_owned()),
        }));
    }
    checks
}
