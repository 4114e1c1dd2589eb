//! Handlers of wasi:http run unchanged, under the same bounds, swaps and ledger as other plugins.

mod failures;
mod fields;
mod offline;
mod outbound;

use crate::fixtures;
use crate::harness::{Client, Host, Process, Setup, bytes, root, tidegate, wait_for};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use tidegate::cli::plugin::{embedded_digest, source_digest};

/// Turns off pauses and rollbacks: each failure is provoked on purpose.
const NO_PAUSES: &str = "[rollback]\nfailures = 0";

/// The handler in `tests/guests/handler`, which does what its path says.
fn component() -> PathBuf {
    root().join("tests/fixtures/handler.wasm")
}

/// The two handlers that `wasmtime serve` is measured with, which know nothing of Tidegate.
fn foreign(build: &str) -> Vec<u8> {
    std::fs::read(root().join(format!("benches/contenders/wasi-http/{build}.wasm"))).unwrap()
}

fn setup() -> Setup {
    Setup::new().plugin("h", &std::fs::read(component()).unwrap()).config(NO_PAUSES).with(&["--frontend=none"])
}

/// Sends a request, and returns the connection for reading the answer in pieces.
fn ask(host: &Host, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(host.surface("http").trim_start_matches("http://")).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    stream
}

fn handler_hop(host: &Host) -> Value {
    host.ledger()["hops"]["handler"].take()
}

#[test]
fn the_component_is_built_from_the_sources_beside_it() {
    let sources = source_digest(&root().join("tests/guests/handler")).unwrap();
    let built_from = embedded_digest(&std::fs::read(component()).unwrap());
    assert_eq!(built_from, Some(sources), "stale: run what tests/guests/handler/Cargo.toml says");
}

#[test]
fn a_component_that_was_not_written_for_tidegate_serves_as_it_is() {
    let host = Setup::new().plugin("x", &foreign("as-it-comes")).start();
    let answer = host.get("/x/downcase/?param=HeLLo");
    assert_eq!((answer.status, answer.text()), (200, "lower case of HeLLo is hello"));
    assert_eq!((answer.header("content-type"), answer.header("tidegate-generation")), ("text/plain", "1"));
    assert_eq!(host.get("/x/").status, 400, "its own 400, to a path that it does not know");
    assert_eq!(host.get("/").text().lines().nth(1), Some("/x/…"));
    let status = host.status("x");
    assert_eq!((&status["roles"], &status["contract"]), (&json!(["http-handler"]), &Value::Null));
    wait_for("the end of both calls", || (handler_hop(&host)["in_flight"] == 0).then_some(()));
    let ledger = host.ledger();
    let counted = json!({"in": 2, "out": 2, "in_flight": 0, "dropped": {}});
    assert_eq!((&ledger["hops"]["handler"], &ledger["plugins"]["x"]), (&counted, &counted));
    assert_eq!((&ledger["hops"]["transform"]["in"], &ledger["hops"]["publish"]["in"]), (&json!(0), &json!(0)));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_check_and_a_list_tell_the_role() {
    let mut check = Process::start(tidegate().args(["plugin", "check"]).arg(component()));
    assert_eq!(check.wait().code(), Some(0), "{}", check.stderr());
    for line in ["contract: wasi:http@0.2", "roles: http-handler"] {
        assert!(check.stdout().lines().any(|found| found == line), "{line} is not in\n{}", check.stdout());
    }
    let host = setup().start();
    let admin = format!("--admin={}", host.surface("admin").trim_start_matches("http://"));
    let mut list = Process::start(tidegate().args(["plugin", "list", &admin]));
    assert_eq!(list.wait().code(), Some(0), "{}", list.stderr());
    assert!(list.stdout().contains("http-handler"), "{}", list.stdout());
}

#[test]
fn the_handler_sees_the_request_below_its_mount_and_the_client_its_response() {
    let host = setup().start();
    let headers = [("x-own", "1"), ("x-forwarded-prefix", "/forged"), ("tidegate-request", "forged")];
    let answer =
        Client::new(&host).request_with("PUT", "/h/echo/a%2Fb//c?x=1&y=%20", &headers, Some(b"\0body")).unwrap();
    let authority = host.surface("http").trim_start_matches("http://");
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(text.lines().next(), Some("Method::Put /echo/a%2Fb//c?x=1&y=%20"), "{text}");
    assert_eq!(text.lines().nth(1), Some(&*format!("Scheme::Http {authority}")), "{text}");
    let id = answer.header("tidegate-request");
    for line in
        ["x-own: 1", "x-forwarded-prefix: /h", "spin-path-info: /echo/a%2Fb//c", &format!("tidegate-request: {id}")]
    {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("forged") && text.ends_with("\n\n\0body"), "{text}");
    assert_eq!((answer.status, answer.header("x-echo"), answer.header("tidegate-plugin")), (201, "yes", "h"));

    assert_eq!((host.get("/h").text(), host.get("/h/").text()), ("hello", "hello"));
    let head = host.request("HEAD", "/h/length?5", None);
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "5", 0));
    assert_eq!((host.get("/h/status?204").status, host.get("/h/status?404").status), (204, 404));
    assert_eq!(host.stop(), 0);
}

