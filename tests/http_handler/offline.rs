//! A handler is tried without a route: by its examples, and by calls of its author.

use super::{component, setup};
use crate::fixtures::custom_section;
use crate::harness::{Process, Setup, tidegate};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;

/// Each is kept.
const KEPT: &str = r#"
[[http-handler]]
name = "greets"
input = {}
expect = { status = 200, body = "hello" }

[[http-handler]]
name = "echoes"
input.path = "/echo/a%2Fb?x=1"
input.headers = { x-own = ["1", "2"], host = "a.example" }
input.body = { base64 = "/wA=" }
expect.status = 201
expect.headers = { x-echo = "yes", set-cookie = ["a=1", "b=2"], tidegate-plugin = [] }

[[http-handler]]
name = "streams to the end"
input.path = "/drip?5"
expect = { headers.content-type = "text/event-stream", body = "0\n1\n2\n3\n4\n" }

[[http-handler]]
name = "has no body for a HEAD"
input = { method = "HEAD", path = "/length?5" }
expect = { headers.content-length = "5", body = "" }

[[http-handler]]
name = "says that it failed"
input.path = "/error"
expect = { error = "failed", error_contains = "out of paper" }
"#;

/// Each is missed, for the reason that its name is.
const MISSED: &str = r#"
[[http-handler]]
name = "status"
input.path = "/nowhere"
expect.status = 200

[[http-handler]]
name = "header"
input.path = "/drip?1"
expect.headers.content-type = "text/event-streams"

[[http-handler]]
name = "trap"
input.path = "/late-trap"
expect.status = 200

[[http-handler]]
name = "output"
input.path = "/length?99999999"
expect.status = 200

[[http-handler]]
name = "network"
input.path = "/fetch?http://example.com/"
expect.body = "200 from elsewhere"

[[http-handler]]
input.path = "/error"
"#;

/// The handler with these examples.
fn promising(examples: &str) -> Vec<u8> {
    let component = std::fs::read(component()).unwrap();
    [&component[..], &custom_section("tidegate:examples", examples.as_bytes())].concat()
}

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(arguments: &[&str]) -> Ended {
    let mut process = Process::start(tidegate().arg("plugin").args(arguments));
    let code = process.wait().code();
    Ended { code, stdout: process.stdout(), stderr: process.stderr() }
}

fn call(arguments: &[&str]) -> Ended {
    run(&[&["call", component().to_str().unwrap()], arguments].concat())
}

#[track_caller]
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in:\n{text}");
    }
}

#[test]
fn examples_are_told_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h.wasm");
    std::fs::write(&path, promising(KEPT)).unwrap();
    let path = path.to_str().unwrap();
    let kept = run(&["test", path]);
    assert_eq!(kept.code, Some(0), "{}{}", kept.stdout, kept.stderr);
    let lines: Vec<_> = kept.stdout.lines().collect();
    assert_eq!((lines[0], lines[2], lines[5]), ("ok      greets", "ok      streams to the end", "5 passed, 0 failed"));

    let own = folder.path().join("own.toml");
    std::fs::write(&own, format!("{MISSED}expect.status = 502\n")).unwrap();
    let missed = run(&["test", path, "--examples", own.to_str().unwrap()]);
    assert_eq!(missed.code, Some(1), "{}", missed.stderr);
    says(
        &missed.stdout,
        &[
            "FAILED  status\n   status differs\n   expected 200\n   got      404, with the body \"no such word\"\n",
            "FAILED  header\n   header content-type differs at byte 17\n   expected \"text/event-streams\"\n",
            "FAILED  trap\n   the end of the call differs\n   expected an answer\n   got      the plugin trapped: ",
            "FAILED  output\n   the end of the call differs\n   expected an answer\n   got      the plugin's output is over ",
            "FAILED  network\n   body differs at byte 0\n",
            "\n   its request to example.com:80 was refused: there is no network where a plugin is tried\n",
            "FAILED  http-handler 6\n   the end of the call differs\n   expected an answer\n   got      Failed: ",
            "0 passed, 6 failed\n",
        ],
    );
    assert_eq!(missed.stdout.matches("was refused").count(), 1, "{}", missed.stdout);

    for (slip, words) in [
        ("input.path = 'a'\nexpect = {}", "path `a` does not begin with /"),
        ("input.path = '/a b'\nexpect = {}", "percent-encode"),
        ("input.headers.'a b' = 'c'\nexpect = {}", "`a b` is no name of a header"),
        ("input = {}\nexpect.headers.'a b' = 'c'", "`a b` is no name of a header"),
        ("input.method = 'G T'\nexpect = {}", "method `G T` is none of HTTP"),
        ("input.headers.a = 1\nexpect = {}", "one value that is text, or a list of such"),
        ("input = {}\nexpect.code = 200", "unknown field `code`"),
    ] {
        std::fs::write(&own, format!("[[http-handler]]\n{slip}\n")).unwrap();
        let refused = run(&["test", path, "--examples", own.to_str().unwrap()]);
        assert_eq!(refused.code, Some(1), "{slip}: {}", refused.stdout);
        says(&refused.stderr, &[words, "line "]);
    }
}

