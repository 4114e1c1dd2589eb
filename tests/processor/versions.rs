//! Both versions of the contract: side by side, in one component, in place of each other, and what is told of them.

use crate::fixtures;
use crate::harness::{Client, Process, Setup, tidegate};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

const OLD: &str = "lower case of map:aB is map:ab";
const NEW: &str = "AB";

#[test]
fn plugins_of_both_versions_serve_beside_each_other() {
    let host = Setup::new()
        .plugin("old", &fixtures::first_contract())
        .plugin("new", &fixtures::processor())
        .plugin("both", &fixtures::of_both_versions())
        .start();
    assert_eq!(host.post("/old/", b"map:aB").text(), OLD);
    assert_eq!(host.post("/new/", b"map:aB").text(), NEW);
    assert_eq!(host.post("/both/", b"x").text(), "new", "of several versions the newest is called");
    for (plugin, contract, roles) in [
        ("old", "0.1.0", json!(["transform"])),
        ("new", "0.2.0", json!(["processor", "reply-policy"])),
        ("both", "0.2.0", json!(["processor"])),
    ] {
        let status = host.status(plugin);
        assert_eq!((&status["contract"], &status["roles"]), (&json!(contract), &roles), "{plugin}");
    }
    assert!(host.get("/").text().contains("/new/?param=TEXT\n"), "{}", host.get("/").text());
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_processor_takes_the_place_of_a_transform_while_it_serves_and_gives_it_back() {
    const SWAPS: usize = 40;
    const ANSWERS: [&str; 2] = [OLD, "new"];
    let (old, new) = (fixtures::first_contract(), fixtures::of_both_versions());
    // The clients ask without a pause, which would be shed as overload on a busy machine; overload has its own tests.
    let host = Setup::new().plugin("x", &old).config("[http]\nqueue_delay_ms_max = 0").start();
    let enough = AtomicBool::new(false);
    let changes = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let client = Client::new(&host);
                    let (mut last, mut changes) = (String::new(), 0);
                    while !enough.load(Ordering::Relaxed) {
                        let answer = client.request("POST", "/x/", Some(b"map:aB")).expect("an answer");
                        assert_eq!(answer.status, 200, "{}", answer.text());
                        assert!(ANSWERS.contains(&answer.text()), "{}", answer.text());
                        changes += usize::from(answer.text() != last);
                        last = answer.text().to_owned();
                    }
                    changes
                })
            })
            .collect();
        for swap in 1..=SWAPS {
            let answer = host.admin_request("PUT", "/plugins/x", Some(if swap % 2 == 1 { &new } else { &old }));
            assert_eq!(answer.status, 200, "{}", answer.text());
            let served = host.post("/x/", b"map:aB");
            assert_eq!(served.text(), ANSWERS[swap % 2], "after swap {swap}");
            assert_eq!(served.header("tidegate-generation"), (swap + 1).to_string());
        }
        enough.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().unwrap()).min().unwrap()
    });
    assert!(changes > SWAPS / 4, "answers changed {changes} times");
    assert_eq!(host.status("x")["roles"], json!(["transform"]));
    assert_eq!(host.admin_request("POST", "/plugins/x/rollback", None).status, 200);
    assert_eq!((host.post("/x/", b"").text(), &host.status("x")["roles"]), ("new", &json!(["processor"])));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_role_that_serves_is_not_lost_to_another_version() {
    let host = Setup::new().plugin("x", &fixtures::processor()).start();
    let answer = host.admin_request("PUT", "/plugins/x", Some(&fixtures::first_contract()));
    let lost = "lacks the role reply-policy, which the serving generation has";
    assert!(answer.status == 422 && answer.text().contains(lost), "{}", answer.text());
    assert_eq!(host.post("/x/", b"map:aB").text(), NEW);
    assert_eq!(host.stop(), 0);
}

/// Exit code, stdout and stderr of `plugin check`.
fn check(component: &[u8], arguments: &[&str]) -> (Option<i32>, String, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.wasm");
    std::fs::write(&file, component).unwrap();
    let mut process = Process::start(tidegate().args(["plugin", "check"]).arg(&file).args(arguments));
    (process.wait().code(), process.stdout(), process.stderr())
}

#[test]
fn a_check_names_the_version_of_a_component_and_those_of_the_host() {
    for (component, version, roles) in [
        (fixtures::first_contract(), "0.1.0", "transform"),
        (fixtures::processor(), "0.2.0", "processor, reply-policy"),
        (fixtures::of_both_versions(), "0.2.0", "processor"),
    ] {
        let (code, stdout, stderr) = check(&component, &[]);
        assert_eq!(code, Some(0), "{stderr}");
        let contract = format!("contract: tidegate:plugin@{version}; this host knows 0.1.0 and 0.2.0\n");
        assert!(stdout.contains(&contract) && stdout.contains(&format!("roles: {roles}\n")), "{stdout}");
        let json: Value = serde_json::from_str(&check(&component, &["--json"]).1).unwrap();
        assert_eq!((&json["contract"], &json["contracts_known"]), (&json!(version), &json!(["0.1.0", "0.2.0"])));
    }
}

#[test]
fn what_is_of_no_version_that_the_host_speaks_is_refused_with_the_remedy() {
    let speaks = "and this host speaks the contract in 0.1.0 and 0.2.0";
    for (interface, remedy) in [
        ("tidegate:plugin/processor@0.3.0", "upgrade the host, or rebuild the plugin against its wit/"),
        ("tidegate:plugin/reply-policy@0.3.0", "upgrade the host"),
        // A role that this host has never heard of.
        ("tidegate:plugin/joiner@0.3.0", "upgrade the host"),
        ("tidegate:plugin/processor@0.0.9", "rebuild the plugin against wit/"),
        ("tidegate:plugin/processor@0.1.0", "rebuild the plugin against wit/"),
        ("tidegate:plugin/transform@0.2.0", "rebuild the plugin against wit/"),
        ("tidegate:plugin/processor", "rebuild the plugin against wit/"),
    ] {
        let (code, _, stderr) = check(&fixtures::exporting(interface), &[]);
        let (name, version) = interface.split_once('@').unwrap_or((interface, ""));
        let reason = format!("type-check: exports {name} in version `{version}`, {speaks}: {remedy}");
        assert!(code == Some(1) && stderr.contains(&reason), "{interface}: {stderr}");
    }
}

#[test]
fn functions_of_other_types_are_refused_by_name() {
    for (interface, function, role) in [
        ("tidegate:plugin/processor@0.2.0", "process", "processor"),
        ("tidegate:plugin/reply-policy@0.2.0", "replies", "reply-policy"),
        ("tidegate:plugin/transform@0.1.0", "transform", "transform"),
    ] {
        let (code, _, stderr) = check(&fixtures::ill_typed(interface, function), &[]);
        let named = format!("type-check: the function of the role {role}: ");
        assert!(code == Some(1) && stderr.contains(&named), "{stderr}");
        let (code, _, stderr) = check(&fixtures::ill_typed(interface, "other"), &[]);
        let named = format!("type-check: exports {interface} without its function {function}");
        assert!(code == Some(1) && stderr.contains(&named), "{stderr}");
    }
}
