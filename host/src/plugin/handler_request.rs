//! A request for a handler that comes by no connection: an example's, or one to try the handler with.

use super::handler_fields::{AtMount, for_handler};
use crate::config::HANDLER_REQUEST_FIELDS_MAX;
use bytes::Bytes;
use hyper::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::{Authority, PathAndQuery};
use hyper::{Method, Request, Uri};
use std::net::{Ipv4Addr, SocketAddr};

const SCHEME: &str = "http";
const AUTHORITY: &str = "localhost";

/// What a handler is asked. The handler sees it as it would see a request that a gateway on this machine, whose word
/// counts, passes on to a host.
#[derive(Clone, Debug)]
pub struct HandlerRequest {
    method: Method,
    target: PathAndQuery,
    authority: Authority,
    headers: HeaderMap,
    body: Bytes,
    request_id: String,
}

/// A request as people write it.
#[derive(Clone, Debug, Default)]
pub struct WrittenRequest {
    /// GET if it is left out, or with a body POST.
    pub method: Option<String>,
    /// The path below the mount, and the query; `/` if it is left out.
    pub path: Option<String>,
    /// Names and values; a name may occur more than once.
    pub headers: Vec<(String, String)>,
    /// Any bytes.
    pub body: Option<Vec<u8>>,
}

impl WrittenRequest {
    /// The request, which the handler can read `request_id` from.
    ///
    /// # Errors
    /// Names what cannot be part of a request.
    pub fn checked(self, request_id: impl Into<String>) -> Result<HandlerRequest, String> {
        let Self { method, path, headers, body } = self;
        let method = match method {
            Some(name) => {
                Method::from_bytes(name.as_bytes()).map_err(|_| format!("method `{name}` is none of HTTP"))?
            }
            None if body.is_some() => Method::POST,
            None => Method::GET,
        };
        let target = target(path.as_deref().unwrap_or("/"))?;
        let mut headers = fields(headers)?;
        let authority = match headers.remove(HOST) {
            Some(host) => {
                Authority::try_from(host.as_bytes()).map_err(|_| format!("header host {host:?} names no host"))?
            }
            None => Authority::from_static(AUTHORITY),
        };
        if let Some(body) = &body {
            headers.insert(CONTENT_LENGTH, body.len().into());
        }
        let (body, request_id) = (body.unwrap_or_default().into(), request_id.into());
        Ok(HandlerRequest { method, target, authority, headers, body, request_id })
    }
}

impl HandlerRequest {
    /// As the handler of this name sees it below its mount.
    pub(crate) fn at_mount(self, name: &str) -> Request<Bytes> {
        let Self { method, target, authority, mut headers, body, request_id } = self;
        let request = AtMount {
            name,
            path: target.path(),
            target: target.as_str(),
            scheme: SCHEME,
            authority: Some(&authority),
            from: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            trusted: true,
            request_id: &request_id,
        };
        for_handler(&mut headers, &request);
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.headers_mut() = headers;
        let uri = Uri::builder().scheme(SCHEME).authority(authority).path_and_query(target).build();
        *request.uri_mut() = uri.unwrap_or_default();
        request
    }
}

fn target(path: &str) -> Result<PathAndQuery, String> {
    if !path.starts_with('/') {
        return Err(format!("path `{path}` does not begin with /"));
    }
    // What stands behind a # is for browsers alone, and would be left out.
    let target = PathAndQuery::try_from(path).ok().filter(|target| target.as_str() == path);
    target.ok_or_else(|| format!("path `{path}` is no path with a query: percent-encode spaces, # and the like"))
}

fn fields(pairs: Vec<(String, String)>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let field = HeaderName::try_from(&name).map_err(|_| format!("`{name}` is no name of a header"))?;
        let value =
            HeaderValue::try_from(value).map_err(|_| format!("header {name}: its value has a control character"))?;
        if headers.len() >= HANDLER_REQUEST_FIELDS_MAX {
            return Err(format!("more headers than {HANDLER_REQUEST_FIELDS_MAX}"));
        }
        headers.append(field, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(
        method: Option<&str>,
        path: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Result<HandlerRequest, String> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (method, path) = (method.map(str::to_owned), path.map(str::to_owned));
        WrittenRequest { method, path, headers, body: body.map(|body| body.as_bytes().to_vec()) }.checked("r1")
    }

    #[test]
    fn a_handler_sees_what_a_host_would_pass_on() {
        let given = [("Host", "a.example:81"), ("X-Own", "1"), ("x-own", "2"), ("connection", "x-hop"), ("x-hop", "1")];
        let seen = request(None, Some("/a%2Fb?c=d"), &given, Some("text")).unwrap().at_mount("h");
        assert_eq!((seen.method(), seen.body().as_ref()), (&Method::POST, b"text".as_slice()));
        assert_eq!(seen.uri(), "http://a.example:81/a%2Fb?c=d");
        let own: Vec<_> = seen.headers().get_all("x-own").iter().collect();
        assert_eq!(own, ["1", "2"]);
        for (name, value) in [
            ("content-length", "4"),
            ("tidegate-request", "r1"),
            ("x-forwarded-prefix", "/h"),
            ("x-forwarded-for", "127.0.0.1"),
            ("spin-full-url", "http://a.example:81/h/a%2Fb?c=d"),
            ("spin-path-info", "/a%2Fb"),
        ] {
            assert_eq!(seen.headers()[name], value, "{name}");
        }
        assert!(!seen.headers().contains_key("x-hop") && !seen.headers().contains_key("host"));

        let seen = request(None, None, &[("x-forwarded-for", "192.0.2.7")], None).unwrap().at_mount("h");
        assert_eq!((seen.method(), seen.uri().to_string().as_str()), (&Method::GET, "http://localhost/"));
        assert_eq!(seen.headers()["x-forwarded-for"], "192.0.2.7, 127.0.0.1");
        assert!(!seen.headers().contains_key("content-length"));
    }

    #[test]
    fn what_is_no_request_is_named() {
        let slip = |method, path, headers: &[(&str, &str)]| request(method, path, headers, None).unwrap_err();
        assert_eq!(slip(Some("G T"), None, &[]), "method `G T` is none of HTTP");
        assert_eq!(slip(None, Some("a"), &[]), "path `a` does not begin with /");
        for path in ["/a b", "/a#b", "/a\n"] {
            assert!(slip(None, Some(path), &[]).contains("percent-encode"), "{path}");
        }
        assert_eq!(slip(None, None, &[("a b", "c")]), "`a b` is no name of a header");
        assert!(slip(None, None, &[("a", "b\r\nc: d")]).contains("control character"));
        assert!(slip(None, None, &[("host", "a b")]).contains("names no host"));
        let many: Vec<_> = (0..=HANDLER_REQUEST_FIELDS_MAX).map(|_| ("a", "b")).collect();
        assert!(slip(None, None, &many).contains("more headers than"));
    }
}
