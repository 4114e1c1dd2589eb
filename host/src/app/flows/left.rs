//! Whether what was closed has left the place where it was bound.

use crate::messaging::socket::is_left;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// For so long what was closed is waited for to be gone from where it was bound.
const LEFT_WAIT_MAX: Duration = Duration::from_secs(2);
const LEFT_LOOK: Duration = Duration::from_millis(5);

/// Waits until those that were closed are gone from these endpoints, so that another may be bound there.
pub(super) async fn await_left(endpoints: impl Iterator<Item = String>) {
    let left = async {
        for endpoint in endpoints {
            while !is_left(&endpoint) {
                sleep(LEFT_LOOK).await;
            }
        }
    };
    let _ = timeout(LEFT_WAIT_MAX, left).await;
}
