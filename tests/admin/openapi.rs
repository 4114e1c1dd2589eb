//! The document at `/openapi.json` describes what the admin surface does: all of it, and nothing else.

mod document;

use crate::fixtures;
use crate::harness::{Client, Host, LONG_PATIENCE, Setup, bytes, root, wait_for, wait_up_to};
use document::Document;
use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;

const METHODS: [&str; 6] = ["get", "put", "post", "delete", "patch", "options"];

/// Answers that are documented, but would take a wait of 30 seconds, a broken host, a registry or a disk that stalls, or
/// letters of 64 MiB.
const NOT_PROVOKED: [&str; 14] = [
    "get /dead-letters 503",
    "get /dead-letters/{id} 409",
    "get /dead-letters/{id} 503",
    "post /dead-letters/{id}/replay 500",
    "post /dead-letters/{id}/replay 503",
    "post /plugins/{name}/call 408",
    "post /plugins/{name}/call 500",
    "post /plugins/{name}/load 409",
    "post /plugins/{name}/load 500",
    "post /plugins/{name}/load 503",
    "put /flows 408",
    "put /flows/{name} 408",
    "put /plugins/{name} 408",
    "put /plugins/{name} 409",
];

const FLOWS: &[u8] =
    b"[sockets.in]\ntype = 'pull'\nbind = ['tcp://127.0.0.1:*']\n[flows.f]\nfrom = ['in']\nto = ['publish']";

/// A host with one plugin for each way in which a call ends, and one that does not load.
fn host() -> Host {
    let setup =
        Setup::new().config("[plugins.wait.limits]\ncalls_max = 1\n[plugins.tight.limits]\ncomponent_bytes_max = 100");
    let plugins = setup.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    for (name, component) in [
        ("x", bytes("downcase")),
        ("echo", bytes("echo")),
        ("bad", b"garbage".to_vec()),
        ("filter", fixtures::filtering()),
        ("reject", fixtures::erring(false, "no")),
        ("fail", fixtures::erring(true, "no")),
        ("wait", fixtures::waiting()),
        ("h", std::fs::read(root().join("tests/fixtures/handler.wasm")).unwrap()),
        ("p", fixtures::processor()),
    ] {
        std::fs::write(plugins.join(format!("{name}.wasm")), component).unwrap();
    }
    setup.with(&["--policy=echo"]).start()
}

