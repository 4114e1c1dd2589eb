//! Routes that lead through workers: what comes of a request whatever becomes of them.

use super::majordomo::{Job, Worker, pool};
use crate::fixtures;
use crate::harness::{Answer, Client, Host, Setup, wait_for};
use crate::raw_http::Raw;
use crate::routes::subscriber;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::path::Path;
use std::thread::JoinHandle;

/// A host with a pool named `score`, of which more is said, and routes.
fn start(pool_keys: &str, routes: &str) -> Host {
    let setup = Setup::new().plugin("plain", &fixtures::repeating(1)).committed("upcase");
    let pool = pool(setup.path(), "score", pool_keys);
    setup.config(&pool).config(routes).start()
}

fn worker(host: &Host) -> Worker {
    Worker::of(host.directory.path(), "score")
}

/// A request that waits for its answer beside the test.
fn request(host: &Host, method: &'static str, path: &'static str, body: Option<&'static [u8]>) -> JoinHandle<Answer> {
    let client = Client::new(host);
    std::thread::spawn(move || client.request(method, path, body).expect("an answer"))
}

fn post(host: &Host) -> JoinHandle<Answer> {
    request(host, "POST", "/score/", Some(b"job"))
}

/// The only dead letter.
#[track_caller]
fn letter(host: &Host) -> Value {
    let id = wait_for("the letter", || {
        let letters = host.admin("/dead-letters").json()["letters"].as_array().cloned().unwrap_or_default();
        assert!(letters.len() < 2, "{letters:?}");
        letters.first().map(|letter| letter["id"].as_str().unwrap().to_owned())
    });
    host.admin(&format!("/dead-letters/{id}")).json()[0].clone()
}

const CHAIN: &str = "[routes.score]\nthrough = ['plain', 'workers.score', 'upcase']";
const ALONE: &str = "[routes.score]\nthrough = ['workers.score']";

#[test]
fn a_request_goes_through_a_plugin_a_worker_and_a_plugin() {
    let host = start("", CHAIN);
    assert!(host.surface("workers.score").starts_with("ipc://"), "{}", host.process.stdout());
    let (worker, socket) = (worker(&host), subscriber(&host, "/plain/"));
    let asked = post(&host);
    let job = worker.take();
    assert_eq!(job.frames, [b"job"]);
    worker.answer(&job, &[b"done"]);
    let answer = asked.join().unwrap();
    assert_eq!((answer.status, answer.text()), (200, "upper case of done is DONE"));
    assert_eq!((answer.header("tidegate-plugin"), answer.header("content-length")), ("upcase", "26"));
    assert_eq!(answer.header("tidegate-through"), "plain@1, workers.score, upcase@1");
    assert_eq!(socket.recv_multipart(0).unwrap(), [b"upper case of done is DONE"]);
    let once = json!({"in": 1, "out": 1, "dropped": {}, "in_flight": 0});
    for hop in ["routes.score", "routes.score.plain", "routes.score.workers.score", "routes.score.upcase"] {
        host.wait_for_hop(hop, &once);
    }
    host.wait_for_hop("workers.score", &once);
    host.wait_for_hop("workers.score.answers", &once);
    let index = host.get("/");
    assert!(index.text().contains("\n/score/?param=TEXT\n"), "{}", index.text());
    assert_eq!((host.get("/score/more").status, host.request("OPTIONS", "/score/", None).status), (404, 405));
    assert_eq!(host.stop(), 0);
}

/// Reads from a connection until what came ends with this.
#[track_caller]
fn read_until(raw: &mut Raw, end: &str) -> String {
    let mut came = String::new();
    while !came.ends_with(end) {
        let mut byte = [0];
        raw.0.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error} after {came:?}"));
        came.push(char::from(byte[0]));
    }
    came
}

fn ask(host: &Host) -> Raw {
    let mut raw = Raw::connect(host, "http");
    raw.0.write_all(b"POST /score/ HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\njob").unwrap();
    raw
}

