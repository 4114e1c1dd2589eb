//! The host as a whole: configuration → everything loaded and bound → run → orderly end.

mod notice;
mod plugins;
mod sockets;
mod surfaces;

use crate::config::{self, Config, Network, RELOAD_TOLD_MS_MAX};
use crate::dead_letters::{self, DeadLetters};
use crate::http::admin::{Admin, Guard, LinesLost, Parts, Watched};
use crate::http::public::Public;
use crate::http::{Entrance, Figures, Gate, InFlightBudget, Routes, Server};
use crate::ledger::{Hop, Ledger, Reason, Report};
use crate::messaging::{Broker, Curve, Publisher, accept_below};
use crate::plugin::{Cause, Seed, Slots, Source, Watch, poll};
use crate::request_id::RequestIds;
use crate::system::descriptors;
use crate::system::output::try_print;
use crate::system::shutdown::{Ask, Signals};
use anyhow::Context;
use futures_util::future::join_all;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long a reload may take before the service manager is told that it is over, whatever goes on.
const RELOAD_TOLD_MAX: Duration = Duration::from_millis(RELOAD_TOLD_MS_MAX);
/// What the last messages get to reach the system's buffers when the grace period is used up.
const FLUSH_MIN: Duration = Duration::from_millis(500);

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
    ledger: Ledger,
    slots: Arc<Slots>,
}

impl Ended {
    /// What became of everything that came in; whole once the runtime is gone, and with it what was given up.
    pub fn report(&self) -> Report {
        Report::new(&self.ledger, self.slots.figures())
    }
}

/// A host with all plugins loaded and all addresses bound, ready to run.
pub struct App {
    ledger: Ledger,
    slots: Arc<Slots>,
    scanned: Option<PathBuf>,
    http: Option<Server>,
    admin: Option<(Server, Guard)>,
    publisher: Option<Arc<Publisher>>,
    broker: Option<Broker>,
    curve: Option<Curve>,
    subscribers_min: usize,
    dead_letters: DeadLetters,
    request_ids: Arc<RequestIds>,
    gate: Gate,
    body_bytes_max: usize,
    body_timeout: Duration,
    in_flight: InFlightBudget,
    is_https: bool,
    has_token: bool,
    trusted_gateways: Vec<Network>,
    uri_bytes_max: usize,
    grace: Duration,
    lines_lost: LinesLost,
    signals: Signals,
}

impl App {
    /// Loads, then binds: nothing is bound before everything is known to fit together.
    ///
    /// `named` are the plugins of the command line; with those of the configuration they replace the scan of
    /// `./plugins`. `lines_lost` reads how many lines of the log were lost, by reason.
    pub async fn build(config: Config, named: Vec<Source>, lines_lost: LinesLost) -> Result<Self, StartError> {
        // First of all: a signal during a slow load must already end in order.
        let signals = Signals::listen().context("listening to signals")?;
        let guard = |address| Guard::new(address, config.admin.token_file.as_deref());
        let guard = config.admin.address.0.map(guard).transpose().map_err(StartError::Usage)?;
        let curve_files = config.curve.files().map_err(StartError::Usage)?;
        let (token, tls) = (surfaces::token(&config.http)?, surfaces::tls(&config.http)?);
        let (sources, scanned) = plugins::sources(&config, named)?;
        let engine = plugins::engine(&config, sources.len())?;
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

        let curve = curve_files.map(|(key, keys)| Curve::load(key, keys)).transpose().map_err(could_not_start)?;
        let ledger = Ledger::default();
        let dead_letters = dead_letters(&config.dead_letters, seed, &ledger)?;
        let request_ids = Arc::new(RequestIds::default());
        let shares = descriptors::take_all(config.http.connections_max);
        accept_below(shares.peers_below);
        let public = surfaces::settings(&config.http, shares.http_max, true);
        let own = surfaces::settings(&config.http, shares.admin_max, false);
        let this = Self {
            http: surfaces::bind("http", config.http.address, public, tls).await?,
            admin: surfaces::bind("admin", config.admin.address, own, None).await?.zip(guard),
            gate: surfaces::gate(&config.http, &ledger.http, token),
            publisher: sockets::publisher(&config, curve.as_ref(), &ledger)?,
            broker: policy
                .map(|policy| sockets::broker(&config, curve.as_ref(), policy, &ledger, &dead_letters, &request_ids))
                .transpose()?,
            curve,
            subscribers_min: config.publisher.subscribers_min,
            dead_letters,
            ledger,
            slots,
            scanned,
            request_ids,
            body_bytes_max: config.http.body_bytes_max,
            body_timeout: Duration::from_millis(config.http.body_timeout_ms),
            in_flight: InFlightBudget::new("in_flight_bytes_max", config.http.in_flight_bytes_max),
            is_https: config.http.tls_cert.is_some(),
            has_token: config.http.token_file.is_some(),
            trusted_gateways: config.http.trusted_gateways.clone(),
            uri_bytes_max: config.http.uri_bytes_max,
            grace: Duration::from_millis(config.shutdown.grace_ms),
            lines_lost,
            signals,
        };
        surfaces::warn_of_room(&config, &this.slots);
        if this.curve.is_none() {
            sockets::warn_if_exposed(this.publisher.as_deref(), this.broker.as_ref());
        }
        Ok(this)
    }

