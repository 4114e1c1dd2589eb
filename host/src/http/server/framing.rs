//! What the head of a request has to be by RFC 9110, 9112 and 9113, as far as hyper leaves that to us.

use crate::http::problem::Problem;
use warp::http::header::{HOST, TRANSFER_ENCODING};
use warp::http::request::Parts;
use warp::http::uri::Authority;
use warp::http::{HeaderMap, HeaderValue, Method, Version};

/// Whom the request is for, if it says so: by its target, else by its `Host`.
///
/// # Errors
/// The head is one that a server has to refuse, or that two servers could understand in two ways.
pub(super) fn check(head: &Parts) -> Result<Option<Authority>, Problem> {
    let Parts { method, uri, headers, version, .. } = head;
    let host = host(headers, *version)?;
    check_coding(headers)?;
    let Some(authority) = uri.authority() else { return Ok(host) };
    if uri.scheme().is_none() && *method != Method::CONNECT {
        return Err(malformed("the target of the request is no path; it begins with /"));
    }
    if authority.as_str().contains('@') {
        return Err(malformed("the target of the request names a user; leave out what stands before the @"));
    }
    if *version == Version::HTTP_2 && host.is_some_and(|host| host != *authority) {
        return Err(malformed("the Host header is another one than :authority; leave it out"));
    }
    Ok(Some(authority.clone()))
}

fn host(headers: &HeaderMap, version: Version) -> Result<Option<Authority>, Problem> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => Err(malformed("the request has more than one Host header; send one")),
        (None, _) if version == Version::HTTP_11 => {
            Err(malformed("the request has no Host header; HTTP/1.1 needs one"))
        }
        (None, _) => Ok(None),
        (Some(host), None) => match authority(host) {
            Some(authority) => Ok(Some(authority)),
            None => Err(malformed("the Host header is no host name or address, with or without a port")),
        },
    }
}

fn authority(host: &HeaderValue) -> Option<Authority> {
    let authority = Authority::try_from(host.as_bytes()).ok()?;
    let (name, text) = (authority.host(), authority.as_str());
    let port = text.strip_prefix(name)?;
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    (is_port && !name.is_empty()).then_some(authority)
}

/// RFC 3986 lets a port be empty.
fn is_port(text: &str) -> bool {
    text.is_empty() || (text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok())
}

/// hyper undoes `chunked` where it stands last, and would hand on what is below it as if that were the body.
fn check_coding(headers: &HeaderMap) -> Result<(), Problem> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Problem::Coding),
    }
}

fn malformed(detail: &str) -> Problem {
    Problem::Malformed(detail.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        let is_host = |host: &str| authority(&HeaderValue::from_str(host).unwrap()).is_some();
        for host in ["x", "X.example.org", "x:80", "x:", "127.0.0.1:5000", "[::1]", "[::1]:5000", "a_b", "x:65535"] {
            assert!(is_host(host), "{host}");
        }
        for host in [
            "", " ", ":80", "x y", "x:80:80", "x:port", "x:+1", "x:65536", "u@x", "http://x", "x/", "x?a", "[::1",
            "::1",
        ] {
            assert!(!is_host(host), "{host}");
        }
    }
}
