//! Which header fields pass between a client and a handler: none that are about one connection, and none that only the
//! host or a gateway before it can know, unless they come from a gateway that is trusted.

use crate::config::CONNECTION_HEADERS;
use hyper::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::Authority;
use std::net::SocketAddr;

/// What only this host says.
const OF_HOST: [&str; 2] = ["tidegate-", "spin-"];
/// What gateways and content networks say of a client, by the beginning of the name …
const OF_GATEWAY_FAMILIES: [&str; 12] = [
    "x-forwarded-",
    "x-original-",
    "x-envoy-",
    "x-azure-",
    "x-appengine-",
    "x-vercel-",
    "x-amzn-",
    "cf-",
    "cloudfront-",
    "fastly-",
    "fly-",
    "ssl-client-",
];
/// … or by the whole of it.
const OF_GATEWAY: [&str; 10] = [
    "forwarded",
    "x-forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-remote-addr",
    "x-rewrite-url",
    "x-scheme",
    "client-ip",
    "true-client-ip",
];

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// A request as it came in at the mount of a handler.
pub(crate) struct AtMount<'a> {
    /// The name of the plugin.
    pub(crate) name: &'a str,
    /// What stands below the mount, with the `/` that it begins with.
    pub(crate) path: &'a str,
    /// Path and query below the mount.
    pub(crate) target: &'a str,
    pub(crate) scheme: &'static str,
    /// Whom the request is for.
    pub(crate) authority: Option<&'a Authority>,
    /// The other end of the connection.
    pub(crate) from: SocketAddr,
    /// Whether that end may say where the request comes from.
    pub(crate) trusted: bool,
    pub(crate) request_id: &'a str,
}

/// Takes out of a request what does not pass, and puts in what the host knows.
pub(crate) fn for_handler(headers: &mut HeaderMap, request: &AtMount<'_>) {
    let AtMount { name, path, target, scheme, authority, from, trusted, request_id } = request;
    strip_connection(headers);
    strip(headers, |field| is_told_by_others(field, *trusted));

    let mut say = |field: HeaderName, text: String| match HeaderValue::try_from(text) {
        Ok(value) => _ = headers.insert(field, value),
        Err(_) => _ = headers.remove(field),
    };
    let own = HeaderName::from_static;
    say(own("tidegate-request"), (*request_id).to_owned());
    say(own("x-forwarded-prefix"), format!("/{name}"));
    // As Spin's components expect them.
    say(own("spin-path-info"), (*path).to_owned());
    say(own("spin-component-route"), format!("/{name}"));
    say(own("spin-matched-route"), format!("/{name}/..."));
    say(own("spin-raw-component-route"), format!("/{name}/..."));
    say(own("spin-base-path"), "/".to_owned());
    let peer = SocketAddr::new(from.ip().to_canonical(), from.port());
    say(own("spin-client-addr"), peer.to_string());
    if let Some(authority) = authority {
        say(own("spin-full-url"), format!("{scheme}://{authority}/{name}{target}"));
    }

    // A gateway's word stands; its own address is added as gateways do it.
    let before: Vec<String> =
        headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok().map(str::to_owned)).collect();
    let chain = before.into_iter().chain([peer.ip().to_string()]).collect::<Vec<_>>().join(", ");
    let mut say = |field: HeaderName, text: String| {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(field, value);
        }
    };
    say(FORWARDED_FOR, chain);
    if !headers.contains_key(FORWARDED_PROTO) {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
    }
    if let Some(authority) = authority.filter(|_| !headers.contains_key(FORWARDED_HOST))
        && let Ok(value) = HeaderValue::try_from(authority.as_str())
    {
        headers.insert(FORWARDED_HOST, value);
    }
}

/// Whether a client cannot say this itself: what only the host says, or a gateway, unless the client is one that is
/// `trusted`.
fn is_told_by_others(field: &str, trusted: bool) -> bool {
    let spelt = field.replace('_', "-");
    let of_gateway = begins(&spelt, &OF_GATEWAY_FAMILIES) || OF_GATEWAY.contains(&spelt.as_str());
    // No gateway writes underscores, and one that sets a field may pass such a spelling of it on from a client.
    begins(&spelt, &OF_HOST) || of_gateway && (!trusted || spelt != field)
}

/// Whether a field of a request passes to a plugin that asks for it.
pub(crate) fn passes(headers: &HeaderMap, field: &HeaderName, trusted: bool) -> bool {
    let name = field.as_str();
    !CONNECTION_HEADERS.contains(&name) && !is_of_connection(headers, field) && !is_told_by_others(name, trusted)
}

/// Takes out of a handler's response what is about the connection, which is the host's, and what only the host says.
pub(crate) fn for_client(headers: &mut HeaderMap) {
    strip_connection(headers);
    strip(headers, |field| begins(field, &OF_HOST));
}

/// Whether `Connection` names a field, which then is for this connection alone.
pub(crate) fn is_of_connection(headers: &HeaderMap, field: &HeaderName) -> bool {
    options(headers).any(|option| option.eq_ignore_ascii_case(field.as_str()))
}

fn options(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',').map(str::trim))
}

fn strip_connection(headers: &mut HeaderMap) {
    // Most responses have none yet, and making the names takes longer than all else here.
    if headers.is_empty() {
        return;
    }
    let named: Vec<HeaderName> = options(headers).filter_map(|option| option.parse().ok()).collect();
    for field in named.into_iter().chain(CONNECTION_HEADERS.map(HeaderName::from_static)) {
        headers.remove(field);
    }
}

fn strip(headers: &mut HeaderMap, is_stripped: impl Fn(&str) -> bool) {
    let stripped: Vec<HeaderName> = headers.keys().filter(|field| is_stripped(field.as_str())).cloned().collect();
    for field in stripped {
        headers.remove(field);
    }
}

fn begins(field: &str, families: &[&str]) -> bool {
    families.iter().any(|family| field.starts_with(family))
}
