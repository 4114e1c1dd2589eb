//! Whether no message can come back to a flow that it has left, and go round for ever.

use super::peer::Peer;
use crate::config::document::Mistake;
use crate::config::streams::{Flow, Socket, SocketType};
use crate::config::{Config, Endpoint, PUBLISH};

/// One flow writes to another: with its `to[index]`, at an endpoint.
struct Step<'a> {
    index: usize,
    endpoint: &'a str,
    next: &'a str,
}

/// Looks for a way from each flow back to itself, as far as endpoints say who is connected to whom.
pub(super) fn check(config: &Config) -> Result<(), Mistake> {
    for (name, flow) in &config.flows {
        let first = steps(config, flow);
        for Step { index, endpoint, next } in first {
            let Some(way) = way(config, next, name) else { continue };
            let (to, round) = (&flow.to[index], [name.as_str()].into_iter().chain(way).collect::<Vec<_>>().join(" → "));
            let what = format!(
                "what goes to `{to}` comes back by {endpoint}, for ever: {round}; have one of them read or write elsewhere"
            );
            return Err(Mistake::of("flows", name, what).at("to").entry(index));
        }
    }
    Ok(())
}

/// The flows on the shortest way from one to another, both included.
fn way<'a>(config: &'a Config, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
    let mut ways = vec![vec![from]];
    let mut at = 0;
    while let Some(way) = ways.get(at).cloned() {
        at += 1;
        let last = *way.last()?;
        if last == to {
            return Some(way);
        }
        for Step { next, .. } in steps(config, config.flows.get(last)?) {
            if ways.iter().all(|way| way.last() != Some(&next)) {
                ways.push(way.iter().copied().chain([next]).collect());
            }
        }
    }
    None
}

/// The flows that read what this one writes.
fn steps<'a>(config: &'a Config, flow: &'a Flow) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    for (index, to) in flow.to.iter().enumerate() {
        for (next, reader) in &config.flows {
            let sources = reader.from.iter().filter_map(|from| config.sockets.get(from));
            let endpoint = sources.filter_map(|source| meeting(config, to, source)).next();
            steps.extend(endpoint.map(|endpoint| Step { index, endpoint, next }));
        }
    }
    steps
}

/// The endpoint at which the socket that one writes to meets the one that is read, if it does.
fn meeting<'a>(config: &'a Config, to: &str, source: &'a Socket) -> Option<&'a str> {
    let (kind, bind, connect): (_, &[Endpoint], &[Endpoint]) = match config.sockets.get(to) {
        Some(socket) => (socket.kind, &socket.bind, &socket.connect),
        None if to == PUBLISH => (SocketType::Pub, std::slice::from_ref(&config.messaging.publish), &[]),
        None => return None,
    };
    let is_fit = matches!(
        (kind, source.kind),
        (SocketType::Pub, SocketType::Sub)
            | (SocketType::Push, SocketType::Pull)
            | (SocketType::Pair, SocketType::Pair)
    );
    if !is_fit {
        return None;
    }
    between(connect, &source.bind).or_else(|| between(&source.connect, bind))
}

/// The endpoint that one connects to and another binds.
fn between<'a>(connect: &'a [Endpoint], bind: &[Endpoint]) -> Option<&'a str> {
    let bound: Vec<_> = bind.iter().filter_map(|endpoint| endpoint.0.as_deref()).map(Peer::of).collect();
    let mut connect = connect.iter().filter_map(|endpoint| endpoint.0.as_deref());
    connect.find(|endpoint| bound.iter().any(|bound| Peer::of(endpoint).leads_to(bound)))
}
