//! Checks of endpoints before libzmq gets them: whether a client can connect there, and whether other machines can.

use crate::config::check_endpoint;
use std::net::SocketAddr;

/// Whether a socket can connect to `endpoint`: as for binding, but with a host and a port that stand for one peer.
///
/// # Errors
/// When it cannot; names the endpoint and the remedy.
pub fn check_peer(endpoint: &str) -> Result<(), String> {
    check_endpoint(endpoint)?;
    let place = endpoint.split_once("://").map_or(endpoint, |(_, place)| place);
    match place.rsplit_once(':') {
        Some(("*", _)) => Err(format!("`{endpoint}` names no host to connect to: write tcp://HOST:PORT")),
        Some((_, "*" | "0")) => Err(format!("`{endpoint}` names no port to connect to: write tcp://HOST:PORT")),
        _ => Ok(()),
    }
}

/// Whether other machines can connect to a bound endpoint, which is given as libzmq reports it, with the real address.
pub fn is_exposed(endpoint: &str) -> bool {
    let Some(place) = endpoint.strip_prefix("tcp://") else { return false };
    place.parse::<SocketAddr>().map_or(true, |address| !address.ip().to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_reaches_a_loopback_address_or_a_path() {
        for endpoint in ["tcp://127.0.0.1:4444", "tcp://127.8.0.1:1", "tcp://[::1]:4444", "ipc:///run/x"] {
            assert!(!is_exposed(endpoint), "{endpoint}");
        }
        for endpoint in ["tcp://0.0.0.0:4444", "tcp://192.168.1.2:1", "tcp://[::]:4444"] {
            assert!(is_exposed(endpoint), "{endpoint}");
        }
    }

    #[test]
    fn a_peer_has_one_host_and_one_port() {
        for endpoint in ["tcp://127.0.0.1:4444", "tcp://localhost:1", "tcp://[::1]:4444", "ipc:///run/tidegate.sock"] {
            assert_eq!(check_peer(endpoint), Ok(()), "{endpoint}");
        }
        for endpoint in ["localhost:4444", "tcp://127.0.0.1:*", "tcp://*:4444", "tcp://127.0.0.1:0"] {
            let error = check_peer(endpoint).expect_err(endpoint);
            assert!(error.contains(endpoint) && error.contains("tcp://"), "{error}");
        }
    }
}
