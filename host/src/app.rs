//! The host as a whole: configuration → everything loaded and bound → run → orderly end.

mod http;
mod notice;
mod plugins;
mod sockets;
mod surfaces;

use crate::config::{self, Config, RELOAD_TOLD_MS_MAX};
use crate::dead_letters::{self, DeadLetters};
use crate::flow::{Side, Sink};
use crate::http::Middleware;
use crate::http::admin::{Admin, AdminParts, Check, Counts, Guard, Observed};
use crate::ledger::{Ledger, Reason, Report};
use crate::messaging::{Curve, accept_below};
use crate::plugin::{Cause, Seed, Slots, Source, Watch, poll};
use crate::request_id::RequestIds;
use crate::system::descriptors;
use crate::system::shutdown::{Ask, Signals};
use crate::system::supervisor::{Death, Supervisor};
use anyhow::Context;
use futures_util::future::join_all;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use surfaces::{FLUSH_MIN, Surfaces};
use tokio::sync::Notify;
use tokio::time::timeout;

/// How long a reload may take before the service manager is told that it is over, whatever goes on.
const RELOAD_TOLD_MAX: Duration = Duration::from_millis(RELOAD_TOLD_MS_MAX);

/// Why the host did not start; each kind has its exit code.
#[derive(Debug)]
pub enum StartError {
    /// The command line or configuration asks for what makes no sense.
    Usage(String),
    /// Something could not be loaded or bound.
    CouldNotStart(anyhow::Error),
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
        Report::new(&self.ledger, self.slots.figures())
    }
}

/// A host with all plugins loaded and all addresses bound, which serves.
pub struct App {
    ledger: Ledger,
    slots: Arc<Slots>,
    watch: Watch,
    surfaces: Surfaces,
    dead_letters: DeadLetters,
    supervisor: Supervisor,
    draining: Arc<AtomicBool>,
    drain: Arc<Notify>,
    grace: Duration,
    signals: Signals,
}