    /// Its plugins, which can be swapped while it runs.
    pub fn slots(&self) -> Arc<Slots> {
        Arc::clone(&self.slots)
    }

    /// One line per surface, then `ready`.
    fn announce(&self) {
        let http = |server: Option<&Server>| match server {
            Some(server) => server.place(),
            None => "none".to_owned(),
        };
        let publish = self.publisher.as_ref().map_or("none", |publisher| publisher.endpoint());
        let frontend = self.broker.as_ref().map_or("none", Broker::endpoint);
        let lines = format!(
            "http {}\nadmin {}\npublish {publish}\nfrontend {frontend}\nready\n",
            http(self.http.as_ref()),
            http(self.admin.as_ref().map(|(server, _)| server))
        );
        // Whoever started the host may have closed its output; that is no reason not to serve.
        let _ = try_print(lines);
    }

    /// Serves until a signal, then ends in order.
    pub async fn run(mut self) -> Ended {
        self.announce();
        let (stop_traffic, stop_admin) = (CancellationToken::new(), CancellationToken::new());
        let draining = Arc::new(AtomicBool::new(false));

        let drain = Arc::new(Notify::new());
        let surfaces = surfaces::figures(self.http.as_ref(), self.admin.as_ref().map(|(server, _)| server));
        let admin = self.admin.take().map(|(server, guard)| {
            let routes = self.admin(guard, surfaces, &draining, &drain).routes();
            tokio::spawn(server.serve(self.entrance(routes, None), stop_admin.clone(), FLUSH_MIN))
        });
        let http = self.http.take().map(|server| {
            let entrance = self.entrance(self.public().routes(), Some(self.gate.clone()));
            tokio::spawn(server.serve(entrance, stop_traffic.clone(), self.grace))
        });
        let stirred = Arc::new(Notify::new());
        let watch = Watch::new(Arc::clone(&self.slots), self.scanned.clone(), Arc::clone(&stirred));
        let watch = tokio::spawn(watch.run());
        let polls = poll(&self.slots);

        notice::ready();
        loop {
            let ask = tokio::select! {
                ask = self.signals.next() => ask,
                () = drain.notified() => Ask::Stop,
            };
            if ask == Ask::Stop {
                break;
            }
            tracing::info!("SIGHUP: looking at every plugin's source");
            notice::reloading();
            stirred.notify_one();
            let slots = Arc::clone(&self.slots);
            tokio::spawn(async move {
                let load = |slot| {
                    let slots = Arc::clone(&slots);
                    tokio::spawn(async move { slots.load(&slot, Cause::Noticed).await })
                };
                // What a slow registry has to give comes in its own time.
                let _ = timeout(RELOAD_TOLD_MAX, join_all(slots.all().into_iter().map(load))).await;
                notice::ready();
            });
        }

        tracing::info!(grace_ms = self.grace.as_millis() as u64, "stopping: finishing what is in flight");
        notice::stopping();
        tokio::spawn(self.signals.exit_at_second());
        let deadline = Instant::now() + self.grace;
        draining.store(true, Ordering::Relaxed);
        watch.abort();
        drop(polls);
        stop_traffic.cancel();
        let broker = self.broker.map(|broker| tokio::task::spawn_blocking(move || broker.drain(deadline)));
        if let Some(http) = http {
            let _ = http.await;
        }
        // What HTTP did not finish by now is cut off with the process. Whose answer has begun is out of the first hop.
        let http_hops = [&self.ledger.http, &self.ledger.transform, &self.ledger.handler];
        http_hops.iter().for_each(|hop| hop.close());
        self.slots.close_books();
        let given_up = |hop: &Hop| {
            let figures = hop.figures();
            figures.in_flight + figures.dropped(Reason::Abandoned)
        };
        let http_abandoned = given_up(&self.ledger.http).max(given_up(&self.ledger.handler));
        if let Some(broker) = broker {
            let _ = broker.await;
        }
        // After HTTP: every message that was answered for has its place in the queue by now.
        if let Some(publisher) = self.publisher {
            let linger = deadline.saturating_duration_since(Instant::now()).max(FLUSH_MIN);
            let _ = tokio::task::spawn_blocking(move || publisher.close(linger)).await;
        }
        // Last of the traffic: each part may have had something to write.
        let wait = deadline.saturating_duration_since(Instant::now()).max(FLUSH_MIN);
        let _ = tokio::task::spawn_blocking(move || self.dead_letters.close(wait)).await;
        stop_admin.cancel();
        if let Some(admin) = admin {
            let _ = admin.await;
        }

        Ended { abandoned: http_abandoned + abandoned(&self.ledger), ledger: self.ledger, slots: self.slots }
    }

