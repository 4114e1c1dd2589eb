//! Shadows: a newcomer is called beside what serves, on the same traffic, and changes nothing of it until it is promoted.

mod chains;
mod changes;

use crate::fixtures;
use crate::flows::unconnected;
use crate::harness::{Host, Setup, component, root, wait_for};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The same code in other bytes.
fn rebuilt(component: &[u8]) -> Vec<u8> {
    [component, &fixtures::custom_section("other", b"x")].concat()
}

fn downcase() -> Vec<u8> {
    std::fs::read(component("downcase")).unwrap()
}

/// A file with a component, in the host's directory.
fn file(host: &Host, bytes: &[u8]) -> PathBuf {
    let path = host.directory.path().join("newcomer.wasm");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Begins a shadow by the command line.
#[track_caller]
fn shadow(host: &Host, plugin: &str, newcomer: &[u8], arguments: &[&str]) {
    let file = file(host, newcomer);
    let (code, _, stderr) = host.run("plugin", &[&["shadow", plugin, file.to_str().unwrap()], arguments].concat());
    assert_eq!(code, 0, "{stderr}");
}

fn status(host: &Host, plugin: &str) -> Value {
    host.admin(&format!("/plugins/{plugin}/shadow")).json()
}

/// The status, once so many calls were compared.
#[track_caller]
fn compared(host: &Host, plugin: &str, count: u64) -> Value {
    wait_for("the calls of a shadow", || {
        let status = status(host, plugin);
        let tried = status["compared"].as_u64().unwrap() + status["counts"]["undecided"].as_u64().unwrap();
        (tried >= count).then_some(status)
    })
}

/// The counts that are not 0.
fn counts(status: &Value) -> Value {
    let counts = status["counts"].as_object().unwrap().clone();
    counts.into_iter().filter(|(_, count)| *count != 0).collect::<serde_json::Map<_, _>>().into()
}

fn groups(status: &Value) -> Vec<(String, u64)> {
    let group = |group: &Value| (group["group"].as_str().unwrap().to_owned(), group["inputs"].as_u64().unwrap());
    status["groups"].as_array().unwrap().iter().map(group).collect()
}

/// The refusal of a command.
#[track_caller]
fn refused(host: &Host, arguments: &[&str]) -> String {
    let (code, stdout, stderr) = host.run("plugin", arguments);
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    stderr
}

#[test]
fn a_newcomer_that_differs_is_found_and_neither_answers_nor_publishes() {
    let host = Setup::new().committed("downcase").start();
    let subscriber = unconnected(zmq::SUB);
    subscriber.connect(host.surface("publish")).unwrap();
    wait_for("the subscription", || {
        let peers = host.peers("publish");
        peers.values().any(|peer| peer["subscriptions"].as_u64() > Some(0)).then_some(())
    });
    shadow(&host, "downcase", &std::fs::read(component("upcase")).unwrap(), &["--min-calls=5"]);
    for number in 0..10 {
        let answer = host.get(&format!("/downcase/?param=A{number}"));
        assert_eq!(answer.status, 200);
        assert_eq!(answer.text(), format!("lower case of A{number} is a{number}"));
    }
    let found = compared(&host, "downcase", 10);
    assert_eq!(counts(&found), json!({"different": 10}));
    assert_eq!(groups(&found), [("body changed".to_owned(), 10)]);
    let example = &found["groups"][0]["examples"][0];
    assert_eq!(
        (&example["old"], &example["new"]),
        (&json!("lower case of A0 is a0"), &json!("upper case of A0 is A0"))
    );
    assert_eq!((&found["state"], &found["may_serve"]), (&json!("running"), &json!(false)));
    host.wait_for_hop("shadows.downcase", &json!({"in": 10, "out": 10, "in_flight": 0}));
    host.wait_for_hop("publish", &json!({"in": 10, "out": 10}));
    for number in 0..10 {
        let published = subscriber.recv_multipart(0).unwrap();
        assert_eq!(published.last().unwrap(), format!("lower case of A{number} is a{number}").as_bytes());
    }
    assert_eq!(
        host.ledger()["plugins"]["downcase"]["in"],
        10,
        "what a shadow is called on is not counted with the plugin"
    );
    let why = refused(&host, &["shadow", "promote", "downcase"]);
    assert!(why.contains("10 of 10 inputs differ, over 0"), "{why}");
    assert_eq!(host.status("downcase")["generation"], 1);

    let shown = host.output("plugin", &["shadow", "status", "downcase"]);
    assert!(shown.contains("body changed  10      100 %") && shown.contains("10 of 10 inputs differ"), "{shown}");
    let listed = host.output("plugin", &["shadow", "status"]);
    assert!(listed.contains("downcase  running  10        10      100 %"), "{listed}");
    let ended = host.output("plugin", &["shadow", "stop", "downcase"]);
    assert!(ended.contains("beside downcase is stopped: 10 calls"), "{ended}");
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    assert_eq!(compared(&host, "downcase", 10)["compared"], 10, "one that was stopped is not called");
    assert!(refused(&host, &["shadow", "promote", "downcase"]).contains("no shadow runs beside it"));
}

#[test]
fn one_that_keeps_its_terms_is_promoted_and_serves() {
    let host = Setup::new().plugin("p", &fixtures::echoing(1 << 20)).start();
    shadow(&host, "p", &rebuilt(&fixtures::echoing(1 << 20)), &["--min-calls=5"]);
    let ask = || assert_eq!(host.post("/p/", b"body").text(), "body");
    (0..4).for_each(|_| ask());
    compared(&host, "p", 4);
    let why = refused(&host, &["shadow", "promote", "p"]);
    assert!(why.contains("4 calls were compared, and it takes 5"), "{why}");
    ask();
    compared(&host, "p", 5);
    let promoted = host.output("plugin", &["shadow", "promote", "p", "--persist"]);
    assert!(promoted.contains("p serves: generation 2"), "{promoted}");
    let ended = status(&host, "p");
    assert_eq!((&ended["state"], &ended["why"]), (&json!("promoted"), &json!("it serves as generation 2")));
    assert_eq!(host.status("p")["digest"], ended["digest"]);
    assert_eq!(std::fs::read(host.plugin_path("p")).unwrap(), rebuilt(&fixtures::echoing(1 << 20)));
    ask();
    assert_eq!(status(&host, "p")["compared"], 5);
}

#[test]
fn one_that_is_to_serve_by_itself_does_so_once_it_may_and_says_why_it_does_not() {
    let host = Setup::new().plugin("p", &fixtures::echoing(1 << 20)).start();
    shadow(&host, "p", &rebuilt(&fixtures::echoing(1 << 20)), &["--min-calls=20", "--auto"]);
    wait_for("the promotion", || {
        assert_eq!(host.post("/p/", b"body").text(), "body");
        (status(&host, "p")["state"] == "promoted").then_some(())
    });
    assert_eq!(host.status("p")["generation"], 2);

    shadow(&host, "p", &fixtures::trapping_on(b'T'), &["--min-calls=10", "--max-diff=5%", "--auto"]);
    for number in 0..12 {
        host.post("/p/", if number == 3 { b"T" } else { b"a" });
    }
    let found = compared(&host, "p", 12);
    assert_eq!(counts(&found), json!({"same": 11, "new_failure": 1}));
    assert!(found["why"].as_str().unwrap().contains("inputs differ, over 5%"), "{found}");
    // A share can come to hold, and then it serves.
    wait_for("the promotion", || {
        host.post("/p/", b"a");
        (host.status("p")["generation"] == 3).then_some(())
    });
}

#[test]
fn chance_and_clocks_make_no_difference() {
    for plugin in [fixtures::drawing(), fixtures::telling_time(), fixtures::failing_by_chance_and_time()] {
        let host = Setup::new().plugin("p", &plugin).start();
        shadow(&host, "p", &rebuilt(&plugin), &[]);
        (0..20).for_each(|_| drop(host.post("/p/", b"a")));
        assert_eq!(counts(&compared(&host, "p", 20)), json!({"same": 20}));
    }
}

#[test]
fn a_policy_has_a_shadow_too() {
    let policy = std::fs::read(component("random-replies")).unwrap();
    let host = Setup::new().plugin("policy", &policy).with(&["--frontend=tcp://127.0.0.1:*"]).start();
    shadow(&host, "policy", &rebuilt(&policy), &[]);
    let peer = unconnected(zmq::DEALER);
    peer.connect(host.surface("frontend")).unwrap();
    for number in 0..50 {
        peer.send_multipart(["", &format!("request {number}")], 0).unwrap();
    }
    assert_eq!(counts(&compared(&host, "policy", 50)), json!({"same": 50}));
    host.output("plugin", &["shadow", "stop", "policy"]);
    shadow(&host, "policy", &std::fs::read(component("echo")).unwrap(), &[]);
    for number in 0..50 {
        peer.send_multipart(["", &format!("request {number}")], 0).unwrap();
    }
    assert!(compared(&host, "policy", 50)["differing"].as_u64() > Some(25));
}

#[test]
fn what_serves_has_its_own_settings_beside_it() {
    let config = "[plugins.p.settings]\nk = 'v'\nother = 'w'\n";
    let host = Setup::new().plugin("p", &fixtures::telling_setting("k")).config(config).start();
    host.output("plugin", &["shadow", "p", "--set=other=x", "--min-calls=1"]);
    assert_eq!(host.post("/p/", b"a").text(), "v");
    let found = compared(&host, "p", 1);
    assert_eq!((counts(&found), &found["set"]), (json!({"same": 1}), &json!({"other": "x"})));
    host.output("plugin", &["shadow", "stop", "p"]);
    host.output("plugin", &["shadow", "p", "--set=k=new", "--min-calls=1", "--max-diff=100%"]);
    assert_eq!(host.post("/p/", b"a").text(), "v");
    let found = compared(&host, "p", 1);
    assert_eq!(groups(&found), [("body changed".to_owned(), 1)]);
    let promoted = host.output("plugin", &["shadow", "promote", "p"]);
    assert!(promoted.contains("p serves: generation 2") && promoted.contains("not persisted"), "{promoted}");
    assert_eq!(host.post("/p/", b"a").text(), "new");
}

#[test]
fn after_a_swap_the_comparison_begins_anew() {
    let host = Setup::new().plugin("p", &fixtures::echoing(1 << 20)).start();
    let newcomer = fixtures::trapping_on(b'T');
    shadow(&host, "p", &newcomer, &[]);
    (0..3).for_each(|_| drop(host.post("/p/", b"T")));
    assert_eq!(counts(&compared(&host, "p", 3)), json!({"new_failure": 3}));
    host.output("plugin", &["load", "p", file(&host, &fixtures::filtering()).to_str().unwrap()]);
    host.post("/p/", b"a");
    let found = wait_for("a comparison with what serves now", || {
        Some(status(&host, "p")).filter(|found| found["against"]["generation"] == 2 && found["compared"] == 1)
    });
    assert_eq!(counts(&found), json!({"no_longer_filtered": 1}));
    host.output("plugin", &["load", "p", file(&host, &newcomer).to_str().unwrap()]);
    host.post("/p/", b"a");
    let ended = wait_for("its end", || Some(status(&host, "p")).filter(|found| found["state"] == "ended"));
    assert_eq!(ended["why"], "the same component serves now");
}

#[test]
fn a_newcomer_that_loops_for_ever_takes_nothing_out_of_service() {
    let config = "[limits]\ncall_deadline_ms = 300\n[rollback]\nfailures = 1\n";
    let host = Setup::new().plugin("p", &fixtures::echoing(1 << 20)).config(config).start();
    shadow(&host, "p", &fixtures::looping(), &["--min-calls=1"]);
    for _ in 0..50 {
        assert_eq!(host.post("/p/", b"body").text(), "body");
    }
    // On a busy machine its calls may be starved instead, and are not made.
    let found = wait_for("a call that is given up", || {
        Some(status(&host, "p")).filter(|found| found["compared"] != 0 || found["dropped"] != 0)
    });
    assert_eq!(found["counts"]["same"], 0, "{found}");
    assert_eq!(found["may_serve"], false);
    let plugin = host.status("p");
    assert_eq!((&plugin["generation"], &plugin["state"]), (&json!(1), &json!("serving")), "{plugin}");
    assert_eq!(host.readiness(), ["ready"]);
    // What it did not come to by then is given up, and the host ends at once.
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_shadow_is_called_on_a_share() {
    let host = Setup::new().plugin("p", &fixtures::echoing(1 << 20)).start();
    shadow(&host, "p", &fixtures::echoing(1 << 20), &["--percent=25"]);
    (0..400).for_each(|_| drop(host.post("/p/", b"a")));
    let sampled = || host.ledger()["hops"]["shadows.p"]["in"].as_u64().unwrap();
    assert!((50..=150).contains(&sampled()), "{}", sampled());
}

#[test]
fn what_makes_no_shadow_is_named() {
    let handler = std::fs::read(root().join("tests/fixtures/handler.wasm")).unwrap();
    let host = Setup::new().plugin("p", &fixtures::echoing(1 << 20)).plugin("handler", &handler).start();
    let newcomer = file(&host, &fixtures::echoing(1 << 20));
    let newcomer = newcomer.to_str().unwrap();
    for (arguments, words) in [
        (&["shadow", "none", newcomer][..], "no plugin is named none"),
        (&["shadow", "p", newcomer, "--percent=0"], "percent 0 is not above 0"),
        (&["shadow", "p", newcomer, "--min-calls=0"], "min_calls 0"),
        (&["shadow", "handler", "--set=k=v"], "it answers HTTP itself"),
        (&["shadow", "status", "p"], "no shadow stands beside p"),
        (&["shadow", "stop", "p"], "no shadow stands beside p"),
    ] {
        let stderr = refused(&host, arguments);
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
    }
    let stderr = refused(&host, &["shadow", "p", file(&host, b"no component").to_str().unwrap()]);
    assert!(stderr.contains("plugin p is refused: compile"), "{stderr}");
    let stderr = refused(&host, &["shadow", "p", file(&host, &handler).to_str().unwrap()]);
    assert!(stderr.contains("lacks the role"), "{stderr}");
    for (query, body) in [("", &b""[..]), ("set=k=v", b"x"), ("set=k", b""), ("x=1", b"x"), ("auto=1", b"x")] {
        let answer = host.admin_request("PUT", &format!("/plugins/p/shadow?{query}"), Some(body));
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
    }
    shadow(&host, "p", &downcase(), &[]);
    let stderr = refused(&host, &["shadow", "p", newcomer]);
    assert!(stderr.contains("a shadow stands beside p already: stop it first"), "{stderr}");
    host.output("plugin", &["unload", "p"]);
    let ended = status(&host, "p");
    assert_eq!((&ended["state"], &ended["why"]), (&json!("ended"), &json!("the plugin was unloaded")));
}
