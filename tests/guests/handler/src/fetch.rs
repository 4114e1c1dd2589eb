//! A request of the handler's own.

use crate::read;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{ErrorCode, Fields, OutgoingRequest, Scheme};

/// Gets `SCHEME://AUTHORITY/PATH`, and tells the status and the body, or the error.
pub fn get(url: &str) -> String {
    match try_get(url) {
        Ok((status, body)) => format!("{status} {body}"),
        Err(code) => format!("error {code:?}"),
    }
}

fn try_get(url: &str) -> Result<(u16, String), ErrorCode> {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let request = OutgoingRequest::new(Fields::new());
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    request.set_scheme(Some(&scheme)).expect("it is one");
    request.set_authority(Some(authority)).expect("it is one");
    request.set_path_with_query(Some(&format!("/{path}"))).expect("it is one");
    let response = outgoing_handler::handle(request, None)?;
    response.subscribe().block();
    let response = response.get().expect("it is there").expect("it is the first time")?;
    let mut body = Vec::new();
    read(response.consume().expect("it is the first time"), &mut body);
    Ok((response.status(), String::from_utf8_lossy(&body).into_owned()))
}