    fn admin(
        &self,
        guard: Guard,
        surfaces: Vec<(&'static str, Arc<Figures>)>,
        draining: &Arc<AtomicBool>,
        drain: &Arc<Notify>,
    ) -> Admin {
        let (publisher, broker) = (self.publisher.as_ref(), self.broker.as_ref());
        Admin::new(Parts {
            slots: Arc::clone(&self.slots),
            guard,
            draining: Arc::clone(draining),
            checks: sockets::checks(publisher, broker, self.curve.as_ref(), self.subscribers_min),
            watched: Watched {
                ledger: self.ledger.clone(),
                sockets: sockets::figures(publisher, broker),
                surfaces,
                curve: self.curve.clone(),
                lines_lost: Arc::clone(&self.lines_lost),
            },
            broker: broker.map(|broker| Arc::clone(broker.control())),
            drain: Arc::clone(drain),
        })
    }

    fn public(&self) -> Public {
        Public {
            slots: Arc::clone(&self.slots),
            publisher: self.publisher.clone(),
            transform_hop: Arc::clone(&self.ledger.transform),
            handler_hop: Arc::clone(&self.ledger.handler),
            dead_letters: self.dead_letters.clone(),
            body_bytes_max: self.body_bytes_max,
            body_timeout: self.body_timeout,
            in_flight: self.in_flight.clone(),
            is_https: self.is_https,
            has_token: self.has_token,
            trusted_gateways: self.trusted_gateways.clone(),
        }
    }

    fn entrance(&self, routes: Routes, gate: Option<Gate>) -> Entrance {
        Entrance { routes, request_ids: Arc::clone(&self.request_ids), uri_bytes_max: self.uri_bytes_max, gate }
    }
}

/// What the ZeroMQ side and the writer of dead letters gave up. HTTP requests that a caller gave up are no loss of ours, so they are not in it.
fn abandoned(ledger: &Ledger) -> u64 {
    [&ledger.publish, &ledger.policy, &ledger.schedule, &ledger.reply, &ledger.dead_letter]
        .iter()
        .map(|hop| hop.figures().dropped(Reason::Abandoned))
        .sum()
}

fn dead_letters(config: &config::DeadLetters, seed: Seed, ledger: &Ledger) -> Result<DeadLetters, StartError> {
    if config.file.as_os_str() == "none" {
        return Ok(DeadLetters::default());
    }
    let settings = dead_letters::Settings {
        file: config.file.clone(),
        bytes_max: config.bytes_max,
        files_max: config.files_max,
        queue_letters_max: config.queue_letters_max,
        queue_bytes_max: config.queue_bytes_max,
        seed: dead_letters::Seed { value: seed.value, fixed: seed.fixed },
    };
    DeadLetters::start(settings, Arc::clone(&ledger.dead_letter))
        .map_err(|error| could_not_start(format!("starting the writer of dead letters: {error}")))
}

fn could_not_start(error: impl Display) -> StartError {
    StartError::CouldNotStart(anyhow::anyhow!("{error}"))
}
