//! Whether all that the configuration says of sockets, workers, flows and routes fits together.

mod circles;
mod curve;
mod endpoints;
mod events;
mod every_address;
mod flows;
mod frontend_flow;
mod names;
mod peer;
mod routes;
mod sockets;
mod websockets;
mod workers;

use crate::config::Config;
use crate::config::document::Mistake;

/// Checks everything, the simple before what builds on it.
///
/// # Errors
/// The first mistake.
pub(in crate::config) fn check(config: &Config) -> Result<(), Mistake> {
    for (name, socket) in &config.sockets {
        sockets::check(config, name, socket)?;
        curve::check(config, name, socket)?;
    }
    for (name, pool) in &config.workers {
        workers::check(config, name, pool)?;
    }
    websockets::check(config)?;
    every_address::check(config)?;
    endpoints::check(config)?;
    events::check(config)?;
    flows::check(config)?;
    for (name, route) in &config.routes {
        routes::check(config, name, route)?;
    }
    circles::check(config)
}

#[cfg(test)]
mod tests;
