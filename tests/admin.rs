//! The admin surface: a plugin is inspected, swapped, rolled back and called while traffic flows, and a bad component
//! changes nothing.

mod commands;
mod guard;
pub mod openapi;

use crate::fixtures;
use crate::harness::{DOWN, Host, Setup, UP, bytes, wait_for};
use serde_json::{Value, json};

/// A host with a plugin `x`, which is downcase at first.
fn host() -> Host {
    Setup::new().plugin("x", &bytes("downcase")).start()
}

/// The generation and the answer of `x`.
#[track_caller]
fn served(host: &Host) -> (u64, String) {
    let answer = host.get("/x/?param=AbC");
    assert_eq!(answer.status, 200, "{}", answer.text());
    (answer.header("tidegate-generation").parse().unwrap(), answer.text().to_owned())
}

/// Makes a swap that must be answered with 200, and checks the answer.
#[track_caller]
fn swap(host: &Host, method: &str, path: &str, body: &[u8], generation: u64, changed: bool, persisted: bool) {
    let answer = host.admin_request(method, path, Some(body));
    assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
    let swap = answer.json();
    assert_eq!((&swap["generation"], &swap["changed"]), (&json!(generation), &json!(changed)), "{method} {path}");
    assert_eq!(swap["persisted"], persisted, "{method} {path}");
    assert_eq!(swap["digest"].as_str().unwrap().len(), 64);
}

#[track_caller]
fn problem(host: &Host, method: &str, path: &str, body: Option<&[u8]>, status: u16, detail: &str) -> Value {
    let answer = host.admin_request(method, path, body);
    assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json", "{method} {path}");
    assert_eq!(answer.header("cache-control"), "no-store", "{method} {path}");
    let problem = answer.json();
    assert!(problem["detail"].as_str().unwrap().contains(detail), "{method} {path}: {problem}");
    problem
}

