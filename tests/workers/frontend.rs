//! The flow of the frontend: plugins and workers answer the broker's clients in the place of a reply policy.

use super::majordomo::{Worker, pool};
use crate::fixtures;
use crate::harness::{Host, PATIENCE, Setup, wait_for};
use serde_json::json;

fn start(pool_keys: &str, flow: &str) -> Host {
    let setup = Setup::new()
        .plugin("plain", &fixtures::repeating(1))
        .plugin("tell", &fixtures::telling_pairs())
        .plugin("trap", &fixtures::trapping());
    let pool = pool(setup.path(), "score", pool_keys);
    setup.config(&pool).config("[flows.asked]\nfrom = ['frontend']").config(flow).start()
}

fn client(host: &Host, identity: &[u8]) -> zmq::Socket {
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_identity(identity).unwrap();
    socket.set_linger(0).unwrap();
    socket.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    socket.connect(host.surface("frontend")).unwrap();
    socket
}

#[test]
fn a_worker_answers_a_client_with_several_replies() {
    let host = start("", "through = ['plain', 'workers.score']");
    let (worker, client) = (Worker::of(host.directory.path(), "score"), client(&host, b"one"));
    client.send_multipart(["", "a", "b"], 0).unwrap();
    let job = worker.take();
    assert_eq!(job.frames, [b"a", b"b"]);
    worker.add(&job, &[b"first"]);
    worker.add(&job, &[b"second", b"half"]);
    worker.answer(&job, &[b"last"]);
    assert_eq!(client.recv_multipart(0).unwrap(), [&b""[..], b"first"]);
    assert_eq!(client.recv_multipart(0).unwrap(), [&b""[..], b"second", b"half"]);
    assert_eq!(client.recv_multipart(0).unwrap(), [&b""[..], b"last"]);
    // Nothing at all is no reply, and the next request is answered.
    for (body, answer) in [("c", &[][..]), ("d", &[&b"done"[..]])] {
        client.send(body, 0).unwrap();
        let job = worker.take();
        assert_eq!(job.body(), body);
        worker.answer(&job, answer);
    }
    assert_eq!(client.recv_multipart(0).unwrap(), [b"done"]);
    host.wait_for_hop("policy", &json!({"in": 3, "out": 3, "dropped": {}, "in_flight": 0}));
    for hop in ["flows.asked.plain", "flows.asked.workers.score", "workers.score"] {
        host.wait_for_hop(hop, &json!({"in": 3, "out": 3, "dropped": {}, "in_flight": 0}));
    }
    host.wait_for_hop("reply", &json!({"in": 4, "out": 4}));
    assert_eq!(host.stop(), 0);
}

/// Several requests are with workers at a time, however many a policy would answer.
#[test]
fn as_many_requests_are_answered_at_a_time_as_the_flow_says() {
    let host = start("", "through = ['workers.score']\nin_flight_max = 9");
    let workers: Vec<_> = (0..9).map(|_| Worker::of(host.directory.path(), "score")).collect();
    let client = client(&host, b"one");
    for number in 0..9 {
        client.send(&number.to_string(), 0).unwrap();
    }
    let jobs: Vec<_> = workers.iter().map(Worker::take).collect();
    for (worker, job) in workers.iter().zip(&jobs).rev() {
        worker.answer(job, &[job.body().as_bytes()]);
        assert_eq!(client.recv_string(0).unwrap().unwrap(), job.body(), "a reply waits for none before it");
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_stages_are_told_who_asks() {
    let host = start("", "through = ['tell']");
    // No plugin is a reply policy, and the frontend is open.
    let client = client(&host, b"\x01\xffz");
    client.send("hello", 0).unwrap();
    let pairs: Vec<_> = (0..2).map(|_| client.recv_multipart(0).unwrap()).collect();
    assert_eq!(pairs[0][0], b"tidegate.request-id");
    assert_eq!(pairs[1], [&b"tidegate.identity"[..], b"01ff7a"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_request_that_fails_is_a_dead_letter_that_nobody_replays() {
    let host = start("", "through = ['plain', 'trap']");
    let client = client(&host, b"one");
    client.send("hello", 0).unwrap();
    let letter = wait_for("the letter", || host.admin("/dead-letters").json()["letters"].get(0).cloned());
    assert_eq!((&letter["route"], &letter["hop"]), (&json!("flows.asked"), &json!("policy")), "{letter}");
    let id = letter["id"].as_str().unwrap();
    let whole = &host.admin(&format!("/dead-letters/{id}")).json()[0];
    assert_eq!(whole["request"]["identity_base64"], "b25l", "{whole}");
    let replayed = host.admin_request("POST", &format!("/dead-letters/{id}/replay"), Some(b""));
    assert_eq!(replayed.status, 409, "{}", replayed.text());
    assert!(replayed.text().contains("its client waits no more"), "{}", replayed.text());
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_answers_the_frontend_changes_with_a_restart_alone() {
    let host = start("", "through = ['plain']");
    let client = client(&host, b"one");
    let answer = host.admin_request("PUT", "/flows/asked", Some(b"from = ['frontend']\nthrough = ['tell']\n"));
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert!(answer.text().contains("changes with a restart alone"), "{}", answer.text());
    let other = "[flows.asked]\nfrom = ['frontend']\nthrough = ['tell']\n";
    let answer = host.admin_request("PUT", "/flows", Some(other.as_bytes()));
    assert_eq!((answer.status, &answer.json()["restart"]), (200, &json!(["flows.asked.through"])), "{}", answer.text());
    client.send("hello", 0).unwrap();
    assert_eq!(client.recv_multipart(0).unwrap(), [b"hello"]);
    assert_eq!(host.stop(), 0);
}
