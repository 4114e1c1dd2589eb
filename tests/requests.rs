//! Every request has an id that its caller, its plugin and the log share; with a token configured, only callers that
//! present it are served.

use crate::fixtures;
use crate::harness::{Client, Host, Setup};
use std::collections::BTreeSet;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn traced(host: &Host, path: &str, traceparent: &str) -> (String, String) {
    let answer = Client::new(host).request_with("GET", path, &[("traceparent", traceparent)], None).unwrap();
    (answer.header("tidegate-request").to_owned(), answer.text().to_owned())
}

#[test]
fn every_answer_names_its_request() {
    let host = Setup::new()
        .committed("downcase")
        .plugin("first", &fixtures::telling_pair(0))
        .plugin("fail", &fixtures::erring(true, "broken"))
        .env("TIDEGATE_LOG", "debug")
        .start();
    let mut names = BTreeSet::new();
    for (path, status) in [
        ("/downcase/?param=SECRET", 200),
        ("/", 200),
        ("/nobody/", 404),
        ("/downcase/", 400),
        ("/fail/?param=SECRET", 502),
    ] {
        let answer = host.get(path);
        assert_eq!(answer.status, status, "{path}");
        let name = answer.header("tidegate-request").to_owned();
        host.process.wait_for_line(&["answered", &format!("request_id=\"{name}\""), &format!("status={status}")]);
        assert!(names.insert(name), "{path}: a name twice");
    }
    assert_eq!(names.len(), 5);
    let answer = host.get("/first/?param=SECRET");
    assert_eq!(answer.text(), answer.header("tidegate-request"));
    host.process.wait_for_line(&[
        "answered",
        "method=GET",
        "route=\"/first/\"",
        "plugin=\"first\"",
        "generation=1",
        "duration_ms=",
    ]);
    let failed = host.get("/fail/?param=SECRET");
    let name = format!("request_id=\"{}\"", failed.header("tidegate-request"));
    host.process.wait_for_line(&["call failed", &name]);
    assert_ne!(host.admin("/livez").header("tidegate-request"), "");
    assert!(!host.process.stderr().contains("SECRET"), "{}", host.process.stderr());
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_trace_is_taken_over() {
    let host =
        Setup::new().plugin("first", &fixtures::telling_pair(0)).plugin("second", &fixtures::telling_pair(1)).start();
    let (name, body) = traced(&host, "/first/?param=x", TRACEPARENT);
    assert!(name.starts_with(&format!("{TRACE}-")), "{name}");
    assert_eq!(body, name);
    assert_eq!(traced(&host, "/second/?param=x", TRACEPARENT).1, TRACEPARENT);
    assert_ne!(traced(&host, "/first/?param=x", TRACEPARENT).0, name);
    // An invalid id is replaced, like a missing one.
    for broken in ["00-0-0-01", &TRACEPARENT.to_uppercase(), &format!("{TRACEPARENT}-x")] {
        let (name, body) = traced(&host, "/second/?param=x&a=b", broken);
        assert!(!name.starts_with(TRACE), "{name}");
        assert_eq!(body, "b");
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn with_a_token_only_who_shows_it_is_served() {
    let setup = Setup::new().committed("downcase");
    let file = setup.path().join("token");
    std::fs::write(&file, "a-token-of-some-length\n").unwrap();
    let host = setup.config(&format!("[http]\ntoken_file = '{}'", file.display())).env("TIDEGATE_LOG", "debug").start();
    let ask =
        |headers: &[(&str, &str)]| Client::new(&host).request_with("GET", "/downcase/?param=A", headers, None).unwrap();
    assert_eq!(ask(&[("authorization", "Bearer a-token-of-some-length")]).status, 200);
    assert_eq!(ask(&[("authorization", "bearer a-token-of-some-length")]).status, 200);
    for wrong in [
        &[][..],
        &[("authorization", "Bearer a-token-of-some-lengtH")],
        &[("authorization", "Basic a-token-of-some-length")],
    ] {
        let answer = ask(wrong);
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer"), "{}", answer.text());
        assert!(answer.text().contains("http.token_file"), "{}", answer.text());
    }
    assert_eq!(host.get("/").status, 401);
    assert_eq!(host.admin("/livez").status, 200);
    host.process.wait_for_line(&["answered", "status=401"]);
    assert!(!host.process.stderr().contains("a-token"), "{}", host.process.stderr());
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_token_that_cannot_be_read_is_said() {
    let setup = Setup::new().committed("downcase").config("[http]\ntoken_file = 'nowhere'");
    let output = setup.command().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("token file nowhere") && error.contains("openssl rand"), "{error}");
}
