//! How the sockets of `[sockets]` are opened.

use super::{Flows, OpenSocket, PlaceConfig, Source};
use crate::app::http::PUBLIC;
use crate::app::sockets;
use crate::config::{self, Config, CurveRole, SocketType};
use crate::flow::{Sink, Surface};
use crate::http::{ZwsHops, ZwsSettings, ZwsSocket};
use crate::ledger::Hop;
use crate::messaging::publisher::{self, PublisherSurface};
use crate::messaging::stream::{SocketSettings, StreamHops, StreamSettings, Streams};
use crate::messaging::{ClientKeys, Publisher};
use std::fmt::Display;
use std::sync::Arc;

impl Flows {
    /// Opens a socket, which nobody reads or writes yet.
    ///
    /// # Errors
    /// When it has no key, or cannot be bound or connected; names it.
    pub(super) async fn open_socket(
        &self,
        config: &Config,
        name: &str,
        socket: &config::Socket,
    ) -> Result<OpenSocket, String> {
        let keys = self.client_keys(config, name)?;
        let opened = match socket.kind {
            _ if socket.is_websocket() => self.open_websocket(config, name, socket),
            SocketType::Pub => self.open_publisher(config, name, socket, keys).await,
            SocketType::Sub | SocketType::Pull | SocketType::Pair | SocketType::Push | SocketType::Router => {
                self.open_stream(config, name, socket, keys).await
            }
        };
        let opened = opened?;
        self.surfaces.add(Arc::clone(&opened.surface));
        Ok(opened)
    }

    async fn open_stream(
        &self,
        config: &Config,
        name: &str,
        socket: &config::Socket,
        keys: Option<ClientKeys>,
    ) -> Result<OpenSocket, String> {
        let streams =
            self.streams.get_or_try_init(async || Streams::start(self.common(config)?, &self.supervisor).map(Arc::new));
        let streams = Arc::clone(streams.await?);
        let hop = |suffix: &str| Some(self.socket_hop(name, suffix));
        let hops = match socket.kind {
            SocketType::Pair => StreamHops { reads: hop(".in"), writes: hop(".out") },
            kind if kind.reads() => StreamHops { reads: hop(""), writes: None },
            _ => StreamHops { reads: None, writes: hop("") },
        };
        let settings = SocketSettings { name: name.to_owned(), config: socket.clone(), keys };
        let opened = tokio::task::spawn_blocking(move || streams.open(settings, hops, Vec::new())).await;
        let stream = opened.map_err(failed)?.map_err(failed)?;
        Ok(OpenSocket {
            config: PlaceConfig::Socket(Box::new(socket.clone())),
            surface: Arc::clone(&stream) as Arc<dyn Surface>,
            sink: stream.sink(),
            source: socket.kind.reads().then_some(Source::Stream(stream)),
        })
    }

    fn socket_hop(&self, name: &str, suffix: &str) -> Arc<Hop> {
        let hop = self.ledger.hop(&format!("sockets.{name}{suffix}"));
        self.ledger.name_socket(name, &hop);
        hop
    }

    fn open_websocket(&self, config: &Config, name: &str, socket: &config::Socket) -> Result<OpenSocket, String> {
        let hops = match socket.kind {
            SocketType::Router => {
                ZwsHops { reads: self.socket_hop(name, ".in"), writes: Some(self.socket_hop(name, ".out")) }
            }
            _ => ZwsHops { reads: self.socket_hop(name, ""), writes: None },
        };
        let messaging = config.messaging_of(name);
        let surfaces = self.surfaces.all();
        let public = surfaces.iter().find(|surface| surface.name() == PUBLIC).map(|surface| surface.endpoint());
        let settings = ZwsSettings {
            name: name.to_owned(),
            paths: socket.websocket_paths().map(str::to_owned).collect(),
            // From http and https to ws and wss.
            place: public.unwrap_or_default().replacen("http", "ws", 1),
            frames_max: messaging.frames_max,
            message_bytes_max: config.http.body_bytes_max,
            queue_messages_max: messaging.queue_messages_max,
            peer_queue_bytes_max: messaging.peer_queue_bytes_max,
            queue_bytes_max: messaging.queue_bytes_max,
        };
        let opened = ZwsSocket::open(settings, hops, &self.websockets)?;
        Ok(OpenSocket {
            config: PlaceConfig::Socket(Box::new(socket.clone())),
            surface: Arc::clone(&opened) as Arc<dyn Surface>,
            sink: opened.sink(),
            source: Some(Source::WebSocket(opened)),
        })
    }

    async fn open_publisher(
        &self,
        config: &Config,
        name: &str,
        socket: &config::Socket,
        keys: Option<ClientKeys>,
    ) -> Result<OpenSocket, String> {
        let settings = publisher::Settings::of_socket(name, socket, &self.common(config)?, &config.publisher, keys);
        let hop = self.ledger.hop(&format!("sockets.{name}"));
        self.ledger.name_socket(name, &hop);
        let (of_publisher, supervisor) = (Arc::clone(&hop), self.supervisor.clone());
        let bound = tokio::task::spawn_blocking(move || Publisher::bind(settings, of_publisher, &supervisor)).await;
        let publisher = Arc::new(bound.map_err(failed)?.map_err(failed)?);
        Ok(OpenSocket {
            config: PlaceConfig::Socket(Box::new(socket.clone())),
            surface: Arc::new(PublisherSurface::new(Arc::clone(&publisher), hop, 0)),
            sink: Some(publisher as Arc<dyn Sink>),
            source: None,
        })
    }

    /// What all sockets have in common.
    fn common(&self, config: &Config) -> Result<StreamSettings, String> {
        let ipc = sockets::ipc(&config.messaging)?;
        Ok(StreamSettings { messaging: config.messaging.clone(), ipc, curve: self.curve.clone() })
    }

    /// The keys of a socket that is a client in CURVE.
    fn client_keys(&self, config: &Config, name: &str) -> Result<Option<ClientKeys>, String> {
        let CurveRole::Client(file) = config.curve_role_of(name) else { return Ok(None) };
        let keys = match &self.curve {
            Some(curve) => curve.client_keys(file),
            None => Err("it needs the host's own key: set curve.secret_key_file".to_owned()),
        };
        keys.map(Some).map_err(|cause| format!("sockets.{name}.server_key: {cause}"))
    }
}

fn failed(error: impl Display) -> String {
    error.to_string()
}
