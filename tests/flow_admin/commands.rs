//! A flow is looked at, paused, drained and resumed, and loses nothing for it.

use super::{one_flow, peer, start, text};
use crate::harness::wait_for;
use serde_json::{Value, json};

#[test]
fn a_flow_is_listed_and_its_figures_are_those_of_the_ledger() {
    let host = start(one_flow);
    let (jobs, done) = (peer(&host, zmq::PUSH, "jobs"), peer(&host, zmq::PULL, "done"));
    for body in ["a", "!b", "c"] {
        jobs.send(body, 0).unwrap();
    }
    assert_eq!([text(&done), text(&done)], ["a", "c"]);
    host.wait_for_hop("flows.work", &json!({"in": 3, "out": 2, "in_flight": 0}));
    let counts = json!({"in": 3, "out": 2, "in_flight": 0, "dropped": {"trapped": 1}});
    let shown = json!({
        "name": "work", "from": ["jobs"], "through": ["check"], "to": ["done"], "state": "running", "obstacle": null,
        "in_flight": 0, "in_flight_max": 64, "waiting": 0, "counts": counts,
    });
    assert_eq!(host.admin("/flows/work").json(), shown);
    let listed = host.output("flow", &["list", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&listed).unwrap(), json!([shown]));
    let listed = host.output("flow", &["list"]);
    let rows: Vec<Vec<_>> = listed.lines().map(|line| line.split("  ").map(str::trim).collect()).collect();
    let cells = |row: usize| rows[row].iter().filter(|cell| !cell.is_empty()).copied().collect::<Vec<_>>();
    assert_eq!(cells(1), ["work", "running", "jobs", "check", "done", "3", "2", "1", "0", "0"], "{listed}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_paused_flow_holds_its_senders_up_and_loses_nothing() {
    let host = start(one_flow);
    let (jobs, done) = (peer(&host, zmq::PUSH, "jobs"), peer(&host, zmq::PULL, "done"));
    assert_eq!(host.output("flow", &["pause", "work"]), "work is paused: 0 in flight, 0 waiting\n");
    for number in 0..1_000 {
        jobs.send(&number.to_string(), 0).unwrap();
    }
    // The one that was read before it was known that nobody takes it.
    host.wait_for_hop("sockets.jobs", &json!({"in": 1, "in_flight": 1}));
    assert!(host.readiness().contains(&"the flow work: paused".to_owned()), "{:?}", host.readiness());
    assert!(host.output("flow", &["list"]).ends_with("the flow work: paused\n"));
    assert_eq!(host.ledger()["hops"]["flows.work"]["in"], 0);
    assert_eq!(host.output("flow", &["resume", "work"]).split(':').next(), Some("work is running"));
    for number in 0..1_000 {
        assert_eq!(text(&done), number.to_string());
    }
    host.wait_for_hop("flows.work", &json!({"in": 1_000, "out": 1_000, "dropped": {}}));
    assert_eq!(host.admin("/readyz").status, 200);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_flow_is_drained_when_what_it_had_taken_in_has_left() {
    let host = start(|directory| one_flow(directory).replace("queue_messages_max = 100", "queue_messages_max = 1"));
    let jobs = peer(&host, zmq::PUSH, "jobs");
    for number in 0..100 {
        jobs.send(&number.to_string(), 0).unwrap();
    }
    // Nobody takes what is pushed.
    wait_for("messages in flight", || (host.admin("/flows/work").json()["in_flight"].as_u64()? > 0).then_some(()));
    assert_eq!(host.output("flow", &["drain", "work"]).split(':').next(), Some("work is draining"));
    let done = peer(&host, zmq::PULL, "done");
    wait_for("the drain", || (host.admin("/flows/work").json()["state"] == "drained").then_some(()));
    let counts = host.admin("/flows/work").json()["counts"].clone();
    assert!(counts["in"].as_u64().unwrap() < 100 && counts["in"] == counts["out"], "{counts}");
    host.output("flow", &["resume", "work"]);
    for number in 0..100 {
        assert_eq!(text(&done), number.to_string());
    }
    assert_eq!(host.stop(), 0);
}
