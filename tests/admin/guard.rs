//! The admin surface serves callers on this machine only, or callers with the token; never a web page.

use super::served;
use crate::harness::{Client, Host, Process, Setup, bytes};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn status(host: &Host, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    let body = bytes("upcase");
    let body = (method == "PUT").then_some(&body[..]);
    Client::at(host.surface("admin")).request_with(method, path, headers, body).expect("an answer").status
}

/// Asserts that every operation without access is refused with `status` and changes nothing.
#[track_caller]
fn assert_kept_out(host: &Host, headers: &[(&str, &str)], expected: u16) {
    for (method, path) in [
        ("GET", "/plugins"),
        ("GET", "/plugins/x"),
        ("GET", "/nothing"),
        ("GET", "/openapi.json"),
        ("PUT", "/plugins/x"),
        ("PUT", "/plugins/x?persist=true"),
        ("POST", "/plugins/x/rollback"),
        ("POST", "/plugins/x/load"),
        ("POST", "/plugins/x/call"),
        ("OPTIONS", "/plugins/x"),
    ] {
        assert_eq!(status(host, method, path, headers), expected, "{method} {path} with {headers:?}");
    }
    assert_eq!(status(host, "GET", "/livez", headers), 200, "{headers:?}");
    assert_eq!(status(host, "GET", "/readyz", headers), 200, "{headers:?}");
    assert_eq!(served(host).0, 1);
}

#[test]
fn without_a_token_no_web_page_gets_through() {
    let host = super::host();
    let place = host.surface("admin").trim_start_matches("http://").to_owned();
    let port = place.rsplit_once(':').unwrap().1;
    let (own, page) = (format!("http://{place}"), format!("http://127.0.0.1:1{port}"));
    let (localhost, secure) = (format!("localhost:{port}"), format!("https://{place}"));
    for foreign in [
        &[("host", "example.org")][..],
        &[("host", "rebound.example.org:5001")],
        &[("host", "192.0.2.1:5001")],
        &[("host", "localhost.example.org")],
        &[("origin", "http://example.org")],
        &[("origin", "null")],
        &[("origin", &page)],
        &[("origin", &secure)],
        &[("origin", &own), ("host", &localhost)],
        &[("origin", &own), ("origin", "http://example.org")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none"), ("origin", "null")],
    ] {
        assert_kept_out(&host, foreign, 403);
    }
    for own in [
        &[][..],
        &[("host", "localhost:5001")],
        &[("host", "tidegate.localhost")],
        &[("host", "[::1]:5001")],
        &[("host", "127.255.0.1")],
        &[("origin", &own)],
        &[("origin", "http://LOCALHOST:80"), ("host", "localhost:80")],
        &[("sec-fetch-site", "same-origin"), ("origin", &own)],
        &[("sec-fetch-site", "none")],
    ] {
        assert_eq!(status(&host, "GET", "/plugins/x", own), 200, "{own:?}");
    }
    // A browser's preflight request (OPTIONS) is not answered with permission.
    let asked = Client::at(host.surface("admin")).request_with("OPTIONS", "/plugins/x", &[], None).unwrap();
    assert_eq!((asked.status, asked.header("access-control-allow-origin")), (405, ""));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_request_without_a_host_is_refused() {
    let host = super::host();
    for (head, expected) in [
        ("GET /plugins HTTP/1.0\r\n\r\n", "403"),
        ("GET /plugins HTTP/1.1\r\n\r\n", "400"),
        ("GET /plugins HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n", "400"),
        ("GET /plugins HTTP/1.0\r\nhost: localhost\r\n\r\n", "200"),
    ] {
        let mut stream = TcpStream::connect(host.surface("admin").trim_start_matches("http://")).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(std::str::from_utf8(&answer[9..]), Ok(expected), "{head}");
    }
    assert_eq!(host.stop(), 0);
}

/// A host with a token file of this mode.
fn guarded(address: &str, mode: u32) -> Host {
    let setup = Setup::new().plugin("x", &bytes("downcase")).with(&[&format!("--admin={address}")]);
    let file = setup.path().join("token");
    std::fs::write(&file, format!("  {TOKEN}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    setup.config("[admin]\ntoken_file = 'token'").start()
}

#[test]
fn with_a_token_every_call_shows_it() {
    let host = guarded("127.0.0.1:0", 0o600);
    assert!(!host.process.stderr().contains("can read it"), "{}", host.process.stderr());
    let bearer = format!("Bearer {TOKEN}");
    for wrong in [
        &[][..],
        &[("authorization", "")],
        &[("authorization", "Bearer")],
        &[("authorization", "Bearer ")],
        &[("authorization", TOKEN)],
        &[("authorization", "Basic MDEyMzQ1Njc4OWFiY2RlZg==")],
        &[("authorization", &bearer[..bearer.len() - 1])],
        &[("authorization", &format!("{bearer}0"))],
        &[("authorization", "Bearer 0123456789abcdef0123456789abcdee")],
    ] {
        assert_kept_out(&host, wrong, 401);
    }
    let client = Client::at(host.surface("admin"));
    assert_eq!(client.request("GET", "/plugins", None).unwrap().header("www-authenticate"), "Bearer");
    for right in [bearer.clone(), format!("bearer {TOKEN}"), format!("BEARER  {TOKEN}")] {
        // With the token, the origin does not matter.
        let headers = [("authorization", right.as_str()), ("host", "plugins.example.org"), ("origin", "null")];
        assert_eq!(status(&host, "GET", "/plugins", &headers), 200, "{right}");
    }
    assert_eq!(status(&host, "PUT", "/plugins/x", &[("authorization", &bearer)]), 200);
    assert_eq!(served(&host).0, 2);
    assert_eq!(host.stop(), 0);
}

#[test]
fn other_machines_need_a_token_and_a_readable_file_is_warned_of() {
    let host = guarded("0.0.0.0:0", 0o644);
    host.process.wait_for_line(&["token", "every user of this machine can read it", "chmod 600"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_would_be_open_does_not_start() {
    let refused = |setup: Setup, words: &[&str]| {
        let mut process = Process::start(&mut setup.command());
        assert_eq!(process.wait().code(), Some(2), "{}", process.stderr());
        for word in words {
            assert!(process.stderr().contains(word), "{word:?} is not in: {}", process.stderr());
        }
    };
    let setup = || Setup::new().committed("downcase");
    refused(setup().with(&["--admin=0.0.0.0:0"]), &["0.0.0.0:0", "127.0.0.1", "admin.token_file"]);
    refused(setup().with(&["--admin=[::]:0"]), &["[::]:0", "admin.token_file"]);
    for (content, words) in [
        (None, "No such file"),
        (Some(""), "0 bytes"),
        (Some(" \n\n"), "0 bytes"),
        (Some("0123456789abcde\n"), "15 bytes, and 16 are the least"),
        (Some("0123456789 abcdef"), "plain ASCII without spaces"),
    ] {
        let setup = setup().config("[admin]\ntoken_file = 'secret'");
        if let Some(content) = content {
            std::fs::write(setup.path().join("secret"), content).unwrap();
        }
        refused(setup, &["token file secret", words, "openssl rand"]);
    }
}
