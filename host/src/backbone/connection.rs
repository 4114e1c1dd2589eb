//! The connection to NATS: how it is made, and whether it is there.

mod away;
mod denied;
mod login;
mod remedy;
mod tls;

use super::retry::Pauses;
use crate::config::Nats;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::{AuthError, Client, ConnectOptions, Event, ReconnectToServer, Server, ServerAddr};
use away::{Away, Why, met};
use denied::Denied;
use login::Login;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, watch};

/// Commands that wait to be written to the servers: more wait for room.
const COMMANDS_MAX: usize = 4_096;
/// Messages of one subscription that wait to be read, and the answers to all that one sink may have in flight.
const SUBSCRIPTION_MESSAGES_MAX: usize = 65_536;
/// Servers of which all are tried; of more those of the configuration alone, since a server tells of as many as it likes.
const SERVERS_MAX: usize = 64;
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// A server that says nothing for two of these is taken for away.
const PING: Duration = Duration::from_secs(5);

/// The connection, which is made again whenever it ends.
pub(super) struct Connection {
    client: Client,
    jetstream: Context,
    /// What the subjects of its API begin with.
    api_prefix: String,
    url: String,
    pub(super) ack_timeout: Duration,
    away: watch::Receiver<Why>,
    denied: Denied,
}

impl Connection {
    /// Begins to connect.
    ///
    /// # Errors
    /// When a file cannot be read, or is none of its kind; names it.
    pub(super) async fn open(nats: &Nats) -> Result<Self, String> {
        let url = nats.url.clone();
        let servers: Result<Vec<ServerAddr>, _> = nats.url.split(',').map(|server| server.trim().parse()).collect();
        let servers = servers.map_err(|error| format!("nats.url {url}: {error}"))?;
        tls::check(nats)?;
        let (told, away) = Away::new(nats);
        let (noted, pauses, denied) = (Arc::clone(&told), Pauses::default(), Denied::new());
        let (complained, attempts) = (denied.clone(), AtomicUsize::new(0));
        let options = match Login::of(nats) {
            Some(login) => {
                // So that what is wrong is known at the start.
                login.read(b"")?;
                ConnectOptions::with_auth_callback(move |nonce| {
                    let login = login.clone();
                    async move {
                        let read = tokio::task::spawn_blocking(move || login.read(&nonce)).await;
                        read.map_err(AuthError::new)?.map_err(AuthError::new)
                    }
                })
            }
            None => ConnectOptions::new(),
        };
        let mut options = options
            .name("tidegate")
            .retry_on_initial_connect()
            .connection_timeout(CONNECT_MAX)
            .ping_interval(PING)
            .client_capacity(COMMANDS_MAX)
            .subscription_capacity(SUBSCRIPTION_MESSAGES_MAX)
            .require_tls(tls::is_required(nats))
            .reconnect_delay_callback(move |_| pauses.next(Instant::now()))
            .reconnect_to_server_callback(move |servers, _| {
                noted.note_attempts(&servers);
                std::future::ready(server_to_try(servers, attempts.fetch_add(1, Ordering::Relaxed)))
            })
            .event_callback(move |event| {
                told.note(&event);
                if let Event::ServerError(error) = &event {
                    complained.note(&error.to_string());
                }
                std::future::ready(())
            });
        if let Some(file) = &nats.tls_ca {
            options = options.add_root_certificates(file.clone());
        }
        if let (Some(certificate), Some(key)) = (&nats.tls_cert, &nats.tls_key) {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        let client = options.connect(servers).await.map_err(|error| format!("nats.url {url}: {error}"))?;
        let ack_timeout = Duration::from_millis(nats.ack_timeout_ms);
        let api_prefix =
            nats.domain.as_ref().map_or_else(|| "$JS.API".to_owned(), |domain| format!("$JS.{domain}.API"));
        let builder = ContextBuilder::new().api_prefix(api_prefix.as_str()).timeout(ack_timeout);
        // What is sent at a time is bounded by each sink.
        let jetstream = builder.concurrency_limit(None).build(client.clone());
        Ok(Self { client, jetstream, api_prefix, url, ack_timeout, away, denied })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn api_prefix(&self) -> &str {
        &self.api_prefix
    }

    pub(super) fn jetstream(&self) -> &Context {
        &self.jetstream
    }

    /// The bytes that a message may have with its headers, as the server says it; none while there is none.
    pub(super) fn message_bytes_max(&self) -> Option<usize> {
        Some(self.client.max_payload()).filter(|bytes_max| *bytes_max > 0)
    }

    /// Has the servers hear what was said to them.
    pub(super) async fn flush(&self) {
        if let Err(error) = self.client.flush().await {
            tracing::warn!(%error, "the last words to NATS");
        }
    }

    /// The servers.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Tells when it comes and goes.
    pub(super) fn watch(&self) -> watch::Receiver<Why> {
        self.away.clone()
    }

    /// Tells the subjects of messages that the servers did not let in, each once or more often.
    pub(super) fn denied(&self) -> broadcast::Receiver<Arc<str>> {
        self.denied.listen()
    }

    /// Completes once it has been there, or could not be made the first time.
    pub(super) async fn met(&self) {
        met(self.away.clone()).await;
    }

    /// Whether it is there.
    pub(super) fn is_there(&self) -> bool {
        self.away.borrow().is_none()
    }

    /// That it is away, and why, in one line for the operator; none while it is there.
    pub(super) fn complaint(&self) -> Option<String> {
        let away = self.away.borrow();
        Some(format!("NATS at {} is away: {}", self.url, away.as_ref()?))
    }
}

/// The server to try next, one of the configuration after the other; none for any of them.
fn server_to_try(servers: Vec<Server>, attempts: usize) -> Option<ReconnectToServer> {
    if servers.len() <= SERVERS_MAX {
        return None;
    }
    let mut configured: Vec<_> = servers.into_iter().filter(|server| !server.is_discovered).collect();
    // The client does not count the attempts at a name without an address.
    let index = attempts.checked_rem(configured.len())?;
    Some(ReconnectToServer { addr: configured.swap_remove(index).addr, delay: None })
}
