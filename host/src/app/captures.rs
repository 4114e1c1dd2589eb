//! The captures of a host, which write down what goes by.

use super::{StartError, could_not_start};
use crate::config;
use crate::ledger::Ledger;
use crate::plugin::Seed;
use crate::record::capture::{About, Captures};
use crate::system::supervisor::Supervisor;
use std::hash::{BuildHasher, Hasher, RandomState};

/// None runs yet.
pub(super) fn new(config: &config::Capture, seed: Seed, ledger: &Ledger, supervisor: &Supervisor) -> Captures {
    let about = About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        // The standard library seeds its hash maps from the system's randomness.
        boot: format!("{:016x}", RandomState::new().build_hasher().finish()),
        seed: seed.value,
        seed_fixed: seed.fixed,
    };
    Captures::new(config.clone(), about, ledger.clone(), supervisor.clone())
}

/// Begins the ring, if the configuration has one.
pub(super) fn start_ring(captures: &Captures) -> Result<(), StartError> {
    captures.start_ring().map_err(|error| could_not_start(format!("beginning the ring of captures: {error}")))
}
