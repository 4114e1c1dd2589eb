//! Where a surface listens: an address for HTTP, an endpoint for ZeroMQ, or `none`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// The word that switches a surface off.
const NONE: &str = "none";
/// Before the path of a socket that WebSockets reach.
pub(in crate::config) const WEBSOCKET: &str = "ws:";
/// Before a host and a port that stand for all addresses of that host.
const EVERY_ADDRESS: &str = "dns+tcp://";
/// The name of a host is no longer.
const HOST_BYTES_MAX: usize = 253;

/// Where an HTTP surface listens; none switches it off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(pub Option<SocketAddr>);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == NONE {
            return Ok(Self(None));
        }
        // A name such as `localhost` may stand for several addresses; IPv4 first, as in the endpoints' defaults.
        let mut found: Vec<SocketAddr> = text
            .to_socket_addrs()
            .map_err(|error| format!("`{text}` is not an address such as 127.0.0.1:5000, [::1]:5000 or none: {error}"))?
            .collect();
        found.sort_by_key(SocketAddr::is_ipv6);
        found.first().map(|&address| Self(Some(address))).ok_or_else(|| format!("`{text}` names no address"))
    }
}

/// Where a ZeroMQ socket binds or connects; none switches it off.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint(pub Option<String>);

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == NONE {
            return Ok(Self(None));
        }
        match text.strip_prefix(WEBSOCKET) {
            Some(path) => check_path(text, path)?,
            None if is_every_address(text) => check_every_address(text)?,
            None => check_endpoint(text)?,
        }
        Ok(Self(Some(text.to_owned())))
    }
}

impl Endpoint {
    /// The path of the public HTTP surface that it is, as `ws:/in` says; none for places of ZeroMQ.
    pub fn websocket_path(&self) -> Option<&str> {
        self.0.as_deref()?.strip_prefix(WEBSOCKET)
    }

    /// Whether it stands for all addresses of a name, as `dns+tcp://workers:5571` does; one can connect there, and not bind.
    pub fn is_every_address(&self) -> bool {
        self.0.as_deref().is_some_and(is_every_address)
    }
}

/// Whether an endpoint stands for all addresses of a name.
pub fn is_every_address(endpoint: &str) -> bool {
    endpoint.starts_with(EVERY_ADDRESS)
}

/// Whether an endpoint names a host and a port, for all addresses of that host: `dns+tcp://HOST:PORT`.
///
/// # Errors
/// Says what is missing, when the text does not.
pub fn check_every_address(text: &str) -> Result<(), String> {
    let place = text.strip_prefix(EVERY_ADDRESS).and_then(|place| place.rsplit_once(':'));
    let (host, port) = place.ok_or_else(|| format!("`{text}` names no port: write dns+tcp://HOST:PORT"))?;
    if port.parse::<u16>().ok().is_none_or(|port| port == 0) {
        return Err(format!("`{text}` names no port to connect to: write dns+tcp://HOST:PORT"));
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) || !byte.is_ascii();
    let is_ipv6 = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|host| host.parse::<Ipv6Addr>().is_ok());
    if is_ipv6 || (!host.is_empty() && host.len() <= HOST_BYTES_MAX && host.bytes().all(is_name)) {
        return Ok(());
    }
    Err(format!(
        "`{text}` names no host to connect to: write dns+tcp://HOST:PORT, such as dns+tcp://workers.example:5571"
    ))
}

/// Whether requests can be for such a path.
fn check_path(text: &str, path: &str) -> Result<(), String> {
    let is_sound = path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte));
    if is_sound { Ok(()) } else { Err(format!("`{text}` is not a path of the HTTP surface such as ws:/in")) }
}

/// Whether libzmq can understand an endpoint: `tcp://HOST:PORT`, `tcp://HOST:*` (any free port) or `ipc://PATH`.
///
/// # Errors
/// Says which forms an endpoint has, when the text has none of them.
pub fn check_endpoint(text: &str) -> Result<(), String> {
    let sound = match text.split_once("://") {
        Some(("tcp", rest)) => rest
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && (port == "*" || port.parse::<u16>().is_ok())),
        Some(("ipc", path)) => !path.is_empty(),
        _ => false,
    };
    if sound && !text.contains('\0') {
        Ok(())
    } else {
        Err(format!("`{text}` is not an endpoint such as tcp://127.0.0.1:4444, tcp://127.0.0.1:* or ipc:///tmp/name"))
    }
}

/// The conversions that clap and serde ask for, alike for both kinds.
macro_rules! text_forms {
    ($kind:ty) => {
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match &self.0 {
                    Some(value) => value.fmt(f),
                    None => f.write_str(NONE),
                }
            }
        }

        impl TryFrom<String> for $kind {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$kind> for String {
            fn from(value: $kind) -> String {
                value.to_string()
            }
        }
    };
}

text_forms!(Address);
text_forms!(Endpoint);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_back_as_written() {
        for text in ["127.0.0.1:0", "[::1]:5000", "none"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in ["tcp://127.0.0.1:*", "tcp://*:5570", "tcp://[::1]:4444", "ipc:///tmp/x", "ws:/in", "none"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn all_addresses_of_a_name_have_one_host_and_one_port() {
        for text in ["dns+tcp://workers.default.svc:5571", "dns+tcp://10.0.0.1:1", "dns+tcp://[::1]:1"] {
            let endpoint = text.parse::<Endpoint>().unwrap();
            assert!(endpoint.is_every_address() && endpoint.to_string() == text, "{text}");
        }
        assert!(!"tcp://workers:5571".parse::<Endpoint>().unwrap().is_every_address());
        for host in
            ["", ":", "workers", "*:1", "workers:*", "workers:0", "workers:65536", ":1", "::1:1", "a;b:1", "a/b:1"]
        {
            let text = format!("dns+tcp://{host}");
            let error = text.parse::<Endpoint>().unwrap_err();
            assert!(error.contains(&format!("`{text}`")) && error.contains("dns+tcp://HOST:PORT"), "{error}");
        }
        assert!("dns+ipc:///tmp/x".parse::<Endpoint>().unwrap_err().contains("is not an endpoint"));
    }

    #[test]
    fn what_cannot_be_bound_is_named() {
        assert!("127.0.0.1".parse::<Address>().unwrap_err().contains("`127.0.0.1`"));
        for text in [
            "",
            "127.0.0.1:4444",
            "tcp://127.0.0.1",
            "tcp://:1",
            "tcp://h:65536",
            "ipc://",
            "inproc://x",
            "ws:",
            "ws:in",
            "ws://h:1/in",
            "ws:/a?b",
            "ws:/a b",
        ] {
            assert!(text.parse::<Endpoint>().unwrap_err().contains(&format!("`{text}`")));
        }
    }
}
