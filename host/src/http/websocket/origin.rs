//! The web pages that may open WebSockets: those of the same host, and of listed origins.

use crate::http::problem::Problem;
use warp::http::HeaderMap;
use warp::http::Uri;
use warp::http::header::ORIGIN;
use warp::http::uri::Authority;

/// The host's own origin, and others, each as a browser says it: `https://app.example`.
pub struct Origins {
    listed: Vec<String>,
    /// The listener itself speaks TLS.
    has_tls: bool,
}

impl Origins {
    /// Those of a list, beside that of a host which has TLS of its own or not.
    pub fn new(listed: &[String], has_tls: bool) -> Self {
        Self { listed: listed.to_vec(), has_tls }
    }

    /// Whether the page that asks may. Who names no origin is no browser: every browser does, and a page cannot keep it
    /// from that.
    ///
    /// # Errors
    /// When it is the page of an origin that is not listed.
    pub(super) fn check(&self, headers: &HeaderMap, host: Option<&Authority>) -> Result<(), Problem> {
        let mut origins = headers.get_all(ORIGIN).iter();
        let (origin, another) = (origins.next(), origins.next());
        let Some(origin) = origin else { return Ok(()) };
        let origin = origin.to_str().ok().filter(|_| another.is_none());
        let is_let_in = |origin: &str| {
            self.listed.iter().any(|listed| listed == origin) || host.is_some_and(|host| self.is_own(origin, host))
        };
        if origin.is_some_and(is_let_in) { Ok(()) } else { Err(Problem::ForeignOrigin) }
    }

    /// Whether a page has come from where it connects to. Without TLS of the host's own only the page knows the scheme: a
    /// gateway may have taken the TLS off.
    fn is_own(&self, origin: &str, host: &Authority) -> bool {
        let Ok(origin) = origin.parse::<Uri>() else { return false };
        let usual = match origin.scheme_str() {
            Some("http") if !self.has_tls => 80,
            Some("https") => 443,
            _ => return false,
        };
        let place =
            |authority: &Authority| (authority.host().to_ascii_lowercase(), authority.port_u16().unwrap_or(usual));
        origin.authority().is_some_and(|authority| place(authority) == place(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_let_in(listed: &[&str], origins: &[&str], host: &str) -> bool {
        is_let_in_with(false, listed, origins, host)
    }

    fn is_let_in_with(has_tls: bool, listed: &[&str], origins: &[&str], host: &str) -> bool {
        let listed: Vec<_> = listed.iter().map(|&origin| origin.to_owned()).collect();
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(ORIGIN, origin.parse().expect("a value"));
        }
        Origins::new(&listed, has_tls).check(&headers, host.parse().ok().as_ref()).is_ok()
    }

    #[test]
    fn pages_of_the_same_host_are_let_in_and_programs_are() {
        for (origin, host) in [
            ("http://127.0.0.1:5000", "127.0.0.1:5000"),
            ("http://App.example", "app.example"),
            ("http://app.example", "app.example:80"),
            // Behind a gateway that has the certificate.
            ("https://app.example", "app.example"),
            ("https://app.example", "app.example:443"),
            ("http://[::1]:5000", "[::1]:5000"),
        ] {
            assert!(is_let_in(&[], &[origin], host), "{origin} {host}");
        }
        assert!(is_let_in(&[], &[], "app.example"));
    }

    #[test]
    fn where_the_host_has_tls_its_pages_have_it() {
        let is_let_in = |listed: &[&str], origin| is_let_in_with(true, listed, &[origin], "app.example");
        for own in ["https://app.example", "https://app.example:443"] {
            assert!(is_let_in(&[], own), "{own}");
        }
        for other in ["http://app.example", "http://app.example:443", "http://app.example:80", "https://app.example:80"]
        {
            assert!(!is_let_in(&[], other), "{other}");
        }
        assert!(is_let_in(&["http://app.example"], "http://app.example"));
    }

    #[test]
    fn pages_of_others_are_not_unless_they_are_listed() {
        for origin in [
            "null",
            "",
            "https://evil.example",
            "http://app.example:81",
            "http://app.example.evil",
            "http://evil-app.example",
            "ftp://app.example",
            "app.example",
            "http://",
        ] {
            assert!(!is_let_in(&[], &[origin], "app.example"), "{origin}");
            assert!(!is_let_in(&["https://page.example"], &[origin], "app.example"), "{origin}");
        }
        assert!(is_let_in(&["https://page.example"], &["https://page.example"], "app.example"));
        assert!(!is_let_in(&["https://page.example"], &["https://page.example:444"], "app.example"));
        assert!(!is_let_in(&[], &["http://app.example", "https://evil.example"], "app.example"), "two");
    }
}
