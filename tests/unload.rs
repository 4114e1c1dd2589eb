//! A plugin is unloaded: its route is gone, calls in flight end, its counts stay, and it can be loaded again.

use crate::fixtures;
use crate::harness::{DOWN, Host, LONG_PATIENCE, Process, Setup, UP, bytes, tidegate, wait_up_to};
use serde_json::json;
use std::path::PathBuf;

/// A host with `x` (downcase) and the reply policy `echo` in its scanned directory.
fn host() -> Host {
    let setup = Setup::new();
    let plugins = setup.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    std::fs::write(plugins.join("x.wasm"), bytes("downcase")).unwrap();
    std::fs::write(plugins.join("echo.wasm"), bytes("echo")).unwrap();
    setup.start()
}

fn file(host: &Host) -> PathBuf {
    host.directory.path().join("plugins/x.wasm")
}

/// Waits until the directory has been scanned, by adding a plugin and waiting for its route.
#[track_caller]
fn wait_for_scan(host: &Host, name: &str) {
    std::fs::write(host.directory.path().join(format!("plugins/{name}.wasm")), bytes("upcase")).unwrap();
    wait_up_to(LONG_PATIENCE, "another plugin", || {
        (host.get(&format!("/{name}/?param=AbC")).status == 200).then_some(())
    });
}

#[test]
fn what_was_unloaded_stays_so_until_somebody_wants_it() {
    let host = host();
    assert_eq!(host.get("/x/?param=AbC").text(), DOWN);
    let gone = host.admin_request("DELETE", "/plugins/x", None);
    assert_eq!(gone.status, 200, "{}", gone.text());
    let source = "plugins/x.wasm";
    assert_eq!(
        gone.json(),
        json!({"plugin": "x", "generation": 1, "calls_in_flight": 0, "source": source, "returns": true})
    );
    let is_gone = || {
        assert_eq!((host.get("/x/?param=AbC").status, host.admin("/plugins/x").status), (404, 404));
        assert_eq!(host.readiness(), ["ready"]);
        assert!(!host.admin("/metrics").text().contains("plugin=\"x\""));
        assert!(!host.get("/").text().contains("/x/"));
    };
    is_gone();
    assert_eq!(host.admin_request("DELETE", "/plugins/x", None).status, 404);
    assert_eq!(host.ledger()["plugins"]["x"]["in"], 1);
    // Its file is still there, unchanged, and does not load it again.
    wait_for_scan(&host, "a");
    host.process.signal("HUP");
    wait_for_scan(&host, "b");
    is_gone();

    // A load on request takes its own source; the generation is the next one, and the counts go on.
    let loaded = host.admin_request("POST", "/plugins/x/load", None);
    assert_eq!((loaded.status, &loaded.json()["generation"]), (200, &json!(2)), "{}", loaded.text());
    assert_eq!(host.get("/x/?param=AbC").text(), DOWN);
    assert_eq!(host.ledger()["plugins"]["x"]["in"], 2);
    // A component that is put stays; the file does not undo it.
    assert_eq!(host.admin_request("DELETE", "/plugins/x", None).status, 200);
    let put = host.admin_request("PUT", "/plugins/x", Some(&bytes("upcase")));
    assert_eq!((put.status, &put.json()["generation"]), (200, &json!(3)), "{}", put.text());
    wait_for_scan(&host, "c");
    wait_for_scan(&host, "d");
    assert_eq!(host.get("/x/?param=AbC").text(), UP);
    // A changed file loads it again.
    assert_eq!(host.admin_request("DELETE", "/plugins/x", None).status, 200);
    std::fs::write(file(&host), [bytes("upcase"), fixtures::custom_section("note", b"x")].concat()).unwrap();
    wait_up_to(LONG_PATIENCE, "the new file", || (host.get("/x/?param=AbC").status == 200).then_some(()));
    assert_eq!(host.status("x")["generation"], 4);
    // A bad file does not, and its name is forgotten together with the file.
    assert_eq!(host.admin_request("DELETE", "/plugins/x", None).status, 200);
    std::fs::write(file(&host), b"garbage").unwrap();
    wait_up_to(LONG_PATIENCE, "the bad file", || (host.admin("/plugins/x").status == 200).then_some(()));
    assert_eq!((host.get("/x/?param=AbC").status, host.admin("/readyz").status), (503, 200));
    std::fs::remove_file(file(&host)).unwrap();
    wait_up_to(LONG_PATIENCE, "the bad file to be forgotten", || {
        (host.admin("/plugins/x").status == 404).then_some(())
    });
    assert_eq!(host.admin_request("POST", "/plugins/x/load", None).status, 422);
    assert_eq!(host.stop(), 0);
}

/// A call in flight when its plugin is unloaded still ends by its deadline.
#[test]
fn calls_in_flight_end_on_what_was_unloaded() {
    let host = Setup::new()
        .plugin("x", &bytes("downcase"))
        .committed("downcase")
        .config("[limits]\ncall_deadline_ms = 3000\n[rollback]\nfailures = 1")
        .start();
    assert_eq!(host.admin_request("PUT", "/plugins/x", Some(&fixtures::waiting())).status, 200);
    std::thread::scope(|scope| {
        let call = scope.spawn(|| host.get("/x/?param=AbC"));
        wait_up_to(LONG_PATIENCE, "the call", || (host.status("x")["calls_in_flight"] == 1).then_some(()));
        let gone = host.admin_request("DELETE", "/plugins/x", None).json();
        let answered = call.join().unwrap();
        assert_eq!((answered.status, answered.header("tidegate-generation")), (504, "2"), "{}", answered.text());
        assert_eq!(gone["calls_in_flight"], 1);
    });
    // The failure of a call does not roll back a plugin that is unloaded.
    assert!(!host.process.stderr().contains("rolled back"), "{}", host.process.stderr());
    assert_eq!(host.get("/x/?param=AbC").status, 404);
    let counted = host.ledger()["plugins"]["x"].clone();
    assert_eq!(counted, json!({"in": 1, "out": 0, "in_flight": 0, "dropped": {"deadline-exceeded": 1}}));
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_answers_the_frontend_stays() {
    let host = host();
    let refused = host.admin_request("DELETE", "/plugins/echo", None);
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert!(refused.text().contains("answers the frontend's requests") && refused.text().contains("--policy"));
    assert_eq!(host.status("echo")["state"], "serving");
    let admin = host.surface("admin").trim_start_matches("http://");
    let unload = |name: &str| {
        let mut process = Process::start(tidegate().args(["plugin", "unload", name, "--admin", admin]));
        (process.wait().code(), process.stdout() + &process.stderr())
    };
    let (code, output) = unload("echo");
    assert!(code == Some(1) && output.contains("echo stays: it answers the frontend"), "{output}");
    let (code, output) = unload("nobody");
    assert!(code == Some(1) && output.contains("no plugin is named nobody"), "{output}");
    let (code, output) = unload("x");
    let expected = "x is unloaded: generation 1; the next start loads it again from plugins/x.wasm\n";
    assert_eq!((code, output.as_str()), (Some(0), expected));
    std::fs::remove_file(file(&host)).unwrap();
    assert_eq!(host.admin_request("PUT", "/plugins/x", Some(&bytes("upcase"))).status, 200);
    let (code, output) = unload("x");
    assert!(
        code == Some(0) && output.ends_with("plugins/x.wasm is not there, so the next start does without it\n"),
        "{output}"
    );
    assert_eq!(host.stop(), 0);
}
