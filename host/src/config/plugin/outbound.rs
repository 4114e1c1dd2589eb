//! Which hosts a plugin may send requests to.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The ports that a grant without one means.
const USUAL_PORTS: [u16; 2] = [80, 443];

/// A host that a plugin may send requests to: `HOST` on the ports 80 and 443, or `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Grant {
    // In lower case, and an IPv6 address without its brackets.
    host: String,
    port: Option<u16>,
}

impl Grant {
    /// Whether it lets requests through to this host and port.
    pub fn covers(&self, host: &str, port: u16) -> bool {
        let port_fits = self.port.map_or(USUAL_PORTS.contains(&port), |granted| granted == port);
        port_fits && self.host.eq_ignore_ascii_case(unbracketed(host))
    }

    /// Whether it says which address it means, `localhost` included; any other name may resolve to whatever its owner
    /// likes.
    pub fn is_of_an_address(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok()
    }
}

/// An IPv6 address stands in brackets where a port may follow.
fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

impl FromStr for Grant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("`{text}` is no host such as api.example.com, localhost:8080, 10.0.0.1 or [::1]:8080");
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !text.ends_with(']') => (host, Some(port.parse().map_err(|_| refused())?)),
            _ => (text, None),
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let sound = match unbracketed(host) {
            name if name.len() == host.len() => !name.is_empty() && name.bytes().all(is_name),
            address => address.parse::<std::net::Ipv6Addr>().is_ok(),
        };
        if !sound || port == Some(0) {
            return Err(refused());
        }
        Ok(Self { host: unbracketed(host).to_ascii_lowercase(), port })
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]") } else { f.write_str(host) }?;
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl TryFrom<String> for Grant {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Grant> for String {
    fn from(grant: Grant) -> Self {
        grant.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(grant: &str, host: &str, port: u16) -> bool {
        grant.parse::<Grant>().unwrap().covers(host, port)
    }

    #[test]
    fn a_grant_covers_its_host_and_port_alone() {
        assert!(covers("api.example.com", "API.example.com", 443) && covers("api.example.com", "api.example.com", 80));
        assert!(!covers("api.example.com", "api.example.com", 8080));
        assert!(!covers("example.com", "api.example.com", 443) && !covers("api.example.com", "example.com", 443));
        assert!(covers("localhost:8080", "localhost", 8080) && !covers("localhost:8080", "localhost", 80));
        assert!(covers("[::1]:8080", "[::1]", 8080) && covers("10.0.0.1", "10.0.0.1", 80));
    }

    #[test]
    fn grants_read_back_as_written() {
        for text in ["api.example.com", "localhost:8080", "10.0.0.1:1", "[::1]", "[::1]:8080"] {
            assert_eq!(text.parse::<Grant>().unwrap().to_string(), text);
        }
        for (text, is_address) in [("localhost:1", true), ("127.0.0.1", true), ("[::1]", true), ("a.localhost", false)]
        {
            assert_eq!(text.parse::<Grant>().unwrap().is_of_an_address(), is_address, "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_named() {
        for text in
            ["", ":80", "https://a.com", "a.com/x", "*.a.com", "a.com:", "a.com:0", "a.com:65536", "::1", "[a]:1"]
        {
            assert!(text.parse::<Grant>().unwrap_err().contains(&format!("`{text}`")), "{text}");
        }
    }
}