#[test]
fn a_put_answers_when_the_new_generation_serves() {
    let host = host();
    swap(&host, "PUT", "/plugins/x", &bytes("upcase"), 2, true, false);
    assert_eq!(served(&host), (2, UP.to_owned()));
    swap(&host, "PUT", "/plugins/x", &bytes("upcase"), 2, false, false);
    assert_eq!(std::fs::read(host.plugin_path("x")).unwrap(), bytes("downcase"), "the source is as it was");

    let status = host.status("x");
    assert_eq!((&status["name"], &status["state"], &status["generation"]), (&json!("x"), &json!("serving"), &json!(2)));
    assert_eq!((&status["roles"], &status["imports"]), (&json!(["processor"]), &json!([])));
    assert_eq!(status["source"], host.plugin_path("x").display().to_string());
    assert_eq!(status["size_bytes"], bytes("upcase").len());
    assert_eq!(status["previous"][0]["generation"], 1);
    assert_eq!(host.admin_request("GET", "/plugins", None).json()[0]["digest"], status["digest"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_put_survives_a_restart_when_told_to() {
    let host = host();
    swap(&host, "PUT", "/plugins/x?persist=true", &bytes("upcase"), 2, true, true);
    assert_eq!(std::fs::read(host.plugin_path("x")).unwrap(), bytes("upcase"));
    // The file that the host has written itself is not loaded again.
    host.process.signal("HUP");
    host.process.wait_for_log("SIGHUP");
    swap(&host, "POST", "/plugins/x/load", &[], 2, false, true);
    assert_eq!(served(&host), (2, UP.to_owned()));
    // The component that serves already can still be persisted.
    std::fs::write(host.plugin_path("x"), b"garbage").unwrap();
    swap(&host, "PUT", "/plugins/x?persist=true", &bytes("upcase"), 2, false, true);
    assert_eq!(std::fs::read(host.plugin_path("x")).unwrap(), bytes("upcase"));
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_unknown_name_becomes_a_plugin() {
    let setup = Setup::new().committed("downcase");
    std::fs::create_dir(setup.path().join("plugins")).unwrap();
    let host = setup.start();
    let source = host.directory.path().join("plugins/x.wasm");
    swap(&host, "PUT", "/plugins/x", &bytes("upcase"), 1, true, false);
    assert_eq!(served(&host), (1, UP.to_owned()));
    assert!(!source.exists());
    swap(&host, "PUT", "/plugins/x?persist=true", &bytes("downcase"), 2, true, true);
    assert_eq!(std::fs::read(source).unwrap(), bytes("downcase"));
    problem(&host, "PUT", "/plugins/Not-A-Name", Some(&bytes("upcase")), 400, "[a-z0-9]");
    // A new name is added with its first component that is not refused.
    problem(&host, "PUT", "/plugins/y", Some(b"garbage"), 422, "compile: ");
    problem(&host, "GET", "/plugins/y", None, 404, "no plugin is named y");
    assert_eq!(host.admin("/readyz").status, 200);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_refused_component_changes_nothing_and_is_told_by_its_stage() {
    let host = host();
    for (component, stage, reason) in [
        (b"garbage".to_vec(), "compile", "neither a WebAssembly component nor its text form"),
        (fixtures::wrong_world(), "type-check", "exports neither tidegate:plugin/processor"),
        (fixtures::importing_unknown(), "type-check", "evil:host/files"),
        (bytes("echo"), "type-check", "lacks the role processor"),
        (fixtures::starting("(unreachable)"), "probe", "the plugin trapped"),
    ] {
        let refusal = problem(&host, "PUT", "/plugins/x?persist=true", Some(&component), 422, reason);
        assert_eq!((&refusal["stage"], &refusal["plugin"]), (&json!(stage), &json!("x")), "{refusal}");
        assert_eq!(served(&host), (1, DOWN.to_owned()));
        let refused = &host.status("x")["last_refused"];
        assert_eq!(refused["stage"], stage);
        assert!(refused["reason"].as_str().unwrap().contains(reason), "{refused}");
    }
    assert_eq!(std::fs::read(host.plugin_path("x")).unwrap(), bytes("downcase"));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_rollback_goes_back_and_stays_there() {
    let host = Setup::new().plugin("x", &bytes("downcase")).env("TIDEGATE_LOG", "tidegate=debug").start();
    problem(&host, "POST", "/plugins/x/rollback", None, 409, "no");
    swap(&host, "PUT", "/plugins/x?persist=true", &bytes("upcase"), 2, true, true);
    swap(&host, "POST", "/plugins/x/rollback", &[], 3, true, false);
    assert_eq!(served(&host), (3, DOWN.to_owned()));
    problem(&host, "POST", "/plugins/x/rollback", None, 409, "no");
    // An event of the unchanged file does not undo the rollback. Of two scans, the second began after the rollback.
    let looks = || {
        let log = host.process.stderr();
        log.lines().filter(|line| line.contains("unchanged") && line.contains("plugin=\"x\"")).count()
    };
    let before = looks();
    std::fs::write(host.plugin_path("x"), bytes("upcase")).unwrap();
    host.process.signal("HUP");
    wait_for("two looks at the file", || (looks() >= before + 2).then_some(()));
    assert_eq!(served(&host), (3, DOWN.to_owned()));
    // A load on request does.
    swap(&host, "POST", "/plugins/x/load", &[], 4, true, true);
    assert_eq!(served(&host), (4, UP.to_owned()));
    assert_eq!(host.status("x")["rollbacks"], 1);
    assert_eq!(host.stop(), 0);
}

#[test]
fn of_components_put_under_one_new_name_each_serves_in_its_turn() {
    let host = host();
    let mut swaps: Vec<(u64, Value)> = std::thread::scope(|scope| {
        let puts: Vec<_> = (0..4)
            .map(|note| {
                let component = [bytes("upcase"), fixtures::custom_section("note", &[note])].concat();
                let host = &host;
                scope.spawn(move || host.admin_request("PUT", "/plugins/new", Some(&component)))
            })
            .collect();
        puts.into_iter()
            .map(|put| {
                let answer = put.join().unwrap();
                assert_eq!(answer.status, 200, "{}", answer.text());
                let swap = answer.json();
                (swap["generation"].as_u64().unwrap(), swap["digest"].clone())
            })
            .collect()
    });
    swaps.sort_by_key(|(generation, _)| *generation);
    assert_eq!(swaps.iter().map(|(generation, _)| *generation).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(host.status("new")["digest"], swaps[3].1);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_load_looks_at_the_source() {
    let host = host();
    swap(&host, "POST", "/plugins/x/load", &[], 1, false, true);
    swap(&host, "PUT", "/plugins/x", &bytes("upcase"), 2, true, false);
    swap(&host, "POST", "/plugins/x/load", &[], 3, true, true);
    assert_eq!(served(&host), (3, DOWN.to_owned()));
    std::fs::remove_file(host.plugin_path("x")).unwrap();
    let refusal = problem(&host, "POST", "/plugins/x/load", None, 422, "No such file");
    assert_eq!(refusal["stage"], "read");
    // A load of a bad file is refused as often as it is requested.
    std::fs::write(host.plugin_path("x"), b"garbage").unwrap();
    wait_for("the watch to have read the file", || {
        (host.status("x")["last_refused"]["stage"] == "compile").then_some(())
    });
    for _ in 0..2 {
        problem(&host, "POST", "/plugins/x/load", None, 422, "compile: ");
    }
    assert_eq!(served(&host), (3, DOWN.to_owned()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_call_returns_what_the_plugin_does_and_publishes_nothing() {
    let setup = Setup::new().committed("downcase").committed("echo").plugin("filter", &fixtures::filtering());
    let host = setup.plugin("typed", &fixtures::answering("weather", Some("a/b"))).start();
    let call = |name: &str, call: Value| {
        let answer = host.admin_request("POST", &format!("/plugins/{name}/call"), Some(call.to_string().as_bytes()));
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        assert_eq!((answer.header("tidegate-plugin"), answer.header("tidegate-generation")), (name, "1"));
        answer.json()
    };
    let returned = call("downcase", json!({"message": {"topic": "t", "metadata": [["a", "b"]], "body": "AbC"}}));
    assert_eq!((&returned["role"], &returned["generation"]), (&json!("processor"), &json!(1)));
    assert_eq!(returned["messages"], json!([{"metadata": [], "frames": ["t", DOWN]}]));
    let returned = call("typed", json!({"role": "transform", "message": {"body_base64": "//4="}}));
    let message = json!({"topic": "weather", "metadata": [["content-type", "a/b"]], "body_base64": "//4="});
    assert_eq!(returned["message"], message);
    assert_eq!(call("filter", json!({"message": {}}))["message"], Value::Null);
    let returned = call("echo", json!({"request": {"frames": ["one", "two"]}}));
    assert_eq!(returned["replies"], json!([{"delay_ms": 0, "frames": ["one", "two"]}]));
    let request = json!({"role": "reply-policy", "request": {"identity_base64": "AAE=", "frames_base64": ["/w=="]}});
    assert_eq!(call("echo", request)["replies"], json!([{"delay_ms": 0, "frames_base64": ["/w=="]}]));

    for (name, call, status, detail) in [
        ("downcase", "", 400, "the body is no call"),
        ("downcase", "{}", 400, "either a message"),
        ("downcase", r#"{"message": {"body": "a", "body_base64": "YQ=="}}"#, 400, "body or body_base64"),
        ("downcase", r#"{"message": {"body_base64": "?"}}"#, 400, "body_base64 is no base64"),
        ("downcase", r#"{"message": {"bdy": "a"}}"#, 400, "bdy"),
        ("downcase", r#"{"role": "reply-policy", "message": {}}"#, 400, "role"),
        ("echo", r#"{"request": {"frames": []}}"#, 400, "at least one"),
        ("echo", r#"{"request": {"frames": ["a"], "identity_base64": ""}}"#, 400, "1 to 255 bytes"),
        ("echo", r#"{"message": {"body": "a"}}"#, 404, "no processor role"),
        ("nobody", r#"{"message": {}}"#, 404, "no plugin is named nobody"),
    ] {
        problem(&host, "POST", &format!("/plugins/{name}/call"), Some(call.as_bytes()), status, detail);
    }
    for hop in ["transform", "publish", "policy", "schedule"] {
        assert_eq!(host.ledger()["hops"][hop]["in"], 0, "a trial is no traffic");
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn bodies_paths_methods_and_queries_are_held_to_their_bounds() {
    let host = Setup::new()
        .plugin("x", &bytes("downcase"))
        .config("[plugins.x.limits]\ncomponent_bytes_max = 100000\n[plugins.new.limits]\ncomponent_bytes_max = 10")
        .start();
    problem(&host, "PUT", "/plugins/x", Some(&vec![0; 100_001]), 413, "component_bytes_max 100000");
    problem(&host, "PUT", "/plugins/new", Some(b"12345678901"), 413, "component_bytes_max 10");
    problem(&host, "POST", "/plugins/x/call", Some(&vec![b' '; (16 << 20) + 1]), 413, "16777216");
    for query in ["persist", "persist=yes", "persit=true", "persist=true&persist=true"] {
        problem(&host, "PUT", &format!("/plugins/x?{query}"), Some(b""), 400, "persist=true or persist=false");
    }
    for path in ["/page", "/plugins/x/y", "/plugins/x/load/y", "/plugin", "/metrics/x"] {
        problem(&host, "GET", path, None, 404, "/openapi.json");
    }
    problem(&host, "GET", "/plugins/y/load", None, 404, "no plugin is named y");
    for (method, path, allowed) in [
        ("POST", "/livez", "GET, HEAD"),
        ("POST", "/plugins", "GET, HEAD"),
        ("PATCH", "/plugins/x", "GET, HEAD, PUT, DELETE"),
        ("GET", "/plugins/x/rollback", "POST"),
    ] {
        problem(&host, method, path, None, 405, allowed);
        assert_eq!(host.admin_request(method, path, None).header("allow"), allowed);
    }
    assert_eq!(host.admin_request("HEAD", "/plugins/x", None).status, 200);
    assert_eq!(served(&host), (1, DOWN.to_owned()));
    assert_eq!(host.stop(), 0);
}
