//! The builder of a host: what each of its capabilities may need, and the lists that each adds to.

use super::pools::Pools;
use super::surfaces::Surfaces;
use crate::config::Config;
use crate::flow::{Recording, Sink, Taps};
use crate::http::admin::{Check, Counts, Reconfigure};
use crate::http::events::Hub;
use crate::http::route::RouteTable;
use crate::http::{
    Admission, CorsLookup, InFlightBudget, IncomingBounds, Middleware, Origins, Routes, Upgrades, WebSockets,
};
use crate::ledger::Ledger;
use crate::messaging::Curve;
use crate::plugin::Slots;
use crate::record::capture::Captures;
use crate::record::dead_letters::DeadLetters;
use crate::rehearsal::shadow::Shadows;
use crate::request_id::RequestIds;
use crate::system::descriptors::Shares;
use crate::system::supervisor::{Death, Supervisor};
use crate::traces::Tracer;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::Notify;

/// A capability takes from it what it needs, and adds its surfaces, sinks, checks and counts.
pub(super) struct Builder {
    pub(super) config: Config,
    pub(super) slots: Arc<Slots>,
    pub(super) curve: Option<Curve>,
    pub(super) ledger: Ledger,
    pub(super) dead_letters: DeadLetters,
    pub(super) captures: Captures,
    pub(super) shadows: Shadows,
    pub(super) request_ids: Arc<RequestIds>,
    pub(super) supervisor: Supervisor,
    /// Where whoever watches sees messages go by.
    pub(super) taps: Taps,
    /// Where messages and calls are recorded.
    pub(super) recording: Recording,
    /// Begins spans; without a collector none.
    pub(super) tracer: Tracer,
    /// How many descriptors each side of the host may have.
    pub(super) shares: Shares,
    /// Set when the host begins to end.
    pub(super) draining: Arc<AtomicBool>,
    /// Notified when the host is asked to end.
    pub(super) drain: Arc<Notify>,
    pub(super) surfaces: Surfaces,
    /// Where messages for pools of workers go.
    pub(super) pools: Pools,
    /// Where messages go that come in by HTTP.
    pub(super) sinks: Vec<Arc<dyn Sink>>,
    /// The events, if there are any.
    pub(super) events: Option<Arc<Hub>>,
    /// What bodies and what comes in by WebSockets may take together.
    pub(super) in_flight: InFlightBudget,
    /// The paths that have WebSockets.
    pub(super) websockets: Arc<WebSockets>,
    /// What requests go through, once it was asked for.
    pub(super) routes: Option<Arc<RouteTable>>,
    /// What has to be so, beside the surfaces, before the host is ready.
    pub(super) checks: Vec<Check>,
    /// What is counted by no surface.
    pub(super) counts: Vec<Counts>,
    starts: Vec<Start>,
}

/// Starts a surface.
type Start = Box<dyn FnOnce(&mut Builder, &Arc<dyn Reconfigure>) + Send>;

impl Builder {
    /// With all lists empty.
    pub(super) fn new(
        config: Config,
        slots: Arc<Slots>,
        curve: Option<Curve>,
        ledger: Ledger,
        (dead_letters, captures): (DeadLetters, Captures),
        supervisor: Supervisor,
        shares: Shares,
    ) -> Self {
        let origins = Origins::new(&config.events.origins, config.http.tls_cert.is_some());
        let in_flight = InFlightBudget::new("in_flight_bytes_max", config.http.in_flight_bytes_max);
        let time_max = Duration::from_millis(config.http.body_timeout_ms);
        let incoming = IncomingBounds { in_flight: in_flight.clone(), time_max };
        let websockets = WebSockets::new(origins, config.http.websockets_max, incoming);
        let recording = captures.recording();
        let surfaces = Surfaces::default();
        let shadows = Shadows::new(Arc::clone(&slots), surfaces.registry(), recording.clone(), ledger.clone());
        let (request_ids, taps, tracer, draining, drain) = Default::default();
        let (pools, sinks, events, routes, checks, counts, starts) = Default::default();
        Self {
            config,
            slots,
            curve,
            ledger,
            dead_letters,
            captures,
            shadows,
            request_ids,
            supervisor,
            taps,
            recording,
            tracer,
            shares,
            draining,
            drain,
            surfaces,
            pools,
            sinks,
            events,
            in_flight,
            websockets,
            routes,
            checks,
            counts,
            starts,
        }
    }

    /// Counts the lines of the log that were lost, by reason.
    pub(super) fn add_lost_lines(&mut self, lost: impl Fn() -> [(&'static str, u64); 2] + Send + Sync + 'static) {
        self.counts.push(Box::new(move |statistics| {
            let says = "Lines of the log that were not written, by reason";
            statistics.of(None).counters_by(("log_lines_dropped", None, says), "reason", lost());
        }));
    }

    /// Tells of the parts of the host that have died.
    pub(super) fn add_deaths(&mut self) {
        let (checked, counted) = (self.supervisor.clone(), self.supervisor.clone());
        let look = move || {
            let deaths = checked.deaths().into_iter();
            let lines: Vec<_> = deaths.map(|Death { part, cause }| format!("{part} has died: {cause}")).collect();
            (!lines.is_empty()).then(|| lines.join("\n"))
        };
        self.checks.push(Check { name: "parts", look: Box::new(look) });
        self.counts.push(Box::new(move |statistics| {
            let deaths = counted.deaths().into_iter().map(|death| (death.part, 1));
            let says = "Parts of the host that have died, for which it ends";
            statistics.of(None).counters_by(("part_deaths", None, says), "part", deaths);
        }));
    }

    /// Has something done once everything is bound and all lists are complete.
    pub(super) fn at_start(&mut self, start: impl FnOnce(&mut Self, &Arc<dyn Reconfigure>) + Send + 'static) {
        self.starts.push(Box::new(start));
    }

    /// Does what waits for that, with what has other configurations come into force.
    pub(super) fn start(&mut self, reconfigure: &Arc<dyn Reconfigure>) {
        for start in std::mem::take(&mut self.starts) {
            start(self, reconfigure);
        }
    }

    /// What stands between a listener's connections and its routes.
    pub(super) fn middleware(
        &self,
        routes: Routes,
        admission: Option<Admission>,
        cors: Option<CorsLookup>,
    ) -> Middleware {
        let (request_ids, uri_bytes_max) = (Arc::clone(&self.request_ids), self.config.http.uri_bytes_max);
        // Who watches the host is not watched.
        let tracer = admission.as_ref().map(|_| self.tracer.clone()).unwrap_or_default();
        let websockets = Arc::clone(&self.websockets) as Arc<dyn Upgrades>;
        let upgrades = admission.as_ref().map(|_| websockets);
        Middleware { routes, request_ids, uri_bytes_max, admission, cors, upgrades, tracer }
    }
}
