//! The names of sockets, pools, flows, routes and plugins, and which of them are meant.

use crate::config::document::Mistake;
use crate::config::streams::SocketType;
use crate::config::{Config, EVENTS, FRONTEND, PUBLISH, backbone, is_jetstream, is_name, pool_of, step_of};

/// What other parts of the host are called, in the ledger and at the start.
const RESERVED: [&str; 6] = [PUBLISH, FRONTEND, "http", "admin", EVENTS, "workers"];
/// What all addresses of a name are to whoever binds.
pub(super) const NOT_BOUND: &str = "to which one connects: bind to one address, such as tcp://127.0.0.1:4444";
/// How much alike two names are, from 0 to 1, of which one may be meant by the other.
const ALIKE_MIN: f64 = 0.7;

/// Whether a socket, pool, flow or route may have this name.
pub(super) fn check(table: &'static str, name: &str) -> Result<(), Mistake> {
    if !is_name(name) {
        let what = format!("`{name}` does not match [a-z0-9][a-z0-9_-]*: give it another name");
        return Err(Mistake::of(table, name, what));
    }
    if table == "sockets" && RESERVED.contains(&name) {
        let what = format!("`{name}` is the name of a part of the host: give the socket another name");
        return Err(Mistake::of(table, name, what));
    }
    if table == "routes" && name == EVENTS {
        let what = "`events` is where the host serves its events: give the route another name".to_owned();
        return Err(Mistake::of(table, name, what));
    }
    Ok(())
}

/// Whether messages can go through all of these: each is a pool that there is, or can be the name of a plugin.
pub(super) fn check_through(
    config: &Config,
    names: &[String],
    mistake: impl Fn(String) -> Mistake,
) -> Result<(), Mistake> {
    for (index, name) in names.iter().enumerate() {
        let what = match pool_of(name) {
            Some(pool) if config.workers.contains_key(pool) => continue,
            Some(pool) => unknown_pool(config, pool),
            None if is_name(name) => continue,
            None => format!("plugin name `{name}` does not match [a-z0-9][a-z0-9_-]*"),
        };
        return Err(mistake(what).at("through").entry(index));
    }
    Ok(())
}

/// Whether no name stands twice among these.
pub(super) fn check_unique(
    key: &'static str,
    names: &[String],
    mistake: impl Fn(String) -> Mistake,
) -> Result<(), Mistake> {
    match (1..names.len()).find(|&index| names[..index].contains(&names[index])) {
        Some(index) => {
            Err(mistake(format!("`{}` stands here twice: leave one out", names[index])).at(key).entry(index))
        }
        None => Ok(()),
    }
}

/// Whether messages can be read from all of these.
pub(super) fn check_sources(
    config: &Config,
    names: &[String],
    mistake: impl Fn(String) -> Mistake,
) -> Result<(), Mistake> {
    check_unique("from", names, &mistake)?;
    for (index, name) in names.iter().enumerate() {
        let refuse = |what| Err(mistake(what).at("from").entry(index));
        if is_jetstream(name) {
            backbone::check_source(config, name).map_or(Ok(()), refuse)?;
            continue;
        }
        match config.sockets.get(name) {
            Some(socket) if socket.kind.reads() => {}
            Some(socket) => {
                return refuse(format!(
                    "`{name}` is a {} socket, which only writes: a flow reads from sub, pull, pair and router",
                    socket.kind
                ));
            }
            None if name == PUBLISH => {
                return refuse(
                    "`publish` is the host's own pub socket, which only writes: to read what it publishes, connect a sub \
                     socket to messaging.publish"
                        .to_owned(),
                );
            }
            None => return refuse(unknown(config, name, SocketType::reads, None)),
        }
    }
    Ok(())
}

/// Whether messages can be written to all of these.
pub(super) fn check_sinks(
    config: &Config,
    names: &[String],
    mistake: impl Fn(String) -> Mistake,
) -> Result<(), Mistake> {
    check_unique("to", names, &mistake)?;
    for (index, name) in names.iter().enumerate() {
        let refuse = |what| Err(mistake(what).at("to").entry(index));
        if is_jetstream(name) {
            backbone::check_sink(config, name).map_or(Ok(()), refuse)?;
            continue;
        }
        match config.sockets.get(name) {
            Some(socket) if socket.kind.writes() => {}
            Some(socket) => {
                return refuse(format!(
                    "`{name}` is a {} socket, which only reads: messages go to pub, push, pair and router, or to `publish`",
                    socket.kind
                ));
            }
            None if name == PUBLISH && (config.messaging.publish.0.is_some() || config.events.takes_published()) => {}
            None if name == PUBLISH => {
                return refuse(
                    "messaging.publish is none, so there is no `publish`: give it an endpoint, or leave this out"
                        .to_owned(),
                );
            }
            None if name == EVENTS && config.events.enabled => {}
            None if name == EVENTS => {
                return refuse(
                    "events.enabled is false, so there is no `events`: set it, or start the host with --events"
                        .to_owned(),
                );
            }
            None => return refuse(unknown(config, name, SocketType::writes, Some(PUBLISH))),
        }
    }
    Ok(())
}

/// Says that there is no such socket, and which one may be meant.
fn unknown(config: &Config, name: &str, is_fit: impl Fn(SocketType) -> bool, own: Option<&str>) -> String {
    let fit = config.sockets.iter().filter(|(_, socket)| is_fit(socket.kind)).map(|(name, _)| name.as_str());
    let fit: Vec<_> = fit.chain(own).map(str::to_owned).collect();
    format!("no socket is named `{name}`: {}", remedy(name, &fit, &format!("[sockets.{name}]")))
}

/// Says that there is no such pool, and which one may be meant.
fn unknown_pool(config: &Config, name: &str) -> String {
    let known: Vec<_> = config.workers.keys().cloned().collect();
    format!("no pool of workers is named `{name}`: {}", remedy(name, &known, &format!("[{}]", step_of(name))))
}

/// Which of the names that are `known` is meant by another, or what to do if none is.
fn remedy(name: &str, known: &[String], section: &str) -> String {
    let alike = known.iter().map(|known| (strsim::jaro(known, name), known)).filter(|(alike, _)| *alike > ALIKE_MIN);
    match alike.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
        Some((_, meant)) => format!("did you mean `{meant}`?"),
        None if known.is_empty() => format!("add {section}"),
        None => format!("there are `{}`; name one of them, or add {section}", known.join("`, `")),
    }
}