#[test]
fn parts_arrive_before_the_last_is_sent() {
    let host = start("", CHAIN);
    let (worker, socket) = (worker(&host), subscriber(&host, "/plain/"));
    let mut client = ask(&host);
    let job = worker.take();
    worker.add(&job, &[b"one"]);
    let head = client.head().expect("an answer");
    assert_eq!((head.status, head.header("transfer-encoding")), (200, Some("chunked")), "{}", head.head);
    assert_eq!(head.header("tidegate-through"), Some("plain@1, workers.score, upcase@1"));
    assert!(read_until(&mut client, "\r\n").len() < 6, "the length of the chunk");
    assert_eq!(read_until(&mut client, "\r\n"), "upper case of one is ONE\r\n");
    assert_eq!(socket.recv_multipart(0).unwrap(), [b"upper case of one is ONE"]);
    host.wait_for_hop("routes.score", &json!({"in": 1, "out": 0, "in_flight": 1}));
    worker.add(&job, &[b"two"]);
    assert!(read_until(&mut client, "TWO\r\n").contains("upper case of two"));
    worker.answer(&job, &[b"end"]);
    assert!(read_until(&mut client, "0\r\n\r\n").contains("upper case of end is END"));
    for word in ["two is TWO", "end is END"] {
        assert_eq!(socket.recv_multipart(0).unwrap(), [format!("upper case of {word}").as_bytes()]);
    }
    host.wait_for_hop("routes.score", &json!({"in": 1, "out": 1, "dropped": {}, "in_flight": 0}));
    host.wait_for_hop("routes.score.upcase", &json!({"in": 3, "out": 3, "in_flight": 0}));
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_answer_whose_worker_is_lost_in_the_middle_is_broken_off_and_kept() {
    let host = start("retry = 'always'", ALONE);
    let first = worker(&host);
    let mut client = ask(&host);
    first.add(&first.take(), &[b"one"]);
    assert_eq!(client.head().expect("an answer").status, 200);
    read_until(&mut client, "one\r\n");
    let _second = worker(&host);
    drop(first);
    let rest = client.rest();
    assert!(!rest.ends_with(b"0\r\n\r\n"), "{:?}", String::from_utf8_lossy(&rest));
    let lost = json!({"in": 1, "out": 0, "dropped": {"worker-lost": 1}, "in_flight": 0});
    for hop in ["routes.score", "workers.score"] {
        host.wait_for_hop(hop, &lost);
    }
    let letter = letter(&host);
    assert_eq!((&letter["reason"], &letter["route"]), (&json!("worker-lost"), &json!("score")), "{letter}");
    assert_eq!((&letter["met"], letter.get("plugin")), (&json!("workers.score"), None), "{letter}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_client_that_goes_gives_up_the_rest_of_its_answer() {
    let host = start("", ALONE);
    let worker = worker(&host);
    let mut client = ask(&host);
    let job = worker.take();
    worker.add(&job, &[b"one"]);
    read_until(&mut client, "one\r\n");
    drop(client);
    // Whether it has only shut down its sending side shows once something is sent to it.
    wait_for("the end of the answer", || {
        worker.add(&job, &[b"more"]);
        (host.ledger()["hops"]["routes.score"]["in_flight"] == 0).then_some(())
    });
    for hop in ["routes.score", "workers.score"] {
        host.wait_for_hop(hop, &json!({"in": 1, "out": 0, "dropped": {"client-gone": 1}, "in_flight": 0}));
    }
    // What it still says is for nobody, and the next is served.
    worker.answer(&job, &[b"late"]);
    wait_for("late answers", || host.ledger()["hops"]["workers.score.answers"]["dropped"]["late"].as_u64());
    let asked = post(&host);
    let job = worker.take();
    worker.answer(&job, &[b"done"]);
    assert_eq!(asked.join().unwrap().text(), "done");
    assert_eq!(host.stop(), 0);
}

#[test]
fn each_end_has_its_status() {
    let host = start("retry = 'never'\nwait_ms_max = 50\ndeadline_ms = 200", ALONE);
    let answer = post(&host).join().unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{}", answer.text());
    assert!(answer.text().contains("no worker of workers.score was free"), "{}", answer.text());
    host.wait_for_hop("routes.score", &json!({"dropped": {"no-worker": 1}}));
    // Nobody is told to send what the host keeps.
    assert_eq!(host.ledger()["hops"]["dead-letter"]["in"], 0);

    let lost = worker(&host);
    let asked = post(&host);
    lost.take();
    drop(lost);
    let answer = asked.join().unwrap();
    assert_eq!((answer.status, answer.header("tidegate-through")), (502, "workers.score"), "{}", answer.text());
    assert_eq!(letter(&host)["reason"], "worker-lost");

    let hung = worker(&host);
    let asked = post(&host);
    let _job = hung.take();
    let answer = asked.join().unwrap();
    assert_eq!(answer.status, 504, "{}", answer.text());
    host.wait_for_hop(
        "routes.score",
        &json!({"in": 3, "out": 0, "dropped": {"no-worker": 1, "worker-lost": 1, "deadline-exceeded": 1}}),
    );
    host.wait_for_hop("dead-letter", &json!({"in": 2, "out": 2}));
    assert_eq!(host.stop(), 0);
}

/// A GET may be made twice, a POST may not.
#[test]
fn a_request_that_may_be_made_twice_goes_to_a_second_worker() {
    let host = start("codec = 'http'", ALONE);
    let first = worker(&host);
    let asked = request(&host, "GET", "/score/?param=job", None);
    first.take();
    let second = worker(&host);
    drop(first);
    let job = second.take();
    assert_eq!(head(&job)["attempt"], 2);
    second.answer(&job, &[b"done"]);
    assert_eq!(asked.join().unwrap().text(), "done");
    let asked = post(&host);
    let job = second.take();
    assert_eq!(head(&job).get("attempt"), None);
    drop(second);
    assert_eq!(asked.join().unwrap().status, 502);
    assert_eq!(host.stop(), 0);
}

/// The head of a request in the codec `http`.
#[track_caller]
fn head(job: &Job) -> Value {
    assert_eq!(job.frames.len(), 2);
    serde_json::from_slice(&job.frames[0]).expect("JSON")
}

#[test]
fn a_worker_sees_the_request_and_says_what_the_response_is() {
    let routes = "[routes.score]\nthrough = ['workers.score']\nheaders = ['x-sensor']\nresponse_headers = ['x-kind']";
    let host = start("codec = 'http'", routes);
    let worker = worker(&host);
    let client = Client::new(&host);
    let asked = std::thread::spawn(move || {
        let headers = [("x-sensor", "7"), ("x-other", "8"), ("content-type", "a/b")];
        client.request_with("PUT", "/score/?a=b&param=c", &headers, Some(b"body")).unwrap()
    });
    let job = worker.take();
    let told = head(&job);
    assert_eq!(
        (&told["method"], &told["path"], &told["query"]),
        (&json!("PUT"), &json!("/score/"), &json!("a=b&param=c"))
    );
    let headers = told["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["x-sensor", "7"])) && headers.contains(&json!(["content-type", "a/b"])), "{told}");
    assert!(!told["headers"].to_string().contains("x-other"), "{told}");
    assert_eq!(job.body(), "body");
    let said = json!({"status": 201, "headers": [["content-type", "c/d"], ["x-kind", "new"], ["x-private", "1"]]});
    worker.answer(&job, &[said.to_string().as_bytes(), b"made"]);
    let answer = asked.join().unwrap();
    assert_eq!((answer.status, answer.text(), answer.header("content-type")), (201, "made", "c/d"));
    assert_eq!((answer.header("x-kind"), answer.header("x-private")), ("new", ""));
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_answer_without_a_frame_is_no_content_and_of_a_head_nothing_is_published() {
    let host = start("", ALONE);
    let (worker, socket) = (worker(&host), subscriber(&host, "/plain/"));
    let asked = post(&host);
    worker.answer(&worker.take(), &[]);
    assert_eq!(asked.join().unwrap().status, 204);
    let asked = request(&host, "HEAD", "/score/?param=x", None);
    let job = worker.take();
    worker.add(&job, &[b"one"]);
    worker.answer(&job, &[b"two"]);
    let answer = asked.join().unwrap();
    assert_eq!((answer.status, answer.text()), (200, ""));
    assert_eq!(host.post("/plain/", b"next").status, 200);
    assert_eq!(socket.recv_multipart(0).unwrap(), [b"next"]);
    assert_eq!(host.stop(), 0);
}

/// The letter of a request that a worker was lost with is sent through the route again.
#[test]
fn what_was_lost_with_a_worker_is_replayed() {
    let host = start("retry = 'never'", ALONE);
    let lost = worker(&host);
    let asked = post(&host);
    lost.take();
    drop(lost);
    assert_eq!(asked.join().unwrap().status, 502);
    let id = letter(&host)["id"].as_str().unwrap().to_owned();
    let worker = worker(&host);
    let admin = Client::at(host.surface("admin"));
    let replay = format!("/dead-letters/{id}/replay");
    let replayed = std::thread::spawn(move || admin.request("POST", &replay, Some(b"")).unwrap());
    let job = worker.take();
    assert_eq!(job.body(), "job");
    worker.answer(&job, &[b"done"]);
    let replayed = replayed.join().unwrap();
    assert_eq!(replayed.status, 200, "{}", replayed.text());
    let returned = replayed.json();
    assert_eq!((returned.get("plugin"), &returned["messages"][0]["frames"]), (None, &json!(["done"])), "{returned}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_pool_that_nothing_leads_through_stays_closed_and_what_cannot_be_tried_says_so() {
    let host = start("", "");
    host.process.wait_for_line(&["WARN", "workers.score: no flow and no route goes through it, so it stays closed"]);
    assert!(!Path::new(host.directory.path()).join("score").exists());
    let (code, _, stderr) = host.run("plugin", &["call", "workers.score", "x"]);
    assert_eq!((code, stderr.contains("workers.score is a pool of workers, and no plugin")), (1, true), "{stderr}");
    assert_eq!(host.stop(), 0);
}
