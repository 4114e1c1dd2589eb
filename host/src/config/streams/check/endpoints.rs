//! Whether no two sockets or pools of the host bind at one endpoint.

use super::peer::Peer;
use crate::config::document::Mistake;
use crate::config::{Config, Endpoint};

/// What the host binds beside the sockets and pools by name: the key, and the endpoint. The frontend is open only where
/// something answers it, which is certain only if that is named.
fn others(config: &Config) -> Vec<(String, Peer)> {
    let is_answered = config.messaging.policy.is_some() || config.frontend_flow().is_some();
    let frontend = config.messaging.frontend.0.as_ref().filter(|_| is_answered);
    let messaging = [("messaging.publish", config.messaging.publish.0.as_ref()), ("messaging.frontend", frontend)];
    let listeners = [("http.address", &config.http.address), ("admin.address", &config.admin.address)];
    let listeners = listeners.map(|(key, address)| (key, address.0.map(|address| format!("tcp://{address}"))));
    let messaging = messaging.map(|(key, endpoint)| (key, endpoint.cloned()));
    let bound = messaging.into_iter().chain(listeners).filter_map(|(key, endpoint)| Some((key, endpoint?)));
    bound.map(|(key, endpoint)| (key.to_owned(), Peer::of(&endpoint))).collect()
}

/// Compares each with all before it.
pub(super) fn check(config: &Config) -> Result<(), Mistake> {
    let mut bound = others(config);
    let sockets = config.sockets.iter().map(|(name, socket)| ("sockets", name, &socket.bind));
    let pools = config.workers.iter().map(|(name, pool)| ("workers", name, &pool.bind));
    for (table, name, bind) in sockets.chain(pools) {
        for (index, endpoint) in bind.iter().enumerate() {
            let Endpoint(Some(text)) = endpoint else { continue };
            let peer = Peer::of(text);
            if let Some((key, _)) = bound.iter().find(|(_, earlier)| earlier.collides_with(&peer)) {
                let what = format!("`{text}` is where {key} binds too: give one of them another port or path");
                return Err(Mistake::of(table, name, what).at("bind").entry(index));
            }
            bound.push((format!("{table}.{name}"), peer));
        }
    }
    Ok(())
}
