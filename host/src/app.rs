//! The host as a whole: configuration → everything loaded and bound → run → orderly end.

mod plugins;
mod surfaces;

use crate::config::Config;
use crate::http::admin::{Admin, Guard};
use crate::http::public::Public;
use crate::http::{Entrance, Figures, Gate, Routes, Server};
use crate::ledger::{Ledger, Reason};
use crate::messaging::{Broker, Publisher, broker, publisher};
use crate::plugin::{Slot, Slots, Source, Watch};
use crate::request_id::RequestIds;
use crate::shutdown::{Ask, Signals};
use anyhow::Context;
use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

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

/// A host with all plugins loaded and all addresses bound, ready to run.
pub struct App {
    ledger: Ledger,
    slots: Arc<Slots>,
    scanned: Option<PathBuf>,
    http: Option<Server>,
    admin: Option<(Server, Guard)>,
    publisher: Option<Arc<Publisher>>,
    broker: Option<Broker>,
    request_ids: Arc<RequestIds>,
    gate: Gate,
    body_bytes_max: usize,
    body_timeout: Duration,
    uri_bytes_max: usize,
    grace: Duration,
    signals: Signals,
}

impl App {
    /// Loads, then binds: nothing is bound before everything is known to fit together.
    ///
    /// `named` are the plugins of the command line; with those of the configuration they replace the scan of
    /// `./plugins`.
    pub async fn build(config: Config, named: Vec<Source>) -> Result<Self, StartError> {
        // First of all: a signal during a slow load must already end in order.
        let signals = Signals::listen().context("listening to signals")?;
        let guard = |address| Guard::new(address, config.admin.token_file.as_deref());
        let guard = config.admin.address.0.map(guard).transpose().map_err(StartError::Usage)?;
        let (token, tls) = (surfaces::token(&config.http)?, surfaces::tls(&config.http)?);
        let (sources, scanned) = plugins::sources(&config, named)?;
        let engine = plugins::engine(&config)?;
        let slots = Arc::new(Slots::new(engine, config.clone(), scanned.is_some()));
        plugins::load(&slots, sources, scanned.is_some()).await?;
        let policy = match config.messaging.frontend.0 {
            Some(_) => plugins::choose_policy(&slots, config.messaging.policy.as_deref())?,
            None => None,
        };

        let ledger = Ledger::default();
        let request_ids = Arc::new(RequestIds::default());
        let settings = surfaces::settings(&config.http);
        Ok(Self {
            http: surfaces::bind("http", config.http.address, settings, tls).await?,
            admin: surfaces::bind("admin", config.admin.address, settings, None).await?.zip(guard),
            gate: surfaces::gate(&config.http, &ledger.http, token),
            publisher: publisher(&config, &ledger)?,
            broker: policy.map(|policy| start_broker(&config, policy, &ledger, &request_ids)).transpose()?,
            ledger,
            slots,
            scanned,
            request_ids,
            body_bytes_max: config.http.body_bytes_max,
            body_timeout: Duration::from_millis(config.http.body_timeout_ms),
            uri_bytes_max: config.http.uri_bytes_max,
            grace: Duration::from_millis(config.shutdown.grace_ms),
            signals,
        })
    }

    /// What the HTTP surfaces tell of themselves, until [`App::run`] takes them: the public one, then admin.
    pub fn http_figures(&self) -> [Option<Arc<Figures>>; 2] {
        [self.http.as_ref().map(Server::figures), self.admin.as_ref().map(|(server, _)| server.figures())]
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
        let _ = std::io::stdout().write_all(lines.as_bytes()).and_then(|()| std::io::stdout().flush());
    }

