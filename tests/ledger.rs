//! The ledger: exact at every moment, for every hop and every plugin, and printed at the end whatever the log level.

use crate::balance::{assert_even, at_exit};
use crate::fixtures;
use crate::harness::{Client, Setup, bytes, wait_for};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

fn figures(entered: u64, out: u64, in_flight: u64, dropped: &Value) -> Value {
    json!({"in": entered, "out": out, "in_flight": in_flight, "dropped": dropped})
}

#[test]
fn a_call_in_flight_is_neither_out_nor_lost() {
    let host = Setup::new().plugin("wait", &fixtures::waiting()).start();
    let client = Client::new(&host);
    let call = std::thread::spawn(move || client.request("GET", "/wait/?param=x", None).unwrap().status);
    let ledger = wait_for("the call", || Some(host.ledger()).filter(|ledger| ledger["plugins"]["wait"]["in"] == 1));
    let in_flight = figures(1, 0, 1, &json!({}));
    assert_eq!(ledger["hops"]["http"], in_flight);
    assert_eq!(ledger["hops"]["transform"], in_flight);
    assert_eq!(ledger["plugins"], json!({"wait": in_flight}));

    assert_eq!(call.join().unwrap(), 504);
    let late = figures(1, 0, 0, &json!({"deadline-exceeded": 1}));
    let ledger = host.ledger();
    assert_eq!(ledger["hops"]["http"], figures(1, 1, 0, &json!({})), "a 504 is an answer");
    assert_eq!((&ledger["hops"]["transform"], &ledger["plugins"]["wait"]), (&late, &late));
}

#[test]
fn a_trial_is_a_call_of_the_plugin_but_no_traffic() {
    let host = Setup::new().committed("downcase").plugin("reject", &fixtures::erring(false, "no")).start();
    let call = br#"{"message": {"body": "AbC"}}"#;
    assert_eq!(host.admin_request("POST", "/plugins/downcase/call", Some(call)).status, 200);
    assert_eq!(host.admin_request("POST", "/plugins/reject/call", Some(call)).status, 422);
    let ledger = host.ledger();
    assert_eq!(ledger["plugins"]["downcase"], figures(1, 1, 0, &json!({})));
    assert_eq!(ledger["plugins"]["reject"], figures(1, 0, 0, &json!({"rejected": 1})));
    assert_eq!(ledger["hops"]["transform"]["in"], 0);
}

/// Several clients make calls with different outcomes while the ledger is read in a loop.
#[test]
fn it_is_exact_at_every_moment_under_load() {
    const CALLS: usize = 200;
    let setup = Setup::new().committed("downcase").plugin("reject", &fixtures::erring(false, "no"));
    let host = setup.config("[plugins.downcase.limits]\ncalls_max = 1").start();
    let over = AtomicBool::new(false);
    let (statuses, readings) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|number| {
                let (client, path) = (Client::new(&host), ["/downcase/?param=x", "/reject/?param=x"][number % 2]);
                let call = move || client.request("GET", path, None).unwrap().status;
                scope.spawn(move || (0..CALLS).map(|_| call()).collect::<Vec<_>>())
            })
            .collect();
        let reader = scope.spawn(|| {
            let mut readings = 0;
            while !over.load(Ordering::Relaxed) {
                assert_even(&host.ledger());
                readings += 1;
            }
            readings
        });
        let statuses: Vec<u16> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        over.store(true, Ordering::Relaxed);
        (statuses, reader.join().unwrap())
    });
    assert!(readings > 0);

    let count = |status: u16| statuses.iter().filter(|&&other| other == status).count();
    let ledger = host.ledger();
    let (downcase, reject) = (&ledger["plugins"]["downcase"], &ledger["plugins"]["reject"]);
    assert_eq!(ledger["hops"]["http"]["out"], 4 * CALLS);
    assert_eq!(downcase["in"], 2 * CALLS);
    assert_eq!(downcase["out"], count(200));
    assert_eq!(downcase["dropped"]["too-many-calls"].as_u64().unwrap_or(0) as usize, count(503));
    assert_eq!(*reject, figures(2 * CALLS as u64, 0, 0, &json!({"rejected": count(422)})));
    let transform = &ledger["hops"]["transform"];
    for (key, figure) in [("in", 4 * CALLS), ("out", count(200))] {
        assert_eq!(transform[key], figure, "the hop counts what its plugins do");
    }
}

#[test]
fn the_last_words_are_the_ledger_though_the_log_is_silent() {
    for (format, silent) in [("text", true), ("json", true), ("json", false)] {
        let setup = Setup::new().plugin("x", &bytes("downcase")).with(&[&format!("--log-format={format}")]);
        let mut host = if silent { setup.env("TIDEGATE_LOG", "off") } else { setup }.start();
        assert_eq!(host.get("/x/?param=A").status, 200);
        assert_eq!(host.get("/x/").status, 400);
        host.process.signal("TERM");
        assert_eq!(host.process.wait().code(), Some(0));
        let stderr = host.process.stderr();
        let ledger = at_exit(&stderr);
        assert_eq!(ledger["hops"]["http"], figures(2, 2, 0, &json!({})), "{stderr}");
        assert_eq!(ledger["plugins"], json!({"x": figures(1, 1, 0, &json!({}))}), "{stderr}");
        match (format, silent) {
            ("text", _) => assert!(stderr.starts_with("HOP "), "{stderr}"),
            (_, true) => assert_eq!(stderr.lines().count(), 1, "{stderr}"),
            (_, false) => assert!(stderr.lines().last().unwrap().starts_with("{\"ledger\":"), "{stderr}"),
        }
    }
}