impl App {
    /// Loads, then binds: nothing is bound before everything is known to fit together.
    ///
    /// `named` are the plugins of the command line; with those of the configuration they replace the scan of
    /// `./plugins`. `lines_lost` reads how many lines of the log were lost, by reason.
    pub async fn build(
        config: Config,
        named: Vec<Source>,
        lines_lost: impl Fn() -> [(&'static str, u64); 2] + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let supervisor = Supervisor::default();
        // First of all: a signal during a slow load must already end in order.
        let signals = Signals::listen().context("listening to signals")?;
        let guard = |address| Guard::new(address, config.admin.token_file.as_deref());
        let guard = config.admin.address.0.map(guard).transpose().map_err(StartError::Usage)?;
        let curve_files = config.curve.files().map_err(StartError::Usage)?;
        let (token, tls) = (http::token(&config.http)?, http::tls(&config.http)?);
        let (sources, scanned) = plugins::sources(&config, named)?;
        let engine = plugins::engine(&config, sources.len(), &supervisor)?;
        let seed = engine.seed();
        let slots = Arc::new(Slots::new(engine, config.clone(), scanned.is_some()));
        plugins::load(&slots, sources, scanned.is_some()).await?;
        let policy = match config.messaging.frontend.0 {
            Some(_) => plugins::choose_policy(&slots, config.messaging.policy.as_deref())?,
            None => None,
        };
        if let Some(policy) = &policy {
            slots.set_policy(policy);
        }

        let curve = curve_files.map(|(key, keys)| Curve::load(key, keys, &supervisor));
        let curve = curve.transpose().map_err(could_not_start)?;
        let ledger = ledger();
        let dead_letters = dead_letters(&config.dead_letters, seed, &ledger, &supervisor)?;
        let request_ids = Arc::new(RequestIds::default());
        let shares = descriptors::take_all(config.http.connections_max);
        accept_below(shares.peers_below);
        let settings = http::settings(&config.http, shares.http_max, true);
        let hops = ["http", "transform", "handler"].map(|name| ledger.hop(name)).to_vec();
        let public = http::bind(("http", Side::Source), config.http.address, settings, tls, hops).await?;
        let settings = http::settings(&config.http, shares.admin_max, false);
        let admin = http::bind(("admin", Side::Control), config.admin.address, settings, None, Vec::new()).await?;
        let publisher = sockets::publisher(&config, curve.as_ref(), &ledger, &supervisor)?;
        let frontend = policy
            .map(|policy| {
                sockets::broker(&config, curve.as_ref(), policy, &ledger, &dead_letters, &request_ids, &supervisor)
            })
            .transpose()?;

        let mut surfaces = Surfaces::default();
        surfaces.add("http", public.clone());
        surfaces.add("admin", admin.clone());
        surfaces.add("publish", publisher.as_ref().map(|publisher| sockets::publish(publisher, &config, &ledger)));
        surfaces.add("frontend", frontend.map(Arc::new));
        http::warn_of_room(&config, &slots);
        if curve.is_none() {
            sockets::warn_if_exposed(surfaces.all().iter().map(|surface| &**surface));
        }

        let watch = Watch::start(Arc::clone(&slots), scanned, &supervisor).map_err(could_not_start)?;
        let (draining, drain) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let middleware = |routes, admission| Middleware {
            routes,
            request_ids: Arc::clone(&request_ids),
            uri_bytes_max: config.http.uri_bytes_max,
            admission,
        };
        if let Some(public) = public {
            let sinks = publisher.into_iter().map(|publisher| publisher as Arc<dyn Sink>).collect();
            let routes = http::public(&config.http, &slots, sinks, &ledger, &dead_letters);
            let admission = http::admission(&config.http, &ledger.hop("http"), token);
            public.start(middleware(routes, Some(admission)), &supervisor);
        }
        if let Some((admin, guard)) = admin.zip(guard) {
            let admin_routes = Admin::new(AdminParts {
                slots: Arc::clone(&slots),
                guard,
                draining: Arc::clone(&draining),
                checks: checks(curve.as_ref(), &supervisor),
                observed: Observed {
                    ledger: ledger.clone(),
                    surfaces: surfaces.all(),
                    others: counts(curve, &supervisor, lines_lost),
                },
                drain: Arc::clone(&drain),
            });
            admin.start(middleware(admin_routes.routes(), None), &supervisor);
        }
        let grace = Duration::from_millis(config.shutdown.grace_ms);
        Ok(Self { ledger, slots, watch, surfaces, dead_letters, supervisor, draining, drain, grace, signals })
    }

    /// Its plugins, which can be swapped while it runs.
    pub fn slots(&self) -> Arc<Slots> {
        Arc::clone(&self.slots)
    }

    /// Serves until a signal, an order or the death of one of its parts, then ends in order.
    pub async fn run(mut self) -> Ended {
        self.surfaces.announce();
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
            tracing::info!("SIGHUP: looking at every plugin's source");
            notice::reloading();
            self.watch.stir();
            tokio::spawn(reload(Arc::clone(&self.slots)));
        }

        tracing::info!(grace_ms = self.grace.as_millis() as u64, "stopping: finishing what is in flight");
        notice::stopping();
        tokio::spawn(self.signals.exit_at_second());
        let deadline = Instant::now() + self.grace;
        self.draining.store(true, Ordering::Relaxed);
        drop(self.watch);
        drop(polls);
        let mut abandoned = self.surfaces.end(Side::Source, deadline).await;
        // What HTTP did not finish by now is cut off with the process.
        self.slots.close_books();
        // Every message that was answered for has its place in a queue by now.
        abandoned += self.surfaces.end(Side::Sink, deadline).await;
        // Last of the traffic: each part may have had something to write.
        let wait = deadline.saturating_duration_since(Instant::now()).max(FLUSH_MIN);
        let dead_letters = self.dead_letters;
        let _ = tokio::task::spawn_blocking(move || dead_letters.close(wait)).await;
        abandoned += self.ledger.hop("dead-letter").figures().dropped(Reason::Abandoned);
        self.surfaces.end(Side::Control, Instant::now()).await;

        Ended { abandoned, deaths: self.supervisor.deaths(), ledger: self.ledger, slots: self.slots }
    }
}

/// Looks at every plugin's source, and tells the service manager when that is done.
async fn reload(slots: Arc<Slots>) {
    let load = |slot| {
        let slots = Arc::clone(&slots);
        tokio::spawn(async move { slots.load(&slot, Cause::Noticed).await })
    };
    // What a slow registry has to give comes in its own time.
    let _ = timeout(RELOAD_TOLD_MAX, join_all(slots.all().into_iter().map(load))).await;
    notice::ready();
}

/// What has to be so, beside the surfaces, before the host is ready.
fn checks(curve: Option<&Curve>, supervisor: &Supervisor) -> Vec<Check> {
    let supervisor = supervisor.clone();
    let mut checks = sockets::checks(curve);
    checks.push(Box::new(move || {
        let deaths = supervisor.deaths().into_iter();
        let lines: Vec<_> = deaths.map(|Death { part, cause }| format!("{part} has died: {cause}")).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }));
    checks
}

/// What is counted by no surface.
fn counts(
    curve: Option<Curve>,
    supervisor: &Supervisor,
    lines_lost: impl Fn() -> [(&'static str, u64); 2] + Send + Sync + 'static,
) -> Vec<Counts> {
    let supervisor = supervisor.clone();
    let mut counts: Vec<Counts> = vec![
        Box::new(move |statistics| {
            let says = "Lines of the log that were not written, by reason";
            statistics.of(None).counters_by(("log_lines_dropped", None, says), "reason", lines_lost());
        }),
        Box::new(move |statistics| {
            let deaths = supervisor.deaths().into_iter().map(|death| (death.part, 1));
            let says = "Parts of the host that have died, for which it ends";
            statistics.of(None).counters_by(("part_deaths", None, says), "part", deaths);
        }),
    ];
    if let Some(curve) = curve {
        counts.push(Box::new(move |statistics| curve.add_to(statistics)));
    }
    counts
}

/// The hops of the two data paths in their order, and of what becomes of what is lost on them.
fn ledger() -> Ledger {
    let ledger = Ledger::default();
    for name in ["http", "transform", "handler", "publish", "policy", "schedule", "reply", "dead-letter"] {
        ledger.hop(name);
    }
    ledger.name_socket("publish", &ledger.hop("publish"));
    ledger.name_socket("frontend", &ledger.hop("reply"));
    ledger
}

fn dead_letters(
    config: &config::DeadLetters,
    seed: Seed,
    ledger: &Ledger,
    supervisor: &Supervisor,
) -> Result<DeadLetters, StartError> {
    if config.file.as_os_str() == "none" {
        return Ok(DeadLetters::default());
    }
    let settings = dead_letters::DeadLetterSettings {
        file: config.file.clone(),
        bytes_max: config.bytes_max,
        files_max: config.files_max,
        queue_letters_max: config.queue_letters_max,
        queue_bytes_max: config.queue_bytes_max,
        seed: dead_letters::LetterSeed { value: seed.value, fixed: seed.fixed },
    };
    DeadLetters::start(settings, ledger.hop("dead-letter"), supervisor)
        .map_err(|error| could_not_start(format!("starting the writer of dead letters: {error}")))
}

fn could_not_start(error: impl Display) -> StartError {
    StartError::CouldNotStart(anyhow::anyhow!("{error}"))
}
