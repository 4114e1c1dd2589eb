//! A new generation that fails is rolled back, a plugin that keeps failing is paused, and a rollback can be requested.

mod asked;
mod remembered;

use crate::fixtures;
use crate::harness::{Client, DOWN, Host, LONG_PATIENCE, Setup, UP, bytes, wait_up_to};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn put(host: &Host, bytes: &[u8]) -> Value {
    let answer = host.admin_request("PUT", "/plugins/x", Some(bytes));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn roll_back(host: &Host) -> crate::client::Answer {
    host.admin_request("POST", "/plugins/x/rollback", Some(b""))
}

#[track_caller]
fn assert_serves(host: &Host, generation: u64, text: &str) {
    let answer = host.get("/x/?param=AbC");
    assert_eq!((answer.header("tidegate-generation"), answer.text()), (generation.to_string().as_str(), text));
}

#[test]
fn a_newcomer_that_traps_on_every_third_call_is_rolled_back_by_itself() {
    const CLIENTS: u64 = 16;
    const FAILURES: u64 = 5;
    let newcomer = fixtures::trapping_on(b'3');
    let host = Setup::new()
        .plugin("x", &fixtures::answering("", None))
        .config(&format!("[rollback]\nwindow = 100\nfailures = {FAILURES}"))
        .start();
    let old = host.status("x")["digest"].clone();
    let (enough, seen, good) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (host, enough, seen, good) = (&host, &enough, &seen, &good);
            scope.spawn(move || {
                let connection = Client::new(host);
                let mut number = client;
                while !enough.load(Ordering::Relaxed) {
                    number += 1;
                    let body = if number % 3 == 0 { "3" } else { "1" };
                    let answer = connection.request("POST", "/x/", Some(body.as_bytes())).expect("an answer");
                    match answer.status {
                        200 => {
                            assert_eq!(answer.text(), body);
                            good.fetch_add(1, Ordering::Relaxed);
                        }
                        // On a busy machine it is turned away before its call.
                        503 => {}
                        status => {
                            assert_eq!((status, answer.header("tidegate-generation")), (502, "2"), "{}", answer.text());
                            seen.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
        std::fs::write(host.plugin_path("x"), &newcomer).unwrap();
        wait_up_to(LONG_PATIENCE, "the rollback", || (host.status("x")["state"] == "rolled-back").then_some(()));
        let before = good.load(Ordering::Relaxed);
        wait_up_to(LONG_PATIENCE, "good answers after it", || {
            (good.load(Ordering::Relaxed) > before + 100).then_some(())
        });
        enough.store(true, Ordering::Relaxed);
    });

    let seen = seen.load(Ordering::Relaxed);
    println!("{seen} requests saw the newcomer fail, {} were answered", good.load(Ordering::Relaxed));
    assert!((FAILURES..FAILURES + CLIENTS).contains(&seen), "{seen} requests saw the newcomer fail");
    let status = host.status("x");
    assert_eq!((&status["generation"], &status["digest"], &status["rollbacks"]), (&3.into(), &old, &1.into()));
    assert_eq!(status["last_refused"]["stage"], "probation");
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["rolled back: generation 2 failed too often"]);

    // The file still holds the new component; it is loaded again only on request.
    std::fs::write(host.plugin_path("x"), b"something else for a moment").unwrap();
    host.process
        .wait_for_line_up_to(LONG_PATIENCE, &["not loaded", "neither a WebAssembly component nor its text form"]);
    std::fs::write(host.plugin_path("x"), &newcomer).unwrap();
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["not loaded", "probation"]);
    assert_eq!(host.status("x")["generation"], 3);
    assert_eq!(host.admin_request("POST", "/plugins/x/load", Some(b"")).status, 200);
    assert_eq!(host.status("x")["generation"], 4);
    assert_eq!(host.status("x")["state"], "serving");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_rollback_publishes_the_old_code_under_the_next_number_and_lasts() {
    let host = Setup::new().plugin("x", &bytes("downcase")).start();
    std::fs::write(host.plugin_path("x"), bytes("upcase")).unwrap();
    wait_up_to(LONG_PATIENCE, "the file's generation", || (host.status("x")["generation"] == 2).then_some(()));
    assert_eq!(put(&host, &fixtures::answering("", None))["generation"], 3);
    let generations: Vec<_> = host.status("x")["previous"]
        .as_array()
        .unwrap()
        .iter()
        .map(|previous| previous["generation"].as_u64().unwrap())
        .collect();
    assert_eq!(generations, [2, 1]);

    assert_eq!(roll_back(&host).json()["generation"], 4);
    assert_serves(&host, 4, UP);
    // An event of the file, whose content is unchanged, does not undo the rollback.
    std::fs::write(host.plugin_path("x"), bytes("upcase")).unwrap();
    assert_eq!(roll_back(&host).json()["generation"], 5);
    assert_serves(&host, 5, DOWN);
    assert_eq!(roll_back(&host).status, 409);
    host.process.signal("HUP");
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["SIGHUP"]);
    std::fs::write(host.plugin_path("x"), fixtures::answering("", None)).unwrap();
    wait_up_to(LONG_PATIENCE, "the next change of the file", || (host.status("x")["generation"] == 6).then_some(()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_keeps_failing_with_nothing_to_go_back_to_is_paused() {
    let host = Setup::new()
        .plugin("x", &fixtures::trapping_on(b'3'))
        .committed("downcase")
        .config("[rollback]\nfailures = 3\npause_ms = 300\npause_ms_max = 600")
        .start();
    for _ in 0..3 {
        assert_eq!(host.post("/x/", b"3").status, 502);
    }
    let answer = host.post("/x/", b"1");
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{}", answer.text());
    assert!(answer.text().contains("paused"), "{}", answer.text());
    assert_eq!(host.status("x")["state"], "paused");
    let ready = host.readiness();
    let is_told = ready[1].starts_with("plugin x: generation 1 keeps failing and is paused for ");
    assert!(ready[0] == "ready" && is_told, "{ready:?}");
    assert_eq!(host.get("/downcase/?param=A").status, 200);

    // The trial call after the pause fails, so the next pause is longer; a trial call that succeeds ends it.
    wait_up_to(LONG_PATIENCE, "a trial", || (host.post("/x/", b"3").status == 502).then_some(()));
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["paused, since it keeps failing", "pause_ms=600"]);
    wait_up_to(LONG_PATIENCE, "the recovery", || (host.post("/x/", b"1").status == 200).then_some(()));
    assert_eq!(host.status("x")["state"], "serving");
    assert_eq!(host.status("x")["pauses"], 2);
    assert_eq!(host.stop(), 0);
}

#[test]
fn inputs_that_a_plugin_rejects_are_no_failures_of_it() {
    let host = Setup::new()
        .plugin("x", &fixtures::erring(false, "no"))
        .plugin("y", &fixtures::erring(true, "mine"))
        .config("[rollback]\nfailures = 1")
        .start();
    for _ in 0..20 {
        assert_eq!(host.get("/x/?param=a").status, 422);
        assert_eq!(host.get("/y/?param=a").status, 502);
    }
    assert_eq!(host.stop(), 0);
}
