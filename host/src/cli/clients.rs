//! The commands that are ZeroMQ clients.

pub(super) mod keys;
pub(super) mod request;
pub(super) mod subscribe;
pub(super) mod worker;

use crate::config::{check_every_address, is_every_address};
use crate::messaging::check_peer;

/// Reads an endpoint to connect to, which may stand for all addresses of a name.
pub(super) fn peer(text: &str) -> Result<String, String> {
    let check = if is_every_address(text) { check_every_address } else { check_peer };
    check(text).map(|()| text.to_owned())
}
