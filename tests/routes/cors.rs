//! Pages of other origins: preflights, and which answers they may read.

use crate::client::Answer;
use crate::harness::{Client, Host, Setup};

const ORIGIN: (&str, &str) = ("origin", "https://app.example");

fn host(token: bool) -> Host {
    let setup = Setup::new().committed("downcase").committed("upcase").config(
        "[routes.downcase]\ncors = ['https://app.example']\nheaders = ['x-sensor']\nresponse_headers = ['x-kind']\n\
         [http]\nrequests_max = 1000",
    );
    if !token {
        return setup.start();
    }
    std::fs::write(setup.path().join("http.token"), "0123456789abcdef0123456789abcdef").unwrap();
    setup.config("token_file = 'http.token'").start()
}

fn ask(host: &Host, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    Client::new(host).request_with(method, path, headers, None).unwrap()
}

fn cors_headers(answer: &Answer) -> Vec<&str> {
    answer.headers.keys().map(String::as_str).filter(|name| name.starts_with("access-control-")).collect()
}

#[test]
fn a_preflight_is_answered_without_a_token() {
    let host = host(true);
    let headers = [
        ORIGIN,
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type,x-sensor,x-unknown"),
    ];
    let answer = ask(&host, "OPTIONS", "/downcase/", &headers);
    assert_eq!((answer.status, answer.text()), (204, ""));
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example");
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert_eq!(answer.header("access-control-allow-methods"), "GET, HEAD, POST, PUT, PATCH, DELETE");
    assert_eq!(answer.header("access-control-allow-headers"), "authorization, content-type, x-sensor");
    assert_eq!(answer.header("access-control-max-age"), "600");
    // No other request gets in without it; but a page may read that.
    let refused = ask(&host, "GET", "/downcase/?param=A", &[ORIGIN]);
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, "https://app.example"));
    // An OPTIONS that is no preflight is a request like any other, and so is one to a route without `cors`.
    assert_eq!(ask(&host, "OPTIONS", "/downcase/", &[ORIGIN]).status, 401);
    assert_eq!(ask(&host, "OPTIONS", "/upcase/", &headers).status, 401);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_listed_page_may_read_every_answer_and_another_none() {
    let host = host(false);
    for (path, status) in [("/downcase/?param=A", 200), ("/downcase/?param=A&param=B", 400), ("/downcase/more", 404)] {
        let answer = ask(&host, "GET", path, &[ORIGIN]);
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (status, ORIGIN.1), "{path}");
        assert_eq!(answer.header("vary"), "origin");
        let exposed = answer.header("access-control-expose-headers");
        for name in ["tidegate-request", "tidegate-plugin", "retry-after", "x-kind"] {
            assert!(exposed.split(", ").any(|exposed| exposed == name), "{name} is not in {exposed}");
        }
        for origin in ["https://app.example.evil.example", "http://app.example", "https://app.example:8443", "null"] {
            let answer = ask(&host, "GET", path, &[("origin", origin)]);
            assert_eq!((answer.status, answer.header("vary")), (status, "origin"), "{origin}");
            assert!(cors_headers(&answer).is_empty(), "{origin}: {:?}", answer.headers);
        }
        assert_eq!(ask(&host, "GET", path, &[]).header("vary"), "origin", "a cache has to know");
    }
    let other = ask(&host, "GET", "/upcase/?param=A", &[ORIGIN]);
    assert!(cors_headers(&other).is_empty() && other.header("vary").is_empty());
    let unlisted = [("origin", "https://other.example"), ("access-control-request-method", "POST")];
    let answer = ask(&host, "OPTIONS", "/downcase/", &unlisted);
    assert_eq!((answer.status, cors_headers(&answer).len()), (204, 0));
    assert_eq!(host.stop(), 0);
}
