//! The document at `/openapi.json` describes what the admin surface does: all of it, and nothing else.

pub mod document;
mod not_provoked;
mod states;

use crate::fixtures;
use crate::harness::{Client, Host, LONG_PATIENCE, Setup, bytes, root, wait_up_to};
use document::Document;
use not_provoked::NOT_PROVOKED;
use states::{busy, letters, not_persisted, strangers, without_a_broker_and_to_the_end};
use std::collections::BTreeSet;

const METHODS: [&str; 6] = ["get", "put", "post", "delete", "patch", "options"];

const FLOWS: &[u8] =
    b"[sockets.in]\ntype = 'pull'\nbind = ['tcp://127.0.0.1:*']\n[flows.f]\nfrom = ['in']\nto = ['publish']";

const EXAMPLE: &[u8] =
    b"[[processor]]\ninput.frames = ['A']\nexpect.messages = [{ frames = ['lower case of A is a'] }]";

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
    let through = |plugin: &str| format!("from = ['in']\nthrough = ['{plugin}']\nto = ['publish']").into_bytes();
    let [through_reject, through_fail, through_bad, through_wait] = ["reject", "fail", "bad", "wait"].map(through);
    for (operation, name, body, status) in [
        ("get /", "", None, 200),
        ("get /page/{name}", "main.js", None, 200),
        ("get /page/{name}", "style.css", None, 200),
        ("get /page/{name}", "icon.svg", None, 200),
        ("get /page/{name}", "nothing", None, 404),
        ("get /page/{folder}/{name}", "plugins.js", None, 200),
        ("get /page/{folder}/{name}", "main.js", None, 404),
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
        ("post /flows/{name}/call", "f", Some(call), 200),
        ("post /flows/{name}/call", "f", Some(b"{}"), 400),
        ("post /flows/{name}/call", "f", Some(&too_much), 413),
        ("post /flows/{name}/call", "nobody", Some(call), 404),
        ("get /flows/{name}/shadow", "f", None, 404),
        ("put /flows/{name}/shadow", "f?through=x&min_calls=1", None, 201),
        ("put /flows/{name}/shadow", "f?through=x", None, 409),
        ("put /flows/{name}/shadow", "f?through=x&percent=0", None, 400),
        ("get /flows/{name}/shadow", "f", None, 200),
        ("post /flows/{name}/shadow/promote", "f?min_calls=x", None, 400),
        ("post /flows/{name}/shadow/promote", "f", None, 409),
        ("delete /flows/{name}/shadow", "f", None, 200),
        ("delete /flows/{name}/shadow", "nobody", None, 404),
        ("put /flows/{name}", "f", Some(&through_reject), 200),
        ("post /flows/{name}/call", "f", Some(call), 422),
        ("put /flows/{name}", "f", Some(&through_fail), 200),
        ("post /flows/{name}/call", "f", Some(call), 502),
        ("put /flows/{name}", "f", Some(&through_wait), 200),
        ("post /flows/{name}/call", "f", Some(call), 504),
        ("put /flows/{name}", "f", Some(&through_bad), 200),
        ("post /flows/{name}/call", "f", Some(call), 503),
        ("put /flows/{name}", "f", Some(b"from = ['in']\nto = ['publish']"), 200),
        ("post /routes/{name}/call", "x", Some(call), 200),
        ("post /routes/{name}/call", "h", Some(br#"{"http_request": {"path": "/echo", "body": "a"}}"#), 200),
        ("post /routes/{name}/call", "x", Some(b"{}"), 400),
        ("post /routes/{name}/call", "x", Some(&too_much), 413),
        ("post /routes/{name}/call", "nobody", Some(call), 404),
        ("post /routes/{name}/call", "reject", Some(call), 422),
        ("post /routes/{name}/call", "fail", Some(call), 502),
        ("post /routes/{name}/call", "bad", Some(call), 503),
        ("post /routes/{name}/call", "wait", Some(call), 504),
        ("get /tail", "?rate=0", None, 400),
        ("get /tail", "?flow=nobody", None, 404),
        ("get /workers", "", None, 200),
        ("post /workers/{name}/drain/{worker}", "nobody", None, 404),
        ("get /overview", "", None, 200),
        ("get /peers", "", None, 200),
        ("get /ledger", "", None, 200),
        ("get /ledger", "?since=soon", None, 400),
        ("get /ledger", "?since=1-1", None, 410),
        ("get /dead-letters", "", None, 200),
        ("get /dead-letters", "?limit=0", None, 400),
        ("get /dead-letters/{id}", "0-0", None, 404),
        ("post /dead-letters/{id}/replay", "0-0", None, 404),
        ("post /dead-letters/{id}/replay", "0-0?again=perhaps", None, 400),
        ("get /captures", "", None, 200),
        ("post /capture", "", Some(br#"{"flow": "f", "sample": 0.5, "for_ms": 60000}"#), 201),
        ("post /capture", "", None, 201),
        ("post /capture", "", Some(b"{\"sample\": 2}"), 400),
        ("post /capture", "", Some(b"{\"flow\": \"nobody\"}"), 404),
        ("post /capture", "", Some(&vec![b' '; (64 << 10) + 1]), 413),
        ("get /captures", "", None, 200),
        ("delete /capture/{id}", "1", None, 200),
        ("delete /capture/{id}", "2", None, 200),
        ("delete /capture/{id}", "0", None, 404),
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
        ("post /plugins/{name}/load", "x?expect_diff=perhaps", None, 400),
        ("post /plugins/{name}/load", "x", None, 200),
        ("post /plugins/{name}/load", "bad", None, 422),
        ("post /plugins/{name}/load", "nobody", None, 404),
        ("post /plugins/{name}/examples", "x?name=one", Some(EXAMPLE), 200),
        ("post /plugins/{name}/examples", "x", Some(b"x = 1"), 400),
        ("post /plugins/{name}/examples", "nobody", Some(EXAMPLE), 404),
        ("post /plugins/{name}/examples", "bad", Some(EXAMPLE), 409),
        ("post /plugins/{name}/examples", "x", Some(&vec![b' '; (1 << 20) + 1]), 413),
        ("post /plugins/{name}/examples", "h", Some(EXAMPLE), 422),
        ("get /shadows", "", None, 200),
        ("get /plugins/{name}/shadow", "x", None, 404),
        ("put /plugins/{name}/shadow", "x?min_calls=1", Some(up.as_slice()), 201),
        ("put /plugins/{name}/shadow", "x", Some(up.as_slice()), 409),
        ("put /plugins/{name}/shadow", "x", None, 400),
        ("put /plugins/{name}/shadow", "nobody", Some(up.as_slice()), 404),
        ("put /plugins/{name}/shadow", "p", Some(b"garbage"), 422),
        ("get /plugins/{name}/shadow", "x", None, 200),
        ("get /shadows", "", None, 200),
        ("post /plugins/{name}/shadow/promote", "x", None, 409),
        ("post /plugins/{name}/shadow/promote", "x?max_diff=few", None, 400),
        ("delete /plugins/{name}/shadow", "x", None, 200),
        ("delete /plugins/{name}/shadow", "nobody", None, 404),
        ("post /plugins/{name}/pause", "x", None, 200),
        ("post /plugins/{name}/pause", "bad", None, 409),
        ("post /plugins/{name}/pause", "nobody", None, 404),
        ("post /plugins/{name}/resume", "x", None, 200),
        ("post /plugins/{name}/resume", "bad", None, 409),
        ("post /plugins/{name}/resume", "nobody", None, 404),
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
        let path = path.replace("{folder}", "views").replace("{name}", name).replace("{id}", name);
        let path = path.replace("{worker}", "1") + query;
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
    // A GET would go on and on.
    document.check("get /changes", &host.admin_request("HEAD", "/changes", None));
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

#[test]
fn what_is_documented_is_served_and_nothing_else() {
    let host = super::host();
    let document = Document::of(&host);
    assert_eq!(document.json["info"]["version"], env!("CARGO_PKG_VERSION"));
    for (path, item) in document.json["paths"].as_object().unwrap() {
        let path = path.replace("{folder}", "x").replace("{name}", "x").replace("{id}", "0-0").replace("{worker}", "1");
        let mut allowed = String::new();
        for method in METHODS {
            // These would end the host or unload the plugin.
            if [("post", "/drain"), ("delete", "/plugins/x")].contains(&(method, path.as_str())) {
                continue;
            }
            // The answers of these go on for as long as they are read.
            let is_stream = method == "get" && ["/changes", "/tail"].contains(&path.as_str());
            let asked = if is_stream { "HEAD".to_owned() } else { method.to_uppercase() };
            let answer = host.admin_request(&asked, &path, None);
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
