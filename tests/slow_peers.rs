//! No socket drops in silence: a peer that does not read is handled as `on_full` says, and every message is counted.

mod clients;
mod subscribers;

use crate::harness::{Host, LONG_PATIENCE, wait_up_to};

/// A body size of which about a hundred messages fill the buffers of a connection.
const LARGE: usize = 256 << 10;

/// The counts of a hop once nothing is in flight: a message is counted as out a moment after its peer received it.
#[track_caller]
fn settled(host: &Host, hop: &str) -> serde_json::Value {
    wait_up_to(LONG_PATIENCE, "the hop to be empty", || {
        Some(host.ledger()["hops"][hop].clone()).filter(|figures| figures["in_flight"] == 0)
    })
}
