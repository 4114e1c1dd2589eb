//! The watch over the authorized keys: the one thread that looks at their directory, and what is said when that hangs.
//!
//! The threads that own sockets must not wait for a disk, so they see what this one saw last.

use super::authorized_keys::AuthorizedKeys;
use crate::config::AUTHORIZED_KEYS_LOOK_MS;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Starts the thread, which ends when nobody else has the keys any more.
///
/// # Errors
/// When the system gives no thread.
pub(super) fn start(keys: &Arc<AuthorizedKeys>) -> std::io::Result<()> {
    let watched = Arc::downgrade(keys);
    let watch = move || {
        loop {
            thread::sleep(Duration::from_millis(AUTHORIZED_KEYS_LOOK_MS));
            let Some(keys) = watched.upgrade() else { return };
            // A removal that nobody sees any more would be worse than a look that failed.
            if catch_unwind(AssertUnwindSafe(|| keys.look())).is_err() {
                tracing::error!("looking at the authorized keys panicked; the last list stays in force");
            }
        }
    };
    thread::Builder::new().name("curve-keys".to_owned()).spawn(watch).map(drop)
}
