//! The ZeroMQ side of a host: its sockets as configured, and what is told of them.

use super::builder::Builder;
use super::frontend::Answering;
use super::{StartError, could_not_start, plugins};
use crate::config::{self, Config, FRONTEND, PUBLISH};
use crate::flow::{Sink, Surface};
use crate::http::admin::Check;
use crate::messaging::broker::BrokerSurface;
use crate::messaging::publisher::PublisherSurface;
use crate::messaging::socket::endpoint::is_exposed;
use crate::messaging::socket::ipc::{IpcAccess, group_number};
use crate::messaging::{Broker, Publisher, Reservation, broker, publisher};
use crate::plugin::{Slot, Source};
use std::sync::Arc;

/// Binds the PUB socket, if it has an endpoint, as a sink of all that comes in.
pub(super) fn add_publisher(builder: &mut Builder) -> Result<(), StartError> {
    let Config { messaging, publisher, .. } = &builder.config;
    let hop = builder.ledger.hop(PUBLISH);
    builder.ledger.name_socket(PUBLISH, &hop);
    if messaging.publish.0.is_none() {
        builder.surfaces.add(PUBLISH, None::<Arc<PublisherSurface>>);
        return Ok(());
    }
    let settings = publisher::Settings {
        name: PUBLISH.to_owned(),
        bind: vec![messaging.publish.clone()],
        connect: Vec::new(),
        messaging: messaging.clone(),
        publisher: publisher.clone(),
        ipc: ipc(messaging).map_err(StartError::Usage)?,
        curve: builder.curve.clone(),
        keys: None,
    };
    let subscribers_min = publisher.subscribers_min;
    let publisher = Publisher::bind(settings, Arc::clone(&hop), &builder.supervisor).map_err(could_not_start)?;
    let publisher = Arc::new(publisher);
    builder.sinks.push(Arc::clone(&publisher) as Arc<dyn Sink>);
    builder.surfaces.add(PUBLISH, Some(Arc::new(PublisherSurface::new(publisher, hop, subscribers_min))));
    Ok(())
}

/// Takes the port of the ROUTER socket, if there is a flow or likely to be a plugin that answers there. Until that is loaded nobody
/// may connect: without one there is no frontend, and requests would be lost.
pub(super) async fn reserve_frontend(config: &Config, sources: &[Source]) -> Result<Option<Reservation>, StartError> {
    let Some(endpoint) = &config.messaging.frontend.0 else { return Ok(None) };
    if config.frontend_flow().is_none() && !plugins::has_likely_policy(config, sources).await {
        return Ok(None);
    }
    Broker::reserve(endpoint).map(Some).map_err(could_not_start)
}

/// Binds the ROUTER socket, if a flow or the `policy` answers what comes in by it, at the port that was taken for it.
pub(super) fn add_broker(
    builder: &mut Builder,
    policy: Option<Arc<Slot>>,
    taken: Option<Reservation>,
) -> Result<(), StartError> {
    let [policy_hop, schedule, reply] = ["policy", "schedule", "reply"].map(|name| builder.ledger.hop(name));
    builder.ledger.name_socket(FRONTEND, &reply);
    let Some(answering) = Answering::of(builder, policy) else {
        builder.surfaces.add(FRONTEND, None::<Arc<BrokerSurface>>);
        return Ok(());
    };
    let Config { messaging, broker, .. } = &builder.config;
    let messaging = &config::Messaging { workers: answering.calls_max, ..messaging.clone() };
    answering.warn_of_room(messaging);
    let Answering { stage, output_bytes_max, .. } = answering;
    let settings = broker::Settings {
        name: FRONTEND,
        messaging: messaging.clone(),
        broker: broker.clone(),
        output_bytes_max,
        ipc: ipc(messaging).map_err(StartError::Usage)?,
        curve: builder.curve.clone(),
    };
    let hops = broker::Hops {
        policy: policy_hop,
        schedule,
        reply,
        dead_letters: builder.dead_letters.clone(),
        tracer: builder.tracer.clone(),
        taps: builder.taps.clone(),
        recording: builder.recording.clone(),
    };
    drop(taken);
    let broker = Broker::start(
        settings,
        stage,
        tokio::runtime::Handle::current(),
        hops.clone(),
        Arc::clone(&builder.request_ids),
        &builder.supervisor,
    );
    let broker = broker.map_err(could_not_start)?;
    builder.surfaces.add(FRONTEND, Some(Arc::new(BrokerSurface::new(FRONTEND, broker, &hops))));
    Ok(())
}

/// Adds what is counted of keys, and what they have to be before the host is ready; without keys says who is let in.
pub(super) fn add_curve(builder: &mut Builder) {
    let Some(curve) = builder.curve.clone() else {
        warn_if_exposed(&builder.config, &builder.surfaces.all());
        return;
    };
    let counted = curve.clone();
    builder.checks.push(Check { name: "authorized-keys", look: Box::new(move || curve.complaint()) });
    builder.counts.push(Box::new(move |statistics| counted.add_to(statistics)));
}

/// Says which sockets and pools are configured and stay closed, since nobody needs them.
pub(super) fn warn_of_unused(config: &Config) {
    for name in config.unused_sockets() {
        tracing::warn!(
            "sockets.{name}: no flow and no route names it, so it stays closed; name it in the `from` or `to` of one, or \
             leave it out"
        );
    }
    for name in config.unused_pools() {
        tracing::warn!(
            "workers.{name}: no flow and no route goes through it, so it stays closed; name it in the `through` of one, or \
             leave it out"
        );
    }
}

/// Who may connect to sockets in the file system.
///
/// # Errors
/// When there is no such group; names it.
pub(super) fn ipc(messaging: &config::Messaging) -> Result<IpcAccess, String> {
    let group = messaging.ipc_group.as_deref().map(group_number).transpose();
    let group = group.map_err(|cause| format!("messaging.ipc_group: {cause}"))?;
    Ok(IpcAccess { mode: messaging.ipc_mode.0, group })
}

/// Says once that others can read and ask without being asked who they are.
fn warn_if_exposed(config: &Config, surfaces: &[Arc<dyn Surface>]) {
    // A socket that connects is reached by nobody, and its endpoints are those of others.
    let connects =
        |surface: &&Arc<dyn Surface>| config.sockets.get(surface.name()).is_some_and(|socket| socket.bind.is_empty());
    let endpoints = surfaces.iter().filter(|surface| !connects(surface));
    let endpoints = endpoints.map(|surface| (surface.name(), surface.endpoint()));
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
