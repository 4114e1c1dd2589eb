//! What becomes of a message that a plugin fails at: what the flow's `on_error` says, with every message counted.

use super::{QUEUE, peer, receive, send};
use crate::fixtures;
use crate::harness::{Host, Setup, wait_for};
use serde_json::{Value, json};

/// A host whose plugin traps on what begins with `!`, and is never paused or rolled back for that.
fn start(on_error: &str) -> (Host, zmq::Socket, zmq::Socket) {
    let config = format!("rollback.failures = 0\nshutdown.grace_ms = 200\n{QUEUE}on_error = '{on_error}'\n");
    let host = Setup::new().plugin("check", &fixtures::trapping_on(b'!')).config(&config).start();
    let (jobs, done) = (peer(&host, zmq::PUSH, "jobs"), peer(&host, zmq::PULL, "done"));
    (host, jobs, done)
}

/// The letters that the host has, once there are so many.
fn letters(host: &Host, count: usize) -> Vec<Value> {
    wait_for("the dead letters", || {
        let letters = host.admin("/dead-letters").json()["letters"].as_array().cloned().unwrap();
        (letters.len() == count).then_some(letters)
    })
}

#[test]
fn with_pass_it_goes_on_as_it_was() {
    let (host, jobs, done) = start("pass");
    for body in ["0", "!1", "2"] {
        send(&jobs, &[body]);
    }
    for body in ["0", "!1", "2"] {
        assert_eq!(receive(&done), [body]);
    }
    host.wait_for_hop("flows.work", &json!({"in": 3, "out": 3, "dropped": {}, "in_flight": 0}));
    host.wait_for_hop("flows.work.check", &json!({"in": 3, "out": 2, "dropped": {"trapped": 1}}));
    host.wait_for_hop("dead-letter", &json!({"in": 0}));
    assert_eq!(host.stop(), 0);
}

#[test]
fn with_drop_it_is_counted_and_written_nowhere() {
    let (host, jobs, done) = start("drop");
    for body in ["0", "!1", "2"] {
        send(&jobs, &[body]);
    }
    for body in ["0", "2"] {
        assert_eq!(receive(&done), [body]);
    }
    host.wait_for_hop("flows.work", &json!({"in": 3, "out": 2, "dropped": {"trapped": 1}, "in_flight": 0}));
    host.wait_for_hop("dead-letter", &json!({"in": 0}));
    assert_eq!(host.stop(), 0);
}

#[test]
fn with_stop_the_flow_pauses_and_says_where() {
    let (mut host, jobs, done) = start("stop");
    for body in ["0", "!1", "2"] {
        send(&jobs, &[body]);
    }
    assert_eq!(receive(&done), ["0"]);
    let obstacle = wait_for("the flow to stop", || {
        host.readiness().into_iter().find(|line| line.contains("the flow work: it stopped at a message"))
    });
    assert!(obstacle.contains("check"), "{obstacle}");
    host.wait_for_hop("flows.work", &json!({"in": 3, "out": 1, "dropped": {}, "in_flight": 2}));
    host.wait_for_hop("dead-letter", &json!({"in": 0}));
    assert_eq!(done.poll(zmq::POLLIN, 0), Ok(0), "nothing goes past it");
    let (_, stderr) = host.stop_and_tell();
    let hop = stderr.lines().find(|line| line.starts_with("flows.work ")).expect("the last word of the ledger");
    assert!(hop.contains("abandoned=2"), "{hop}");
}

#[test]
fn a_letter_of_a_chain_tells_what_the_message_met() {
    let config = QUEUE.replace("['check']", "['upcase', 'downcase', 'check']");
    let host = Setup::new()
        .committed("upcase")
        .committed("downcase")
        .plugin("check", &fixtures::trapping_on(b'l'))
        .config(&config)
        .start();
    let jobs = peer(&host, zmq::PUSH, "jobs");
    send(&jobs, &["topic", "abc"]);
    let summary = &letters(&host, 1)[0];
    let id = summary["id"].as_str().unwrap();
    let letter = &host.admin(&format!("/dead-letters/{id}")).json()[0];
    assert_eq!((&letter["route"], &letter["plugin"]), (&"flows.work".into(), &"check".into()), "{letter}");
    assert_eq!(letter["met"], "upcase@1 → downcase@1 → check@1", "{letter}");
    // It is what came in, whatever two plugins have made of it since.
    let message = &letter["message"];
    assert_eq!((&message["topic"], &message["body_base64"]), (&"topic".into(), &"YWJj".into()), "{letter}");
    for plugin in ["upcase", "downcase"] {
        let hop = format!("flows.work.{plugin}");
        host.wait_for_hop(&hop, &json!({"in": 1, "out": 1, "dropped": {}, "in_flight": 0}));
    }
    let lost = json!({"in": 1, "out": 0, "dropped": {"trapped": 1}, "in_flight": 0});
    host.wait_for_hop("flows.work.check", &lost);
    host.wait_for_hop("flows.work", &lost);
    assert_eq!(host.stop(), 0);
}

/// By its id somebody finds a letter again, so no two have the same.
#[test]
fn every_letter_has_an_id_of_its_own() {
    let (host, jobs, _done) = start("dead-letter");
    for body in ["!0", "!1"] {
        send(&jobs, &[body]);
    }
    let letters = letters(&host, 2);
    let ids: Vec<_> = letters.iter().map(|letter| letter["id"].as_str().unwrap()).collect();
    assert!(ids[0] != ids[1] && ids.iter().all(|id| id.len() > 17), "{ids:?}");
    for id in ids {
        let found = host.admin(&format!("/dead-letters/{id}")).json();
        assert_eq!((found.as_array().unwrap().len(), &found[0]["id"]), (1, &id.into()));
    }
    assert_eq!(host.stop(), 0);
}

/// Whatever the flow fails at once more is a letter of its own.
#[test]
fn a_letter_of_a_flow_goes_into_it_again() {
    let (host, jobs, done) = start("dead-letter");
    send(&jobs, &["a", "!1"]);
    let id = letters(&host, 1)[0]["id"].as_str().unwrap().to_owned();
    let (code, _, stderr) = host.run("dead-letters", &["replay", &id, "--send"]);
    assert!(code == 1 && stderr.contains("the flow work failed at it") && stderr.contains("--admin"), "{stderr}");

    std::fs::write(host.plugin_path("check"), fixtures::trapping_on(b'?')).unwrap();
    host.process.wait_for_line(&["loaded", "plugin=\"check\"", "generation=2"]);
    let address = host.surface("admin").trim_start_matches("http://").to_owned();
    let replay = |id: &str| host.run("dead-letters", &["replay", id, "--admin", &address]);
    host.output("flow", &["pause", "work"]);
    let (code, _, stderr) = replay(&id);
    assert!(code == 1 && stderr.contains("the flow work takes nothing in now"), "{stderr}");
    host.output("flow", &["resume", "work"]);
    let (code, stdout, stderr) = replay(&id);
    assert_eq!((code, stdout.as_str()), (0, "taken in again by the flow work\n"), "{stderr}");
    assert_eq!(receive(&done), ["!1"]);
    host.wait_for_hop("flows.work", &json!({"in": 2, "out": 1, "dropped": {"trapped": 1}, "in_flight": 0}));
    let again = host.admin_request("POST", &format!("/dead-letters/{id}/replay"), None);
    assert!(again.status == 409 && again.text().contains("a replay has sent this letter"), "{}", again.text());
    assert_eq!(host.stop(), 0);
}
