//! The commands that are ZeroMQ clients.

pub(super) mod keys;
pub(super) mod request;
pub(super) mod subscribe;
pub(super) mod worker;

use crate::messaging::check_peer;

/// Reads an endpoint to connect to.
pub(super) fn peer(text: &str) -> Result<String, String> {
    check_peer(text).map(|()| text.to_owned())
}
