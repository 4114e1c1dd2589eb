//! WebSockets on the public surface: who may open one at which path, and what is spoken on it.

mod close;
mod connection;
mod events;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod incoming;
mod origin;
mod subprotocol;
pub(crate) mod zws;

pub(crate) use close::{Close, Ended};
pub(crate) use connection::{Received, WebSocket};
pub use incoming::IncomingBounds;
pub use origin::Origins;
pub(crate) use subprotocol::Subprotocol;
pub(crate) use tokio_tungstenite::tungstenite::Message as Outgoing;

use super::events::{Hub, PATH};
use super::problem::Problem;
use super::server::head::Head;
use super::server::middleware::{Upgrade, Upgrades};
use arc_swap::ArcSwap;
use connection::Bounds;
use events::EventsEndpoint;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tokio_util::sync::CancellationToken;
use warp::http::header::{SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use warp::http::request::Parts;
use warp::http::{HeaderValue, Request, Version};
use warp::reply::Response;

/// What serves the WebSockets of one path.
pub(crate) trait Endpoint: Send + Sync {
    /// What it speaks, the preferred first.
    fn subprotocols(&self) -> &'static [Subprotocol];

    /// What one message of a client may have, in bytes.
    fn message_bytes_max(&self) -> usize;

    /// Whether the end of the listener is the end of its WebSockets, and waits for them.
    fn ends_with_listener(&self) -> bool;

    /// Cancelled when nobody waits any longer for its WebSockets to end in order.
    fn given_up(&self) -> CancellationToken;

    /// Makes ready for one WebSocket, which is then served to its end.
    ///
    /// # Errors
    /// Why it is not to be opened.
    fn open(self: Arc<Self>, head: &Head, subprotocol: Subprotocol) -> Result<Serve, Problem>;
}

/// Serves a WebSocket until it is to end. Says why, and what is kept until it has ended.
pub(crate) type Serve = Box<dyn for<'a> FnOnce(&'a mut WebSocket) -> BoxFuture<'a, (Ended, Kept)> + Send>;

/// Dropped when a WebSocket has ended.
pub(crate) type Kept = Box<dyn Send>;

type Endpoints = BTreeMap<String, Arc<dyn Endpoint>>;

/// All paths that have WebSockets, which come and go while the host runs.
pub struct WebSockets {
    endpoints: ArcSwap<Endpoints>,
    origins: Origins,
    incoming: IncomingBounds,
    permits: Arc<Semaphore>,
    websockets_max: usize,
}

impl WebSockets {
    /// Without any path. No more than `websockets_max` are open at a time, for pages of these origins, and what comes in by
    /// them has bounds too.
    pub fn new(origins: Origins, websockets_max: usize, incoming: IncomingBounds) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(websockets_max));
        Arc::new(Self { endpoints: ArcSwap::default(), origins, incoming, permits, websockets_max })
    }

    /// Has events be followed at the path where they are served, which no configuration gives to anything else.
    pub fn set_events(&self, hub: Arc<Hub>) {
        let endpoint = Arc::new(EventsEndpoint::new(hub)) as Arc<dyn Endpoint>;
        self.change(|endpoints| _ = endpoints.insert(PATH.to_owned(), Arc::clone(&endpoint)));
    }

    /// Has an endpoint serve all of these paths.
    ///
    /// # Errors
    /// When something else serves one of them; names it.
    pub(crate) fn add(&self, paths: &[String], endpoint: &Arc<dyn Endpoint>) -> Result<(), String> {
        let taken = self.endpoints.load();
        if let Some(path) = paths.iter().find(|path| taken.contains_key(*path)) {
            return Err(format!("ws:{path}: something else has this path already; take another one"));
        }
        self.change(|endpoints| endpoints.extend(paths.iter().map(|path| (path.clone(), Arc::clone(endpoint)))));
        Ok(())
    }

    /// Opens no more WebSockets at these paths. Those that are open stay.
    pub(crate) fn remove(&self, paths: &[String]) {
        self.change(|endpoints| endpoints.retain(|path, _| !paths.contains(path)));
    }

    /// Requests look at them all the time, and nobody is to wait for who changes them.
    fn change(&self, change: impl Fn(&mut Endpoints)) {
        self.endpoints.rcu(|endpoints| {
            let mut endpoints = Endpoints::clone(endpoints);
            change(&mut endpoints);
            endpoints
        });
    }
}

impl Upgrades for WebSockets {
    fn takes(&self, head: &Parts) -> bool {
        asks(head) && self.endpoints.load().contains_key(head.uri.path())
    }

    fn answer(&self, head: &Head, upgrade: Option<Upgrade>) -> Result<Response, Problem> {
        // It may have gone meanwhile.
        let endpoint = self.endpoints.load().get(head.path()).cloned().ok_or(Problem::NoRoute)?;
        if head.parts.version == Version::HTTP_2 {
            return Err(Problem::WebSocketVersion);
        }
        let mut response = handshake(&head.parts)?;
        self.origins.check(&head.parts.headers, head.authority.as_ref())?;
        let subprotocol = subprotocol::choose(&head.parts.headers, endpoint.subprotocols())?;
        let upgrade = upgrade.ok_or_else(|| malformed("the request of a WebSocket has no body; leave it out"))?;
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        let permit = permit.map_err(|_| Problem::TooManyWebSockets(self.websockets_max))?;
        let bounds = Bounds { message_bytes_max: endpoint.message_bytes_max(), incoming: self.incoming.clone() };
        let (is_tracked, given_up) = (endpoint.ends_with_listener(), endpoint.given_up());
        let serve = endpoint.open(head, subprotocol)?;
        if let Some(name) = subprotocol.name() {
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(name));
        }
        let tracked = is_tracked.then(|| upgrade.tracked());
        tokio::spawn(async move {
            let _kept = (permit, tracked);
            let Some((upgraded, held)) = upgrade.connection().await else { return };
            let mut websocket = WebSocket::new(upgraded, held, bounds).await;
            let (ended, _kept) = serve(&mut websocket).await;
            tokio::select! {
                biased;
                () = given_up.cancelled() => {}
                () = websocket.end(ended) => {}
            }
        });
        Ok(response)
    }
}

/// Whether a request asks for a WebSocket, in whichever version of HTTP and however badly.
fn asks(head: &Parts) -> bool {
    let upgrade = head.headers.get(UPGRADE);
    upgrade.is_some_and(|upgrade| upgrade.as_bytes().eq_ignore_ascii_case(b"websocket"))
        || head.headers.contains_key(SEC_WEBSOCKET_KEY)
}

/// The answer to a sound handshake.
///
/// # Errors
/// Says what is wrong with it.
fn handshake(head: &Parts) -> Result<Response, Problem> {
    let mut request = Request::new(());
    *request.method_mut() = head.method.clone();
    *request.version_mut() = head.version;
    request.headers_mut().clone_from(&head.headers);
    match create_response(&request) {
        Ok(response) => Ok(response.map(|()| Default::default())),
        Err(Error::Protocol(ProtocolError::MissingSecWebSocketVersionHeader)) => Err(Problem::NoWebSocketVersion13),
        Err(Error::Protocol(ProtocolError::WrongHttpMethod)) => Err(Problem::Method("GET")),
        Err(error) => Err(malformed(&format!("the handshake of the WebSocket is not sound: {error}"))),
    }
}

fn malformed(detail: &str) -> Problem {
    Problem::Malformed(detail.to_owned())
}
