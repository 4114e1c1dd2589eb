//! The host as a whole: configuration → everything loaded and bound → run → orderly end.

mod builder;
mod captures;
mod dead_letters;
mod events;
mod flows;
mod frontend;
mod http;
mod notice;
mod plugins;
mod pools;
mod reload;
mod sockets;
mod surfaces;
mod through;

use crate::config::Config;
use crate::flow::{Side, Taps};
use crate::http::admin::{Guard, Reconfigure};
use crate::http::route::RouteTable;
use crate::ledger::{Ledger, Reason, Report};
use crate::messaging::{Curve, accept_below};
use crate::plugin::{Slots, Source, Watch, poll};
use crate::record::capture::Captures;
use crate::record::dead_letters::DeadLetters;
use crate::rehearsal::TrafficGate;
use crate::rehearsal::shadow::{Apply, Shadows};
use crate::system::descriptors;
use crate::system::shutdown::{Ask, Signals};
use crate::system::supervisor::{Death, Supervisor};
use crate::traces::{self, Traces};
use anyhow::Context;
use builder::Builder;
use flows::Flows;
use http::RoutesInForce;
use reload::Reload;
pub use reload::Reread;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use surfaces::{FLUSH_MIN, Surfaces};
use tokio::sync::Notify;
use tokio::time::timeout;

/// How long a signal may take to be noticed after what else it ended.
const SIGNAL_PATIENCE: Duration = Duration::from_millis(50);

/// The order in which hops are reported; those of other names come behind them.
pub(crate) const REPORTED_HOPS: [&str; 8] =
    ["http", "transform", "handler", "publish", "policy", "schedule", "reply", DEAD_LETTER_HOP];
const DEAD_LETTER_HOP: &str = "dead-letter";
const TRACES_HOP: &str = "traces";

/// Why the host did not start; each kind has its exit code.
#[derive(Debug)]
pub enum StartError {
    /// The command line or configuration asks for what makes no sense.
    Usage(String),
    /// Something could not be loaded or bound.
    CouldNotStart(anyhow::Error),
    /// A signal ended it before it was ready; with the exit code for that.
    Interrupted(u8),
}

impl From<anyhow::Error> for StartError {
    fn from(error: anyhow::Error) -> Self {
        Self::CouldNotStart(error)
    }
}

/// How a run ended.
pub struct Ended {
    /// How much was given up at the end of the grace period.
    pub abandoned: u64,
    /// The parts of the host that died, for which it ended.
    pub deaths: Vec<Death>,
    ledger: Ledger,
    slots: Arc<Slots>,
}

impl Ended {
    /// What became of everything that came in; whole once the runtime is gone, and with it what was given up.
    pub fn report(&self) -> Report {
        Report::new(&self.ledger, self.slots.counts())
    }
}

/// A host with all plugins loaded and all addresses bound, which serves.
pub struct App {
    reload: Arc<Reload>,
    ledger: Ledger,
    slots: Arc<Slots>,
    watch: Watch,
    surfaces: Surfaces,
    /// What requests of the HTTP surface go through.
    routes: Arc<RouteTable>,
    flows: Arc<Flows>,
    taps: Taps,
    dead_letters: DeadLetters,
    captures: Captures,
    shadows: Shadows,
    traces: Traces,
    supervisor: Supervisor,
    draining: Arc<AtomicBool>,
    drain: Arc<Notify>,
    grace: Duration,
    signals: Signals,
}

