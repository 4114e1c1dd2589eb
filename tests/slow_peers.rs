//! No socket drops in silence: whoever does not read is dealt with as the policy says, and every message is counted.

mod clients;
mod subscribers;

use crate::harness::{Host, LONG_PATIENCE, wait_up_to};

/// Fills the buffers of a connection after a hundred messages or so.
const LARGE: usize = 256 << 10;

/// The figures of a hop in which nothing is in flight: what was sent is counted a moment after it was received.
#[track_caller]
fn settled(host: &Host, hop: &str) -> serde_json::Value {
    wait_up_to(LONG_PATIENCE, "the hop to be empty", || {
        Some(host.ledger()["hops"][hop].clone()).filter(|figures| figures["in_flight"] == 0)
    })
}
