//! The events of a host: a sink, the task that hands its messages to streams, and the surface where those are opened.

use super::builder::Builder;
use crate::config::EVENTS;
use crate::flow::{Sink, Surface};
use crate::http::Server;
use crate::http::events::{EventsSurface, Hub, PATH};
use crate::ledger::Hop;
use std::sync::Arc;

/// The hub, if there are to be events, as a sink of all that comes in.
pub(super) fn add_sink(builder: &mut Builder) {
    let settings = &builder.config.events;
    if !settings.enabled {
        return;
    }
    let [hop, streams_hop] = hops(builder);
    let hub = Hub::new(settings.clone(), hop, streams_hop);
    builder.sinks.push(Arc::clone(&hub) as Arc<dyn Sink>);
    builder.events = Some(hub);
}

/// The surface, which is a part of the public one.
pub(super) fn add_surface(builder: &mut Builder, public: &Server) {
    let Some(hub) = builder.events.clone() else { return };
    builder.websockets.set_events(Arc::clone(&hub));
    let running = Arc::clone(&hub);
    builder.supervisor.task(EVENTS, async move {
        running.run().await;
        Ok(())
    });
    let endpoint = format!("{}{PATH}", public.endpoint());
    let surface = EventsSurface::new(hub, hops(builder), endpoint, public.followers());
    builder.surfaces.add(EVENTS, Some(Arc::new(surface)));
}

fn hops(builder: &Builder) -> [Arc<Hop>; 2] {
    [EVENTS, "events.streams"].map(|name| builder.ledger.hop(name))
}