    /// Serves until a signal, then ends in order. Returns how much had to be abandoned.
    pub async fn run(mut self) -> u64 {
        self.announce();
        let (stop_traffic, stop_admin) = (CancellationToken::new(), CancellationToken::new());
        let draining = Arc::new(AtomicBool::new(false));

        let admin = self.admin.take().map(|(server, guard)| {
            let routes = Admin::new(Arc::clone(&self.slots), guard, Arc::clone(&draining)).routes();
            tokio::spawn(server.serve(self.entrance(routes, None), stop_admin.clone(), FLUSH_MIN))
        });
        let http = self.http.take().map(|server| {
            let entrance = self.entrance(self.public().routes(), Some(self.gate.clone()));
            tokio::spawn(server.serve(entrance, stop_traffic.clone(), self.grace))
        });
        let stirred = Arc::new(Notify::new());
        let watch = Watch::new(Arc::clone(&self.slots), self.scanned.clone(), Arc::clone(&stirred));
        let watch = tokio::spawn(watch.run());

        while self.signals.next().await == Ask::Look {
            tracing::info!("SIGHUP: looking at every plugin's file");
            stirred.notify_one();
            for slot in self.slots.all() {
                let slots = Arc::clone(&self.slots);
                tokio::spawn(async move { slots.load(&slot, false).await });
            }
        }

        tracing::info!(grace_ms = self.grace.as_millis() as u64, "stopping: finishing what is in flight");
        tokio::spawn(self.signals.exit_at_second());
        let deadline = Instant::now() + self.grace;
        draining.store(true, Ordering::Relaxed);
        watch.abort();
        stop_traffic.cancel();
        let broker = self.broker.map(|broker| tokio::task::spawn_blocking(move || broker.drain(deadline)));
        if let Some(http) = http {
            let _ = http.await;
        }
        // What HTTP did not finish by now is cut off with the process.
        let http_abandoned = self.ledger.http.figures().in_flight;
        if let Some(broker) = broker {
            let _ = broker.await;
        }
        // After HTTP: every message that was answered for has its place in the queue by now.
        if let Some(publisher) = self.publisher {
            let linger = deadline.saturating_duration_since(Instant::now()).max(FLUSH_MIN);
            let _ = tokio::task::spawn_blocking(move || publisher.close(linger)).await;
        }
        stop_admin.cancel();
        if let Some(admin) = admin {
            let _ = admin.await;
        }

        for line in self.ledger.to_string().lines() {
            tracing::info!("ledger {line}");
        }
        http_abandoned + abandoned(&self.ledger)
    }

    fn public(&self) -> Public {
        Public {
            slots: Arc::clone(&self.slots),
            publisher: self.publisher.clone(),
            transform_hop: Arc::clone(&self.ledger.transform),
            body_bytes_max: self.body_bytes_max,
            body_timeout: self.body_timeout,
        }
    }

    fn entrance(&self, routes: Routes, gate: Option<Gate>) -> Entrance {
        Entrance { routes, request_ids: Arc::clone(&self.request_ids), uri_bytes_max: self.uri_bytes_max, gate }
    }
}

/// What the ZeroMQ side gave up. HTTP requests that a caller gave up are no loss of ours, so they are not in it.
fn abandoned(ledger: &Ledger) -> u64 {
    [&ledger.publish, &ledger.policy, &ledger.schedule, &ledger.reply]
        .iter()
        .map(|hop| hop.figures().dropped(Reason::Abandoned))
        .sum()
}

fn publisher(config: &Config, ledger: &Ledger) -> Result<Option<Arc<Publisher>>, StartError> {
    let Some(endpoint) = config.messaging.publish.0.clone() else { return Ok(None) };
    let settings = publisher::Settings { endpoint, queue_messages_max: config.messaging.queue_messages_max };
    let publisher = Publisher::bind(settings, Arc::clone(&ledger.publish)).map_err(could_not_start)?;
    Ok(Some(Arc::new(publisher)))
}

fn start_broker(
    config: &Config,
    policy: Arc<Slot>,
    ledger: &Ledger,
    request_ids: &Arc<RequestIds>,
) -> Result<Broker, StartError> {
    let messaging = &config.messaging;
    let settings = broker::Settings {
        endpoint: messaging.frontend.to_string(),
        workers: messaging.workers,
        frame_bytes_max: messaging.frame_bytes_max,
        frames_max: messaging.frames_max,
        queue_messages_max: messaging.queue_messages_max,
    };
    let runtime = tokio::runtime::Handle::current();
    let hops = broker::Hops {
        policy: Arc::clone(&ledger.policy),
        schedule: Arc::clone(&ledger.schedule),
        reply: Arc::clone(&ledger.reply),
    };
    Broker::start(settings, policy, runtime, hops, Arc::clone(request_ids)).map_err(could_not_start)
}

fn could_not_start(error: impl Display) -> StartError {
    StartError::CouldNotStart(anyhow::anyhow!("{error}"))
}
