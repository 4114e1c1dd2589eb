//! Whether nobody binds to all addresses of a name, beside the sockets by name.

use super::names::NOT_BOUND;
use crate::config::Config;
use crate::config::document::Mistake;

/// Looks at the endpoints of `[messaging]` and of the pools.
pub(super) fn check(config: &Config) -> Result<(), Mistake> {
    for (key, endpoint) in [("publish", &config.messaging.publish), ("frontend", &config.messaging.frontend)] {
        if endpoint.is_every_address() {
            let what = format!("`{endpoint}` stands for all addresses of a name, {NOT_BOUND}");
            return Err(Mistake::within("messaging", what).at(key));
        }
    }
    for (name, pool) in &config.workers {
        if let Some((index, endpoint)) = pool.bind.iter().enumerate().find(|(_, endpoint)| endpoint.is_every_address())
        {
            let what = format!("`{endpoint}` stands for all addresses of a name, {NOT_BOUND}");
            return Err(Mistake::of("workers", name, what).at("bind").entry(index));
        }
    }
    Ok(())
}
