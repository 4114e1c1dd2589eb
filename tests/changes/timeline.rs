//! What has happened to a plugin is told with its reason: loads, refusals, rollbacks, pauses.

use super::overview;
use crate::fixtures;
use crate::harness::{Host, Setup, bytes, wait_for};
use serde_json::{Value, json};

fn timeline(host: &Host, plugin: &str) -> Vec<Value> {
    overview(host)["plugins"][plugin]["timeline"].as_array().cloned().unwrap_or_default()
}

/// What happened, by whom, and to which generation.
fn steps(timeline: &[Value]) -> Vec<Value> {
    timeline.iter().map(|entry| json!([entry["what"], entry["by"], entry["generation"]])).collect()
}

#[test]
fn loads_refusals_and_rollbacks_are_told_with_their_reasons() {
    let host = Setup::new().committed("downcase").start();
    assert_eq!(steps(&timeline(&host, "downcase")), [json!(["loaded", "source", 1])]);
    for _ in 0..3 {
        assert_eq!(host.admin_request("PUT", "/plugins/downcase", Some(b"garbage")).status, 422);
    }
    assert_eq!(host.admin_request("PUT", "/plugins/downcase", Some(&bytes("upcase"))).status, 200);
    assert_eq!(host.admin_request("POST", "/plugins/downcase/rollback", None).status, 200);
    let timeline = timeline(&host, "downcase");
    let expected = [
        json!(["loaded", "source", 1]),
        json!(["refused", "operator", null]),
        json!(["loaded", "operator", 2]),
        json!(["rolled-back", "operator", 3]),
    ];
    assert_eq!(steps(&timeline), expected);
    let refused = &timeline[1];
    assert_eq!((&refused["times"], &refused["stage"]), (&json!(3), &json!("compile")));
    assert!(refused["reason"].as_str().unwrap().starts_with("compile: neither"), "{refused}");
    assert_eq!(refused["digest"].as_str().unwrap().len(), 64);
    let told = ["from", "to", "reason"].map(|key| &timeline[3][key]);
    assert_eq!(told, [&json!(2), &json!(1), &json!("an operator rolled it back")]);
    assert_eq!(timeline[3]["digest"], timeline[0]["digest"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_newcomer_that_fails_and_a_pause_are_told() {
    let config = "[rollback]\nwindow = 10\nfailures = 2\npause_ms = 200\n";
    let setup = Setup::new().plugin("x", &fixtures::trapping_on(b'!')).config(config);
    let host = setup.start();
    assert_eq!(host.admin_request("PUT", "/plugins/x", Some(&fixtures::trapping_on(b'a'))).status, 200);
    for _ in 0..2 {
        assert_eq!(host.get("/x/?param=a").status, 502);
    }
    let seen = wait_for("the rollback", || {
        let timeline = timeline(&host, "x");
        (steps(&timeline).last() == Some(&json!(["rolled-back", "calls", 3]))).then_some(timeline)
    });
    let told = ["from", "to", "reason"].map(|key| &seen.last().unwrap()[key]);
    let reason = "2 of its first 2 calls failed, and rollback.failures is 2";
    assert_eq!(told, [&json!(2), &json!(1), &json!(reason)]);
    // What serves now has served before, so it is paused rather than rolled back.
    for _ in 0..2 {
        assert_eq!(host.get("/x/?param=!").status, 502);
    }
    wait_for("the pause", || (timeline(&host, "x").last()?["what"] == "paused").then_some(()));
    wait_for("a call to go well", || (host.get("/x/?param=a").status == 200).then_some(()));
    wait_for("the end of the pause", || (timeline(&host, "x").last()?["what"] == "resumed").then_some(()));
    assert_eq!(host.stop(), 0);
}