impl App {
    /// Binds, then loads, so that a port which is taken is told of before anything is compiled; serves nobody before
    /// everything is known to fit together.
    ///
    /// `named` are the plugins of the command line; with those of the configuration they replace the scan of
    /// `./plugins`. A SIGHUP has the configuration `reread`. `lines_lost` reads how many lines of the log were lost, by reason.
    pub async fn build(
        config: Config,
        named: Vec<Source>,
        reread: Reread,
        lines_lost: impl Fn() -> [(&'static str, u64); 2] + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        // First of all: a signal during a slow load must already end in order.
        let mut signals = Signals::listen().context("listening to signals")?;
        let assembled = tokio::select! {
            biased;
            exit_code = signals.stop() => return Err(StartError::Interrupted(exit_code)),
            assembled = Self::assemble(config, named, reread, lines_lost) => assembled,
        };
        match assembled {
            Ok(assemble) => Ok(assemble(signals)),
            // A terminal's Ctrl-C reaches the compiler too, whose death may be noticed first.
            Err(error) => match timeout(SIGNAL_PATIENCE, signals.stop()).await {
                Ok(exit_code) => Err(StartError::Interrupted(exit_code)),
                Err(_) => Err(error),
            },
        }
    }

    /// All of the host but the signals that end it.
    async fn assemble(
        config: Config,
        named: Vec<Source>,
        reread: Reread,
        lines_lost: impl Fn() -> [(&'static str, u64); 2] + Send + Sync + 'static,
    ) -> Result<impl FnOnce(Signals) -> Self, StartError> {
        sockets::warn_of_unused(&config);
        let supervisor = Supervisor::default();
        let guard = |address| Guard::new(address, config.admin.token_file.as_deref());
        let guard = config.admin.address.0.map(guard).transpose().map_err(StartError::Usage)?;
        let curve_files = config.curve.files().map_err(StartError::Usage)?;
        let (token, tls) = (http::token(&config.http)?, http::tls(&config.http)?);
        let (sources, scanned) = plugins::sources(&config, named)?;
        let engine = plugins::engine(&config, sources.len(), &supervisor)?;
        let seed = engine.seed();
        let slots = Arc::new(
            Slots::new(engine, config.clone(), scanned.is_some())
                .with_gate(Arc::new(TrafficGate::default()))
                .with_backends(plugins::backends(&config)),
        );
        let curve = curve_files.map(|(key, keys)| Curve::load(key, keys, &supervisor));
        let curve = curve.transpose().map_err(could_not_start)?;
        let ledger = Ledger::default();
        REPORTED_HOPS.iter().for_each(|name| drop(ledger.hop(name)));
        let dead_letters = dead_letters::start(&config.dead_letters, seed, &ledger, &supervisor)?;
        let captures = captures::new(&config.capture, seed, &ledger, &supervisor);
        let shares = descriptors::take_all(config.http.connections_max);
        accept_below(shares.peers_below);
        let grace = Duration::from_millis(config.shutdown.grace_ms);
        let written = (dead_letters, captures);
        let mut builder = Builder::new(config, slots, curve, ledger, written, supervisor, shares);
        // A line for each capability, in the order of the lines at the start.
        let traces = add_traces(&mut builder)?;
        events::add_sink(&mut builder);
        http::add_public(&mut builder, token, tls).await?;
        http::add_admin(&mut builder, guard).await?;
        sockets::add_publisher(&mut builder)?;
        let flows = flows::add(&mut builder).await?;
        let frontend = sockets::reserve_frontend(&builder.config, &sources).await?;
        plugins::load(&builder.slots, sources, scanned.is_some()).await?;
        let policy = plugins::choose_policy(&builder.slots, &builder.config)?;
        sockets::add_broker(&mut builder, policy, frontend)?;
        sockets::add_curve(&mut builder);
        builder.add_lost_lines(lines_lost);
        builder.add_deaths();

        let watch = Watch::start(Arc::clone(&builder.slots), scanned, &builder.supervisor).map_err(could_not_start)?;
        through::check(&builder.slots, &builder.config, None).map_err(StartError::Usage)?;
        let routes = http::table(&mut builder);
        let in_force = RoutesInForce::new(&builder, Arc::clone(&routes));
        flows.apply(&builder.config, &builder.config, &in_force).await.map_err(could_not_start)?;
        let (config, draining) = (builder.config.clone(), Arc::clone(&builder.draining));
        let reload =
            Arc::new(Reload::new(config, reread, Arc::clone(&builder.slots), Arc::clone(&flows), in_force, draining));
        // A host that cannot start, again and again, must not push what came before its first end out of the ring.
        captures::start_ring(&builder.captures)?;
        builder.shadows.applied_by(Arc::clone(&reload) as Arc<dyn Apply>);
        builder.start(&(Arc::clone(&reload) as Arc<dyn Reconfigure>));
        let Builder { ledger, slots, surfaces, taps, dead_letters, captures, shadows, .. } = builder;
        let Builder { supervisor, draining, drain, .. } = builder;
        Ok(move |signals| Self {
            reload,
            ledger,
            slots,
            watch,
            surfaces,
            routes,
            flows,
            taps,
            dead_letters,
            captures,
            shadows,
            traces,
            supervisor,
            draining,
            drain,
            grace,
            signals,
        })
    }

    /// Its plugins, which can be swapped while it runs.
    pub fn slots(&self) -> Arc<Slots> {
        Arc::clone(&self.slots)
    }

    /// Serves until a signal, an order or the death of one of its parts, then ends in order.
    pub async fn run(mut self) -> Ended {
        self.surfaces.announce(&http::urls(&self.surfaces, &self.routes));
        let polls = poll(&self.slots, &self.supervisor);

        notice::ready();
        loop {
            let ask = tokio::select! {
                ask = self.signals.next() => ask,
                () = self.drain.notified() => Ask::Stop,
                _ = self.supervisor.first_death() => Ask::Stop,
            };
            if ask == Ask::Stop {
                break;
            }
            tracing::info!("SIGHUP: looking at every plugin's source, and at the configuration");
            notice::reloading();
            self.watch.stir();
            tokio::spawn(reload::load_all(Arc::clone(&self.slots)));
            let reload = Arc::clone(&self.reload);
            tokio::spawn(async move { reload.reread().await });
        }

        tracing::info!(grace_ms = self.grace.as_millis() as u64, "stopping: finishing what is in flight");
        notice::stopping();
        tokio::spawn(self.signals.exit_at_second());
        let deadline = Instant::now() + self.grace;
        self.draining.store(true, Ordering::Relaxed);
        // What serves nobody takes no time from what is in flight.
        self.shadows.close(Duration::ZERO);
        drop(self.watch);
        drop(polls);
        // What would open a socket now, or start a flow, would end them for nobody.
        self.reload.settle(self.grace / 2).await;
        let mut abandoned = self.surfaces.end(Side::Source, deadline).await;
        abandoned += self.surfaces.end(Side::Flow, deadline).await;
        // What HTTP and flows did not finish by now is cut off with the process.
        self.slots.close_hops();
        // Every message that was answered for has its place in a queue by now.
        abandoned += self.surfaces.end(Side::Sink, deadline).await;
        let flows = Arc::clone(&self.flows);
        flows.close().await;
        // Last of the traffic: each part may have had something to write. All of them have the same time for that.
        let close_by = deadline.max(Instant::now() + FLUSH_MIN);
        let left = move || close_by.saturating_duration_since(Instant::now());
        let (dead_letters, captures, shadows) = (self.dead_letters, self.captures, self.shadows);
        let closing = tokio::task::spawn_blocking(move || {
            // Captures end meanwhile, but it is letters that must not be lost.
            captures.close(Duration::ZERO);
            dead_letters.close(left());
            captures.close(left());
            shadows.close(left());
        });
        let _ = tokio::join!(closing, self.traces.close(left()));
        abandoned += self.ledger.hop(DEAD_LETTER_HOP).figures().dropped(Reason::Abandoned);
        let slots = Arc::clone(&self.slots);
        // What was condemned a moment ago must not come back with the next start.
        let _ = timeout(FLUSH_MIN, tokio::task::spawn_blocking(move || slots.write_condemned())).await;
        // Who watches has seen the last message by now.
        self.taps.end();
        self.surfaces.end(Side::Control, Instant::now()).await;

        Ended { abandoned, deaths: self.supervisor.deaths(), ledger: self.ledger, slots: self.slots }
    }
}

/// Traces are sent where the configuration names a collector; elsewhere there is nothing of them.
fn add_traces(builder: &mut Builder) -> Result<Traces, StartError> {
    let otel = &builder.config.otel;
    let Some(endpoint) = &otel.endpoint else { return Ok(Traces::default()) };
    let started = traces::start(endpoint, otel, builder.ledger.hop(TRACES_HOP), &builder.supervisor);
    let (tracer, traces) = started.map_err(could_not_start)?;
    builder.tracer = tracer;
    Ok(traces)
}

fn could_not_start(error: impl Display) -> StartError {
    StartError::CouldNotStart(anyhow::anyhow!("{error}"))
}
