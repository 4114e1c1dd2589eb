//! One socket by itself: its name, its endpoints, and the keys that its type has.

use super::names;
use super::peer::Peer;
use crate::config::document::Mistake;
use crate::config::streams::{Socket, SocketType};
use crate::config::{Config, OnFull};

const TABLE: &str = "sockets";

/// Whether a socket makes sense by itself.
pub(super) fn check(config: &Config, name: &str, socket: &Socket) -> Result<(), Mistake> {
    names::check(TABLE, name)?;
    let mistake = |what: String| Mistake::of(TABLE, name, what);
    check_endpoints(socket, mistake)?;
    let kind = socket.kind;
    if !socket.subscribe.is_empty() && kind != SocketType::Sub {
        return Err(mistake(format!("a {kind} socket subscribes to nothing: leave it out, or make it a sub socket"))
            .at("subscribe"));
    }
    if socket.sequence.is_some() && !kind.reads() {
        return Err(
            mistake(format!("a {kind} socket reads nothing that could be numbered: leave it out")).at("sequence")
        );
    }
    let is_written =
        config.flows.values().map(|flow| &flow.to).chain(config.routes.values().filter_map(|route| route.to.as_ref()));
    let is_written = is_written.flatten().any(|to| to == name);
    check_on_full(socket, is_written, mistake)
}

fn check_endpoints(socket: &Socket, mistake: impl Fn(String) -> Mistake) -> Result<(), Mistake> {
    let Socket { kind, bind, connect, .. } = socket;
    if bind.is_empty() && connect.is_empty() {
        return Err(mistake("it has neither `bind` nor `connect`: say where it binds or connects".to_owned()));
    }
    for (key, endpoints) in [("bind", bind), ("connect", connect)] {
        for (index, endpoint) in endpoints.iter().enumerate() {
            let refuse = |what: String| Err(mistake(what).at(key).entry(index));
            let Some(text) = &endpoint.0 else {
                return refuse("`none` is no endpoint here: leave it out".to_owned());
            };
            if endpoints[..index].contains(endpoint) {
                return refuse(format!("`{text}` stands here twice: leave one out"));
            }
            if endpoint.is_every_address()
                && let Some(why) = not_every_address(*kind, key)
            {
                return refuse(format!("`{text}` stands for all addresses of a name, {why}"));
            }
            if key == "connect" && Peer::of(text).is_wildcard() {
                return refuse(format!(
                    "`{text}` is where one binds: connect to one address and port, such as tcp://127.0.0.1:4444"
                ));
            }
        }
    }
    if *kind == SocketType::Pair && bind.len() + connect.len() > 1 {
        let key = if bind.is_empty() { "connect" } else { "bind" };
        return Err(mistake("a pair has one peer, and so one endpoint: leave out the others".to_owned()).at(key));
    }
    Ok(())
}

/// Why a socket cannot bind or connect to all addresses of a name; none if it can.
fn not_every_address(kind: SocketType, key: &str) -> Option<&'static str> {
    match (key, kind) {
        ("bind", _) => Some(names::NOT_BOUND),
        (_, SocketType::Pair) => Some("and a pair has one peer: connect to one of them, such as tcp://127.0.0.1:4444"),
        _ => None,
    }
}

/// Whether the socket can do with a message for which there is no room what is said.
fn check_on_full(socket: &Socket, is_written: bool, mistake: impl Fn(String) -> Mistake) -> Result<(), Mistake> {
    let Some(on_full) = socket.on_full else { return Ok(()) };
    let (what, allowed): (_, &[_]) = match socket.kind {
        SocketType::Pub => return Ok(()),
        SocketType::Sub => ("a sub socket", &[OnFull::DropNewest, OnFull::Block]),
        SocketType::Pull => ("a pull socket, from which nothing is lost,", &[OnFull::Block]),
        SocketType::Pair if !is_written => ("a pair that no flow writes to", &[OnFull::Block]),
        SocketType::Pair => ("a pair", &[OnFull::Block, OnFull::DropNewest]),
        SocketType::Push => ("a push socket", &[OnFull::Block, OnFull::DropNewest]),
        SocketType::Router => ("a router, of which no peer keeps messages from the others,", &[OnFull::DropNewest]),
    };
    if allowed.contains(&on_full) {
        return Ok(());
    }
    let allowed: Vec<_> = allowed.iter().map(|on_full| format!("\"{on_full}\"")).collect();
    Err(mistake(format!("{what} cannot do \"{on_full}\": say {}", allowed.join(" or "))).at("on_full"))
}
