//! The sockets that are reached by WebSocket: which can be, where, and what cannot be said of them.

use crate::config::document::Mistake;
use crate::config::streams::{Socket, SocketType};
use crate::config::{Config, EVENTS_PATH, Endpoint};

const TABLE: &str = "sockets";

/// Whether a path stands only where a socket can be reached by it.
pub(super) fn check(config: &Config) -> Result<(), Mistake> {
    for (name, socket) in &config.sockets {
        check_socket(config, name, socket)?;
    }
    for (key, endpoint) in [("publish", &config.messaging.publish), ("frontend", &config.messaging.frontend)] {
        if endpoint.websocket_path().is_some() {
            let remedy = match key {
                "publish" => "set events.enabled, which WebSockets follow at /events",
                _ => "have a flow of a router socket of its own answer",
            };
            let what = format!("`{endpoint}` is a path, and this socket binds as ZeroMQ does: {remedy}");
            return Err(Mistake::within("messaging", what).at(key));
        }
    }
    for (name, pool) in &config.workers {
        if let Some(index) = pool.bind.iter().position(|endpoint| endpoint.websocket_path().is_some()) {
            let what = "workers connect by ZeroMQ: give the pool an endpoint such as tcp://127.0.0.1:5555".to_owned();
            return Err(Mistake::of("workers", name, what).at("bind").entry(index));
        }
    }
    Ok(())
}

fn check_socket(config: &Config, name: &str, socket: &Socket) -> Result<(), Mistake> {
    let mistake = |what: String| Mistake::of(TABLE, name, what);
    let refuse = |key, what: &str| Err(mistake(what.to_owned()).at(key));
    let kind = socket.kind;
    if let Some(index) = socket.connect.iter().position(|endpoint| endpoint.websocket_path().is_some()) {
        let what = "WebSockets are opened by clients, not by the host: bind to the path".to_owned();
        return Err(mistake(what).at("connect").entry(index));
    }
    if !socket.is_websocket() {
        if kind == SocketType::Router {
            let what = "a router is reached by WebSocket only, at a path such as ws:/in; ZeroMQ's clients are answered at \
                        messaging.frontend";
            return refuse(if socket.bind.is_empty() { "type" } else { "bind" }, what);
        }
        return Ok(());
    }
    let is_path = |endpoint: &Endpoint| endpoint.websocket_path().is_some();
    if let Some(index) = socket.bind.iter().position(|endpoint| !is_path(endpoint)) {
        let what = "a socket binds to paths, or to endpoints of ZeroMQ: give these a socket of their own".to_owned();
        return Err(mistake(what).at("bind").entry(index));
    }
    if !socket.connect.is_empty() {
        return refuse("connect", "a socket that binds to paths connects to nobody: give this a socket of its own");
    }
    match kind {
        SocketType::Pull | SocketType::Router => {}
        SocketType::Pub => {
            return refuse(
                "bind",
                "what is published reaches WebSockets at /events: set events.enabled, and leave this out",
            );
        }
        _ => return refuse("bind", "only a pull or router socket binds to a path: make it one of those"),
    }
    if config.http.address.0.is_none() {
        return refuse("bind", "http.address is none, and the path is one of that surface: give it an address");
    }
    if config.events.enabled
        && let Some(index) = socket.bind.iter().position(|endpoint| endpoint.websocket_path() == Some(EVENTS_PATH))
    {
        return Err(mistake("events are at /events: take another path".to_owned()).at("bind").entry(index));
    }
    for (key, is_said) in [
        ("curve", socket.curve == Some(true)),
        ("server_key", socket.server_key.is_some()),
        ("sequence", socket.sequence.is_some()),
    ] {
        if is_said {
            let what = "a WebSocket has nothing of that: leave it out; http.token_file says who is let in, and http.tls_cert \
                        encrypts";
            return refuse(key, what);
        }
    }
    Ok(())
}
