//! One route of the HTTP surface: its plugins and sockets, the headers that pass, and the origins that may read it.

use super::names;
use crate::config::document::Mistake;
use crate::config::streams::Route;
use crate::config::{CONNECTION_HEADERS, Config};

const TABLE: &str = "routes";
/// Headers that say how a message is framed and whom it is for: like those of one connection they are the host's alone.
const FRAMING_HEADERS: [&str; 2] = ["content-length", "host"];

/// Whether a route makes sense.
pub(super) fn check(config: &Config, name: &str, route: &Route) -> Result<(), Mistake> {
    names::check(TABLE, name)?;
    let mistake = |what: String| Mistake::of(TABLE, name, what);
    names::check_through(config, &route.through, mistake)?;
    names::check_sinks(config, route.to.as_deref().unwrap_or_default(), mistake)?;
    for (key, headers) in [("headers", &route.headers), ("response_headers", &route.response_headers)] {
        names::check_unique(key, headers, mistake)?;
        for (index, header) in headers.iter().enumerate() {
            check_header(header)
                .and_then(|()| if key == "headers" { Ok(()) } else { check_settable(header) })
                .map_err(|what| mistake(what).at(key).entry(index))?;
        }
    }
    names::check_unique("cors", &route.cors, mistake)?;
    for (index, origin) in route.cors.iter().enumerate() {
        check_origin(origin).map_err(|what| mistake(what).at("cors").entry(index))?;
    }
    Ok(())
}

/// Whether a plugin may be shown a header of this name, or set it.
fn check_header(name: &str) -> Result<(), String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("`{name}` is no name of a header, such as x-sensor"));
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(format!("`{name}` has upper-case letters: write `{}`", name.to_ascii_lowercase()));
    }
    if CONNECTION_HEADERS.contains(&name) || FRAMING_HEADERS.contains(&name) {
        return Err(format!("`{name}` is of the connection, which is the host's alone: leave it out"));
    }
    Ok(())
}

/// Whether a plugin may set a header that is sound.
fn check_settable(name: &str) -> Result<(), String> {
    if name == "content-type" {
        return Err("a plugin sets `content-type` without being asked to: leave it out".to_owned());
    }
    if name.starts_with("access-control-") {
        return Err(format!("`{name}` is set by `cors` alone: list the origins there"));
    }
    if name.starts_with("tidegate-") {
        return Err(format!("`{name}` says what the host has done: leave it out"));
    }
    Ok(())
}

/// Whether it is an origin as browsers send it.
pub(super) fn check_origin(text: &str) -> Result<(), String> {
    if text == "*" {
        return Err("`*` would let every page that somebody opens read the answers, and browsers never take it with \
                    credentials: list the origins"
            .to_owned());
    }
    let wrong = || Err(format!("`{text}` is no origin such as https://app.example or http://localhost:3000"));
    let Some((scheme, authority)) = text.split_once("://") else { return wrong() };
    let is_scheme = scheme.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !authority.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)),
    };
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    if let Some(path) = authority.find('/').filter(|_| is_scheme) {
        let origin = &text[..scheme.len() + 3 + path];
        return Err(format!("`{text}` has a path, and an origin has none: write `{origin}`"));
    }
    if !is_scheme || !is_host || !is_port {
        return wrong();
    }
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(format!(
            "`{text}` has upper-case letters, which browsers never send: write `{}`",
            text.to_ascii_lowercase()
        ));
    }
    if matches!((scheme, port), ("http", Some("80")) | ("https", Some("443"))) {
        return Err(format!("`{text}` has the usual port, which browsers never send: write `{scheme}://{host}`"));
    }
    Ok(())
}
