//! Whether no two sockets of the host bind at one endpoint.

use super::peer::Peer;
use crate::config::document::Mistake;
use crate::config::{Config, Endpoint};

/// What the host binds beside the sockets by name: the key, and the endpoint. The frontend is open only where a reply policy
/// is loaded, which is certain only if one is named.
fn others(config: &Config) -> Vec<(String, Peer)> {
    let frontend = config.messaging.policy.as_ref().and(config.messaging.frontend.0.as_ref());
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
    for (name, socket) in &config.sockets {
        for (index, endpoint) in socket.bind.iter().enumerate() {
            let Endpoint(Some(text)) = endpoint else { continue };
            let peer = Peer::of(text);
            if let Some((key, _)) = bound.iter().find(|(_, earlier)| earlier.collides_with(&peer)) {
                let what = format!("`{text}` is where {key} binds too: give one of them another port or path");
                return Err(Mistake::of("sockets", name, what).at("bind").entry(index));
            }
            bound.push((format!("sockets.{name}"), peer));
        }
    }
    Ok(())
}