#[test]
fn every_answer_is_as_documented() {
    let host = host();
    let mut document = Document::of(&host);
    let (up, call) = (bytes("upcase"), br#"{"message": {"body": "AbC"}}"#.as_slice());
    let too_much = vec![b' '; (16 << 20) + 1];
    for (operation, name, body, status) in [
        ("get /livez", "", None, 200),
        ("get /readyz", "", None, 200),
        ("get /openapi.json", "", None, 200),
        ("get /broker", "", None, 200),
        ("post /broker/pause", "", None, 200),
        ("post /broker/drain", "", None, 200),
        ("post /broker/resume", "", None, 200),
        ("get /flows", "", None, 200),
        ("put /flows", "", Some(FLOWS), 200),
        ("put /flows", "", Some(b"[flows.f]\nfrom = ['nowhere']\nto = ['publish']"), 422),
        ("put /flows", "", Some(&vec![b' '; (1 << 20) + 1]), 413),
        ("get /flows", "", None, 200),
        ("get /flows/{name}", "f", None, 200),
        ("get /flows/{name}", "nobody", None, 404),
        ("post /flows/{name}/pause", "f", None, 200),
        ("post /flows/{name}/drain", "f", None, 200),
        ("post /flows/{name}/resume", "f", None, 200),
        ("post /flows/{name}/pause", "nobody", None, 404),
        ("post /flows/{name}/drain", "nobody", None, 404),
        ("post /flows/{name}/resume", "nobody", None, 404),
        ("put /flows/{name}", "f", Some(b"from = ['in']\nto = ['publish']\nin_flight_max = 1"), 200),
        ("put /flows/{name}", "f", Some(b"from = ['in']"), 422),
        ("put /flows/{name}", "f", Some(&vec![b' '; (1 << 20) + 1]), 413),
        ("get /ledger", "", None, 200),
        ("get /ledger", "?since=soon", None, 400),
        ("get /ledger", "?since=1-1", None, 410),
        ("get /dead-letters", "", None, 200),
        ("get /dead-letters", "?limit=0", None, 400),
        ("get /dead-letters/{id}", "0-0", None, 404),
        ("post /dead-letters/{id}/replay", "0-0", None, 404),
        ("post /dead-letters/{id}/replay", "0-0?again=perhaps", None, 400),
        ("get /metrics", "", None, 200),
        ("get /plugins", "", None, 200),
        ("get /plugins/{name}", "x", None, 200),
        ("get /plugins/{name}", "bad", None, 200),
        ("get /plugins/{name}", "nobody", None, 404),
        ("post /plugins/{name}/rollback", "x", None, 409),
        ("put /plugins/{name}", "x", Some(up.as_slice()), 200),
        ("get /plugins/{name}", "x", None, 200),
        ("post /plugins/{name}/rollback", "x", None, 200),
        ("post /plugins/{name}/rollback", "x?to=two", None, 400),
        ("post /plugins/{name}/rollback", "nobody", None, 404),
        ("put /plugins/{name}", "x?persist", Some(up.as_slice()), 400),
        ("put /plugins/{name}", "X", Some(up.as_slice()), 400),
        ("put /plugins/{name}", "tight", Some(up.as_slice()), 413),
        ("put /plugins/{name}", "x", Some(b"garbage"), 422),
        ("get /plugins/{name}", "x", None, 200),
        ("post /plugins/{name}/load", "x", None, 200),
        ("post /plugins/{name}/load", "bad", None, 422),
        ("post /plugins/{name}/load", "nobody", None, 404),
        ("post /plugins/{name}/call", "x", Some(call), 200),
        ("post /plugins/{name}/call", "filter", Some(call), 200),
        ("post /plugins/{name}/call", "echo", Some(br#"{"request": {"frames": ["a"]}}"#), 200),
        ("post /plugins/{name}/call", "echo", Some(br#"{"request": {"frames_base64": ["/w=="]}}"#), 200),
        ("post /plugins/{name}/call", "h", Some(br#"{"http_request": {"path": "/echo", "body": "a"}}"#), 200),
        ("post /plugins/{name}/call", "h", Some(br#"{"http_request": {"path": "/echo", "body_base64": "/w=="}}"#), 200),
        ("get /plugins/{name}", "p", None, 200),
        ("post /plugins/{name}/call", "p", Some(br#"{"message": {"frames": ["t", "split:a,b"]}}"#), 200),
        ("post /plugins/{name}/call", "p", Some(br#"{"message": {"frames_base64": ["/w=="]}}"#), 200),
        ("post /plugins/{name}/call", "p", Some(br#"{"request": {"frames": ["metadata"]}}"#), 200),
        ("post /plugins/{name}/call", "p", Some(br#"{"message": {"frames": ["a"], "body": "b"}}"#), 400),
        ("post /plugins/{name}/call", "x", Some(b"{}"), 400),
        ("post /plugins/{name}/call", "nobody", Some(call), 404),
        ("post /plugins/{name}/call", "echo", Some(call), 404),
        ("post /plugins/{name}/call", "x", Some(&too_much), 413),
        ("post /plugins/{name}/call", "reject", Some(call), 422),
        ("post /plugins/{name}/call", "fail", Some(call), 502),
        ("post /plugins/{name}/call", "bad", Some(call), 503),
        ("post /plugins/{name}/call", "wait", Some(call), 504),
        ("delete /plugins/{name}", "reject", None, 200),
        ("delete /plugins/{name}", "reject", None, 404),
        ("delete /plugins/{name}", "echo", None, 409),
    ] {
        let (method, path) = operation.split_once(' ').unwrap();
        let (name, query) = name.split_at(name.find('?').unwrap_or(name.len()));
        let path = path.replace("{name}", name).replace("{id}", name) + query;
        let answer = host.admin_request(&method.to_uppercase(), &path, body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        document.check(operation, &answer);
    }
    document.check("get /plugins", &host.admin_request("GET", "/plugins", None));
    let ledger = host.admin_request("GET", "/ledger", None);
    document.check("get /ledger", &ledger);
    let since = format!("/ledger?since={}", ledger.json()["mark"].as_str().unwrap());
    document.check("get /ledger", &host.admin_request("GET", &since, None));
    let as_json = [("accept", "application/json")];
    let readiness = Client::at(host.surface("admin")).request_with("GET", "/readyz", &as_json, None).unwrap();
    assert_eq!(readiness.json()["ready"], true);
    document.check("get /readyz", &readiness);
    letters(&host, &mut document);
    let openmetrics = [("accept", "application/openmetrics-text")];
    let client = Client::at(host.surface("admin"));
    document.check("get /metrics", &client.request_with("GET", "/metrics", &openmetrics, None).unwrap());

    host.admin_request("POST", "/broker/pause", None);
    let paused = wait_up_to(LONG_PATIENCE, "the broker to pause", || {
        Some(host.admin("/readyz")).filter(|answer| answer.status == 503)
    });
    document.check("get /readyz", &paused);
    host.admin_request("POST", "/broker/resume", None);
    busy(&host, &mut document);
    not_persisted(&host, &mut document);
    std::fs::write(host.directory.path().join("plugins/bad.wasm"), &up).unwrap();
    let ready =
        wait_up_to(LONG_PATIENCE, "all to serve", || Some(host.admin("/readyz")).filter(|answer| answer.status == 200));
    document.check("get /readyz", &ready);
    strangers(&mut document);
    without_a_broker_and_to_the_end(&mut document);

    let documented = document.operations().into_iter().flat_map(|operation| {
        let (method, path) = operation.split_once(' ').unwrap();
        let responses = document.json["paths"][path][method]["responses"].as_object().unwrap();
        responses.keys().map(|status| format!("{operation} {status}")).collect::<Vec<_>>()
    });
    let unseen: Vec<String> = documented.filter(|name| !document.seen.contains(name)).collect();
    assert_eq!(unseen, NOT_PROVOKED);
}

/// Replays letters, to each of the ends that a call has.
fn letters(host: &Host, document: &mut Document) {
    for (plugin, status) in [("fail", 502), ("fail", 502), ("wait", 504)] {
        assert_eq!(host.get(&format!("/{plugin}/?param=a")).status, status);
    }
    let listed = wait_for("the letters", || {
        let listed = host.admin_request("GET", "/dead-letters", None);
        (listed.json()["letters"].as_array().unwrap().len() == 3).then_some(listed)
    });
    document.check("get /dead-letters", &listed);
    let listed = listed.json();
    let ids: Vec<_> =
        listed["letters"].as_array().unwrap().iter().map(|letter| letter["id"].as_str().unwrap()).collect();
    document.check("get /dead-letters/{id}", &host.admin_request("GET", &format!("/dead-letters/{}", ids[0]), None));
    let mut replay = |id: &str, status| {
        let answer = host.admin_request("POST", &format!("/dead-letters/{id}/replay"), None);
        assert_eq!(answer.status, status, "{}", answer.text());
        document.check("post /dead-letters/{id}/replay", &answer);
    };
    replay(ids[0], 502);
    replay(ids[2], 504);
    assert_eq!(host.admin_request("PUT", "/plugins/fail", Some(&bytes("upcase"))).status, 200);
    replay(ids[0], 200);
    replay(ids[0], 409);
    assert_eq!(host.admin_request("PUT", "/plugins/fail", Some(&fixtures::erring(false, "no"))).status, 200);
    replay(ids[1], 422);
}

/// Begins uploads that never end, until one more is refused.
fn busy(host: &Host, document: &mut Document) {
    let address = host.surface("admin").trim_start_matches("http://");
    let mut uploads = Vec::new();
    let refused = wait_up_to(LONG_PATIENCE, "a refusal", || {
        // One more upload each time, because the request below takes a place for a moment too.
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"PUT /plugins/x HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nhalf").unwrap();
        uploads.push(stream);
        Some(host.admin_request("PUT", "/plugins/x", Some(b"garbage"))).filter(|answer| answer.status == 503)
    });
    document.check("put /plugins/{name}", &refused);
    drop(uploads);
    wait_up_to(LONG_PATIENCE, "the places to be free again", || {
        (host.admin_request("PUT", "/plugins/x", Some(b"garbage")).status == 422).then_some(())
    });
}

/// Persists a component whose source cannot be written.
fn not_persisted(host: &Host, document: &mut Document) {
    let source = host.directory.path().join("plugins/x.wasm");
    std::fs::remove_file(&source).unwrap();
    std::fs::create_dir(&source).unwrap();
    let answer = host.admin_request("PUT", "/plugins/x?persist=true", Some(&bytes("upcase")));
    assert_eq!(answer.status, 500, "{}", answer.text());
    assert!(answer.text().contains("serves"), "{}", answer.text());
    document.check("put /plugins/{name}", &answer);
    assert!(super::served(host).1.contains("ABC"));

    assert_eq!(host.admin_request("PUT", "/plugins/x", Some(&bytes("downcase"))).status, 200);
    std::fs::write(host.directory.path().join("cache/tidegate/condemned"), "in the way").unwrap();
    let answer = host.admin_request("POST", "/plugins/x/rollback?persist=true", None);
    assert_eq!(answer.status, 500, "{}", answer.text());
    assert!(answer.text().contains("serves") && answer.text().contains("condemned"), "{}", answer.text());
    document.check("post /plugins/{name}/rollback", &answer);
    assert!(super::served(host).1.contains("ABC"));
}

/// Makes every operation with too many header fields, and all but the two probes without the token and from a web
/// page.
fn strangers(document: &mut Document) {
    let setup = Setup::new().committed("downcase");
    std::fs::write(setup.path().join("token"), "0123456789abcdef").unwrap();
    let guarded = setup.config("[admin]\ntoken_file = 'token'").start();
    let open = Setup::new().committed("downcase").start();
    let names: Vec<String> = (0..101).map(|number| format!("x-{number}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "y")).collect();
    for operation in document.operations() {
        let (method, path) = operation.split_once(' ').unwrap();
        let (method, probe) = (method.to_uppercase(), ["/livez", "/readyz"].contains(&path));
        let path = path.replace("{name}", "downcase").replace("{id}", "0-0");
        let answer = Client::at(open.surface("admin")).request_with(&method, &path, &many, None).unwrap();
        assert_eq!(answer.status, 431, "{operation}: {}", answer.text());
        document.check(&operation, &answer);
        if probe {
            continue;
        }
        for (host, headers) in [(&guarded, &[][..]), (&open, &[("origin", "http://example.org")])] {
            let client = Client::at(host.surface("admin"));
            document.check(&operation, &client.request_with(&method, &path, headers, None).unwrap());
        }
    }
}

/// Uses a host without a frontend, which is then drained.
fn without_a_broker_and_to_the_end(document: &mut Document) {
    let mut host = Setup::new().committed("downcase").config("[dead_letters]\nfile = 'none'").start();
    document.check("get /dead-letters", &host.admin_request("GET", "/dead-letters", None));
    document.check("get /broker", &host.admin_request("GET", "/broker", None));
    for order in ["pause", "resume", "drain"] {
        let answer = host.admin_request("POST", &format!("/broker/{order}"), Some(b""));
        document.check(&format!("post /broker/{order}"), &answer);
    }
    document.check("post /drain", &host.admin_request("POST", "/drain", Some(b"")));
    assert_eq!(host.wait(), 0);
}

#[test]
fn what_is_documented_is_served_and_nothing_else() {
    let host = super::host();
    let document = Document::of(&host);
    assert_eq!(document.json["info"]["version"], env!("CARGO_PKG_VERSION"));
    for (path, item) in document.json["paths"].as_object().unwrap() {
        let path = path.replace("{name}", "x").replace("{id}", "0-0");
        let mut allowed = String::new();
        for method in METHODS {
            // These would end the host or unload the plugin.
            if [("post", "/drain"), ("delete", "/plugins/x")].contains(&(method, path.as_str())) {
                continue;
            }
            let answer = host.admin_request(&method.to_uppercase(), &path, None);
            assert_eq!(answer.status != 405, item.get(method).is_some(), "{method} {path}: {}", answer.text());
            if answer.status == 405 {
                allowed = answer.header("allow").to_owned();
            }
        }
        let mut expected: BTreeSet<String> =
            METHODS.iter().filter(|method| item.get(method).is_some()).map(|method| method.to_uppercase()).collect();
        if expected.contains("GET") {
            expected.insert("HEAD".to_owned());
        }
        assert_eq!(allowed.split(", ").map(str::to_owned).collect::<BTreeSet<_>>(), expected, "{path}");
    }
}