#[test]
fn a_load_holds_a_handler_to_its_examples() {
    // What is granted to the traffic is not granted to an example: it comes to the same wherever it is tried.
    let grant = "[plugins.h]\noutbound = ['example.com']";
    let host = Setup::new().plugin("h", &promising(KEPT)).config(grant).with(&["--frontend=none"]).start();
    assert_eq!(host.get("/h/").text(), "hello");
    let refused = host.admin_request("PUT", "/plugins/h", Some(&promising(MISSED.rsplit_once("[[").unwrap().0)));
    let problem = refused.json();
    assert_eq!((refused.status, &problem["stage"]), (422, &json!("examples")), "{problem}");
    says(problem["detail"].as_str().unwrap(), &["5 of 5 failed", "`status`: status differs", "expected 200"]);
    let network = MISSED.split("[[").find(|example| example.contains("network")).unwrap();
    let refused = host.admin_request("PUT", "/plugins/h", Some(&promising(&format!("[[{network}"))));
    says(refused.json()["detail"].as_str().unwrap(), &["its request to example.com:80 was refused"]);
    let unreadable = host.admin_request("PUT", "/plugins/h", Some(&promising("[[http-handler]]\ninput.path = 'a'")));
    says(unreadable.text(), &["cannot be read", "does not begin with /"]);
    assert_eq!(host.get("/h/").header("tidegate-generation"), "1");
    assert_eq!(host.status("h")["denied"]["outbound"], 0, "a trial is no attempt of the traffic's");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_file_is_called_with_a_request() {
    let whole = call(&[]);
    assert_eq!((whole.code, whole.stdout.as_str()), (Some(0), "hello"), "{}", whole.stderr);
    says(&whole.stderr, &["load ", ", call ", "status: 200 OK\n"]);

    let body = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(body.path(), b"\0body").unwrap();
    let from = format!("--body-file={}", body.path().display());
    let echo =
        call(&["-X", "PUT", "--path", "/echo/a?x=1", "-H", "X-Own: 1: 2", "--header", "host: a.example:81", &from]);
    assert_eq!(echo.code, Some(0), "{}", echo.stderr);
    says(
        &echo.stderr,
        &["status: 201 Created\n", "header: x-echo: yes\n", "header: set-cookie: a=1\nheader: set-cookie: b=2\n"],
    );
    assert!(echo.stdout.starts_with("Method::Put /echo/a?x=1\nScheme::Http a.example:81\n"), "{}", echo.stdout);
    says(
        &echo.stdout,
        &[
            "\nx-own: 1: 2\n",
            "\ncontent-length: 5\n",
            "\nx-forwarded-prefix: /handler\n",
            "\ntidegate-request: call-1\n",
        ],
    );
    assert!(echo.stdout.ends_with("\n\n\0body"), "{}", echo.stdout);
    says(&call(&["--path=/echo", "text"]).stdout, &["Method::Post /echo\n", "\n\ntext"]);

    let told: Value = serde_json::from_str(&call(&["--path=/status?404", "--json"]).stdout).unwrap();
    assert_eq!((&told["status"], &told["headers"]), (&json!(404), &json!([])), "{told}");
    assert_eq!(told["body_base64"], "d2hhdCB0aGlzIHN0YXR1cyBoYXMgdG8gc2F5");
    assert!(told["call_ms"].as_f64() > Some(0.0), "{told}");
}

#[test]
fn a_call_of_a_file_that_fails_says_why() {
    for (path, words) in [
        ("/late-trap", "the plugin trapped"),
        ("/loop", "longer than call_deadline_ms 1000"),
        ("/endless", "output_bytes_max"),
        ("/silent", "the handler ended without a response"),
        ("/length?4", "its response has 5 bytes, and its content-length is 4"),
        ("/error", "out of paper"),
    ] {
        let failed = call(&["--path", path]);
        assert_eq!((failed.code, failed.stdout.as_str()), (Some(1), ""), "{path}");
        // On a busy machine the deadline may pass before the guest has had its time, or before it goes over a bound.
        assert!(
            failed.stderr.contains(words) || failed.stderr.contains("call_deadline_ms"),
            "{path}: {}",
            failed.stderr
        );
    }
    let refused = call(&["--path", "/fetch?https://example.com/"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(0), "error ErrorCode::HttpRequestDenied"));
    says(&refused.stderr, &["note: its request to example.com:443 was refused: there is no network "]);

    for (arguments, code, words) in [
        (&["--path", "a"][..], 1, "path `a` does not begin with /"),
        (&["--header", "a b: c"], 1, "`a b` is no name of a header"),
        (&["--header", "a"], 2, "`a` is no NAME: VALUE"),
        (&["--param", "a=b"], 1, "has its query in --path"),
        (&["--frame", "a", "--role", "http-handler"], 1, "no frames"),
        (&["a", "b"], 1, "one INPUT"),
        (&["a", "--role", "transform"], 1, "handler.wasm has no processor role"),
        (&["--path", "/", "--role", "transform"], 1, "handler.wasm has no processor role"),
    ] {
        let refused = call(arguments);
        assert_eq!(refused.code, Some(code), "{arguments:?}: {}", refused.stderr);
        says(&refused.stderr, &[words]);
    }
    let upcase = crate::harness::component("upcase");
    let upcase = run(&["call", upcase.to_str().unwrap(), "a", "--path", "/", "--role", "transform"]);
    assert_eq!(upcase.code, Some(1));
    says(&upcase.stderr, &["--method, --path and --header are for an http-handler"]);
}

#[test]
fn a_handler_of_a_running_host_is_called_by_its_name() {
    let host = setup().start();
    let admin = format!("--admin={}", host.surface("admin").trim_start_matches("http://"));
    let called = run(&["call", "h", "--path=/echo?a=b", "-H", "x-own: \u{1b}", "--role=http-handler", &admin]);
    says(&called.stderr, &["control character"]);
    let called = run(&["call", "h", "--path=/echo?a=b", "-H", "x-own: 1", "--body=text", &admin]);
    assert_eq!(called.code, Some(0), "{}", called.stderr);
    let head =
        "by: h, generation 1\nstatus: 201\nheader: x-echo: yes\nheader: set-cookie: a=1\nheader: set-cookie: b=2\n";
    assert!(called.stdout.starts_with(head), "{}", called.stdout);
    says(&called.stdout, &["body: Method::Post /echo?a=b\n", "x-own: 1\n", "\n\ntext\n"]);
    let failed = run(&["call", "h", "--path=/trap", &admin]);
    assert_eq!(failed.code, Some(1));
    says(&failed.stderr, &["the plugin trapped"]);

    let answer = |call: Value| {
        let answer = host.admin_request("POST", "/plugins/h/call", Some(call.to_string().as_bytes()));
        (answer.status, answer.json())
    };
    let (status, told) = answer(json!({"http_request": {}}));
    assert_eq!((status, &told["role"]), (200, &json!("http-handler")), "{told}");
    assert_eq!(told["response"], json!({"status": 200, "headers": [], "body": "hello"}));
    let (_, told) = answer(json!({"http_request": {"path": "/echo", "body_base64": "/w=="}}));
    assert!(told["response"]["body_base64"].is_string(), "{told}");
    let (status, told) = answer(json!({"http_request": {"path": "echo"}}));
    assert_eq!((status, &told["detail"]), (400, &json!("path `echo` does not begin with /")));
    assert_eq!(answer(json!({"role": "transform", "http_request": {}})).0, 400);
    assert_eq!(answer(json!({"message": {"body": "a"}})).0, 404, "it is no transform");
    // It counts as a call of the plugin, and is none of a client.
    let ledger = host.ledger();
    assert_eq!((&ledger["hops"]["handler"]["in"], &ledger["hops"]["http"]["in"]), (&json!(0), &json!(0)), "{ledger}");
    assert_eq!(ledger["plugins"]["h"]["in"], 5, "{ledger}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_body_of_a_call_may_come_by_a_pipe() {
    let mut command = tidegate();
    command.args(["plugin", "call"]).arg(component()).args(["--path=/echo", "--stdin"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"\xff\0").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout.ends_with(b"\n\n\xff\0"), "{:?}", output.stdout);
}