#[test]
fn its_route_is_tried_from_the_command_line() {
    let host = setup().start();
    let shown = host.output("flow", &["call", "--route", "h", "-X", "PUT", "--path", "/echo/a?x=-1", "--body=-5"]);
    assert!(shown.starts_with("by: h, generation 1\nstatus: 201\n"), "{shown}");
    assert!(shown.contains("Method::Put /echo/a?x=-1") && shown.contains("\ntook: "), "{shown}");
    let (code, _, stderr) = host.run("flow", &["call", "--route", "h", "--path", "/", "--topic", "t"]);
    assert!(code == 1 && stderr.contains("no --topic"), "{stderr}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_token_of_the_surface_is_none_of_its_business() {
    let setup = setup().config("[http]\ntoken_file = 'token'");
    let token = "0123456789abcdef";
    std::fs::write(setup.path().join("token"), token).unwrap();
    let host = setup.start();
    assert_eq!(host.get("/h/echo").status, 401);
    let bearer = format!("Bearer {token}");
    let answer = Client::new(&host).request_with("GET", "/h/echo", &[("authorization", &bearer)], None).unwrap();
    assert!(answer.status == 201 && !answer.text().contains(token), "{}", answer.text());
}

#[test]
fn bodies_are_bounded_on_their_way_in_and_large_on_their_way_out() {
    let host = setup().config("[limits]\ncall_deadline_ms = 60000\n[http]\nbody_bytes_max = 100000").start();
    let body = vec![b'y'; 100_000];
    assert!(host.post("/h/echo", &body).body.ends_with(&body));
    assert_eq!(host.post("/h/echo", &[b'y'; 100_001]).status, 413);
    let answer = host.get("/h/stream?5000000");
    assert_eq!((answer.status, answer.body.len()), (200, 5_000_000));
    assert!(answer.body.iter().all(|byte| *byte == b'x'));
    wait_for("the end of both calls", || (handler_hop(&host)["in_flight"] == 0).then_some(()));
    assert_eq!(handler_hop(&host), json!({"in": 2, "out": 2, "in_flight": 0, "dropped": {}}), "the 413 was no call");
}

#[test]
fn a_response_is_sent_as_it_is_written() {
    let host = setup().config("[limits]\ncall_deadline_ms = 60000").start();
    let mut stream = ask(&host, "/h/drip?50");
    let mut text = String::new();
    while !text.contains("\r\n0\n") {
        let mut piece = [0; 1024];
        let bytes = stream.read(&mut piece).unwrap();
        assert!(bytes > 0, "{text}");
        text += std::str::from_utf8(&piece[..bytes]).unwrap();
    }
    assert!(!text.contains("49\n"), "it came at once: {text}");
    assert_eq!(handler_hop(&host)["in_flight"], 1);
    stream.read_to_string(&mut text).unwrap();
    assert!(text.contains("49\n") && text.ends_with("0\r\n\r\n"), "{text}");
    wait_for("the end of the call", || (handler_hop(&host)["out"] == 1).then_some(()));
}

#[test]
fn a_client_that_does_not_read_holds_no_instance() {
    let host = setup().config("[limits]\ncall_deadline_ms = 60000").start();
    let _unread = ask(&host, "/h/stream?16000000");
    wait_for("the end of the call", || (handler_hop(&host)["out"] == 1).then_some(()));
}

#[test]
fn only_a_handler_has_paths_below_its_own() {
    let setup = Setup::new().with(&["--frontend=none"]);
    let plugins = setup.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    std::fs::copy(component(), plugins.join("h.wasm")).unwrap();
    std::fs::write(plugins.join("downcase.wasm"), bytes("downcase")).unwrap();
    std::fs::write(plugins.join("bad.wasm"), fixtures::wrong_world()).unwrap();
    let host = setup.start();
    assert_eq!((host.get("/h/stream/x?1").status, host.get("/downcase/?param=a").status), (200, 200));
    assert_eq!((host.get("/downcase/x?param=a").status, host.get("/none/x").status), (404, 404));
    assert_eq!((host.get("/bad/x").status, host.get("/bad/?param=a").status), (503, 503), "who knows what it is");
}

#[test]
fn no_request_is_lost_while_a_handler_is_swapped() {
    const SWAPS: u64 = 10;
    let host = Setup::new().plugin("x", &foreign("as-it-comes")).with(&["--frontend=none"]).start();
    let over = AtomicBool::new(false);
    let (answers, generations) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let (client, mut answers, mut last, mut generations) = (Client::new(&host), 0_u64, 0_u64, 0_u64);
                    while !over.load(Ordering::Relaxed) {
                        let answer = client.request("GET", "/x/downcase/?param=AbC", None).unwrap();
                        assert_eq!((answer.status, answer.text()), (200, "lower case of AbC is abc"));
                        let generation: u64 = answer.header("tidegate-generation").parse().unwrap();
                        assert!(generation >= last, "{generation} after {last}");
                        generations += u64::from(generation > last);
                        (answers, last) = (answers + 1, generation);
                    }
                    (answers, generations)
                })
            })
            .collect();
        for number in 0..SWAPS {
            let next = foreign(if number % 2 == 0 { "recipe" } else { "as-it-comes" });
            let put = host.admin_request("PUT", "/plugins/x", Some(&next));
            assert_eq!(put.status, 200, "{}", put.text());
        }
        over.store(true, Ordering::Relaxed);
        let seen: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        (seen.iter().map(|seen| seen.0).sum::<u64>(), seen.iter().map(|seen| seen.1).max().unwrap())
    });
    assert!(generations > 1, "{generations}");
    // A client may have its answer before its handler has returned.
    let all = json!({"in": answers, "out": answers, "in_flight": 0, "dropped": {}});
    wait_for("the end of all calls", || (handler_hop(&host)["in_flight"] == 0).then_some(()));
    assert_eq!(handler_hop(&host), all);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_response_under_way_ends_on_the_handler_it_began_with() {
    let host = setup().config("[limits]\ncall_deadline_ms = 60000").start();
    let mut stream = ask(&host, "/h/drip?40");
    wait_for("the call", || (handler_hop(&host)["in_flight"] == 1).then_some(()));
    assert_eq!(host.admin_request("PUT", "/plugins/h", Some(&foreign("recipe"))).status, 200);
    assert_eq!(host.get("/h/downcase/?param=a").header("tidegate-generation"), "2");
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.contains("tidegate-generation: 1") && text.contains("39\n"), "{text}");
}
