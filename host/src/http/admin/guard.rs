//! Who may use the admin surface: whoever has the token; without a token callers on this machine, but no web page.

use crate::http::problem::Problem;
use crate::http::server::token::Token;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use warp::http::HeaderMap;
use warp::http::header::{HOST, HeaderName, ORIGIN};
use warp::http::uri::Authority;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Decides about each request by its headers.
pub struct Guard {
    token: Option<Token>,
}

impl Guard {
    /// The guard of a surface at `address`, with the token of a file.
    ///
    /// # Errors
    /// When other machines could reach the surface without a token, or the file holds none. Says what to do.
    pub fn new(address: SocketAddr, token_file: Option<&Path>) -> Result<Self, String> {
        match token_file {
            Some(file) => Ok(Self { token: Some(Token::of_file(file)?) }),
            None if address.ip().to_canonical().is_loopback() => Ok(Self { token: None }),
            None => Err(format!(
                "admin {address}: other machines could swap plugins there: listen on 127.0.0.1:{}, or set \
                 admin.token_file in the configuration to a file that holds a token",
                address.port()
            )),
        }
    }

    /// Whether a request with these headers is let through.
    ///
    /// # Errors
    /// When the token is missing or wrong, or the request may come from a web page.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        match &self.token {
            Some(token) if token.is_shown(headers, None) => Ok(()),
            Some(_) => Err(Problem::NoAdminToken),
            None => no_web_page(headers),
        }
    }
}

/// Browsers say where a call comes from; a page that had its own name resolve to this machine gives itself away by
/// `Host`.
fn no_web_page(headers: &HeaderMap) -> Result<(), Problem> {
    let mut hosts = headers.get_all(HOST).iter().map(|host| host.to_str().ok());
    let host = match (hosts.next().flatten(), hosts.next()) {
        (Some(host), None) if is_loopback(host) => host,
        _ => return Err(Problem::Foreign("the Host header does not name this machine")),
    };
    let own = |origin: &str| origin.strip_prefix("http://").is_some_and(|origin| origin.eq_ignore_ascii_case(host));
    if !headers.get_all(ORIGIN).iter().all(|origin| origin.to_str().is_ok_and(own)) {
        return Err(Problem::Foreign("the Origin header names a web page of another place"));
    }
    let sites = ["same-origin", "none"];
    if !headers.get_all(SEC_FETCH_SITE).iter().all(|site| sites.iter().any(|own| site == own)) {
        return Err(Problem::Foreign("the Sec-Fetch-Site header names a web page of another place"));
    }
    Ok(())
}

/// Whether a `Host` names this machine and nothing that a name server could decide otherwise.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    if host.contains('@') {
        return false;
    }
    let name = authority.host().to_ascii_lowercase();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&name);
    match address.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for host in ["localhost", "LocalHost:5001", "a.localhost:1", "127.0.0.1:5001", "127.9.8.7", "[::1]", "[::1]:80"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            ":5001",
            "example.org",
            "localhost.example.org",
            "notlocalhost",
            "127.0.0.1.example.org",
            "0.0.0.0",
            "128.0.0.1",
            "[::2]",
            "[fe80::1]",
            "x@localhost",
            "localhost@example.org",
            "localhost/x",
            "2130706433",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn another_address_than_a_loopback_one_needs_a_token() {
        for address in ["127.0.0.1:0", "127.1.2.3:5001", "[::1]:5001", "[::ffff:127.0.0.1]:5001"] {
            assert!(Guard::new(address.parse().unwrap(), None).is_ok(), "{address}");
        }
        for address in ["0.0.0.0:5001", "[::]:5001", "192.0.2.1:5001", "[2001:db8::1]:5001"] {
            let error = Guard::new(address.parse().unwrap(), None).err().unwrap();
            assert!(error.contains(address) && error.contains("admin.token_file"), "{error}");
        }
    }
}
