//! Pools that come, change and go while the host runs, and what becomes of the messages meanwhile.

use super::majordomo::{Echo, HEARTBEAT_MS, Worker, endpoint, pool};
use crate::fixtures;
use crate::harness::{Client, Host, Setup, wait_for};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn start(config: impl Fn(&Path) -> String) -> Host {
    let setup = Setup::new().plugin("plain", &fixtures::repeating(1));
    let config = config(setup.path());
    setup.config(&config).start()
}

/// Has the host run this, and says what was changed.
#[track_caller]
fn apply(host: &Host, config: &str) -> Value {
    let answer = host.admin_request("PUT", "/flows", Some(config.as_bytes()));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn changes(added: &[&str], changed: &[&str], removed: &[&str]) -> Value {
    json!({"added": added, "changed": changed, "removed": removed, "restart": []})
}

fn route(name: &str) -> String {
    format!("[routes.{name}]\nthrough = ['plain', 'workers.{name}']\n")
}

/// Sets a flag when it is dropped, whatever happened before.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Four clients ask by a route, each again and again, and every request is answered, while `change` is called.
fn under_load(host: &Host, path: &str, change: impl FnOnce(&AtomicU64)) {
    let (answered, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for client in 0..4 {
            let (answered, is_over) = (&answered, &is_over);
            let asking = Client::new(host);
            scope.spawn(move || {
                let _over = SetAtEnd(is_over);
                while !is_over.load(Ordering::Relaxed) {
                    let body = format!("{client} {}", answered.load(Ordering::Relaxed));
                    let answer = asking.request("POST", path, Some(body.as_bytes())).expect("an answer");
                    assert_eq!((answer.status, answer.text()), (200, body.as_str()));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _over = SetAtEnd(&is_over);
        change(&answered);
    });
}

fn wait_for_more(answered: &AtomicU64) {
    let before = answered.load(Ordering::Relaxed);
    wait_for("more answers", || (answered.load(Ordering::Relaxed) > before + 20).then_some(()));
}

/// Whoever asks meanwhile waits until the other pool has workers.
const PATIENT: &str = "wait_ms_max = 30_000\nretry = 'never'";

fn keys(deadline_ms: u64) -> String {
    format!("{PATIENT}\nheartbeat_ms = {HEARTBEAT_MS}\ndeadline_ms = {deadline_ms}")
}

#[test]
fn a_pool_that_is_changed_under_load_loses_no_request() {
    let config = |directory: &Path, deadline_ms| pool(directory, "score", &keys(deadline_ms)) + &route("score");
    let host = start(|directory| config(directory, 20_000));
    let directory = host.directory.path();
    let _workers = [(); 3].map(|()| Echo::at(vec![endpoint(directory, "score")], "score"));
    under_load(&host, "/score/", |answered| {
        wait_for_more(answered);
        for round in 0..3 {
            let changed = apply(&host, &config(directory, 20_001 + round));
            assert_eq!(changed, changes(&[], &["workers.score"], &[]));
            wait_for_more(answered);
        }
    });
    host.wait_for_hop("routes.score", &json!({"dropped": {}, "in_flight": 0}));
    host.wait_for_hop("workers.score", &json!({"dropped": {}, "in_flight": 0}));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_pool_moves_to_another_endpoint_and_loses_no_request() {
    let config = |directory: &Path, place: &str| {
        pool(directory, "score", &keys(20_000)).replace("/score'", &format!("/{place}'")) + &route("score")
    };
    let host = start(|directory| config(directory, "one"));
    let directory = host.directory.path();
    let places = ["one", "two"].map(|place| endpoint(directory, place));
    let _workers = [(); 2].map(|()| Echo::at(places.to_vec(), "score"));
    under_load(&host, "/score/", |answered| {
        for place in ["two", "one", "two"] {
            wait_for_more(answered);
            let changed = apply(&host, &config(directory, place));
            assert_eq!(changed, changes(&[], &["workers.score"], &[]));
        }
        wait_for_more(answered);
    });
    host.wait_for_hop("routes.score", &json!({"dropped": {}, "in_flight": 0}));
    assert_eq!(host.stop(), 0);
}

/// A worker of a pool that stays is asked before and after others come and go.
#[test]
fn pools_come_and_go_beside_one_that_notices_nothing() {
    let one = |directory: &Path| pool(directory, "score", "") + &route("score");
    let host = start(one);
    let directory = host.directory.path();
    let worker = Worker::of(directory, "score");
    let ask = |path: &'static str, worker: &Worker| {
        let client = Client::new(&host);
        let asked = std::thread::spawn(move || client.request("POST", path, Some(b"job")).expect("an answer"));
        let job = worker.take();
        worker.answer(&job, &[path.as_bytes()]);
        assert_eq!(asked.join().unwrap().text(), path);
    };
    ask("/score/", &worker);
    let both = one(directory) + &pool(directory, "other", "") + &route("other");
    assert_eq!(apply(&host, &both), changes(&["workers.other", "routes.other"], &[], &[]));
    ask("/other/", &Worker::of(directory, "other"));
    ask("/score/", &worker);
    assert_eq!(apply(&host, &one(directory)), changes(&[], &[], &["workers.other", "routes.other"]));
    assert_eq!(host.post("/other/", b"x").status, 404);
    ask("/score/", &worker);
    // One that nothing leads through is closed, and opened again with its route.
    let mut spare = pool(directory, "score", "");
    assert_eq!(apply(&host, &spare), changes(&[], &[], &["workers.score", "routes.score"]));
    host.process.wait_for_line(&["WARN", "workers.score: no flow and no route goes through it"]);
    spare += &route("score");
    assert_eq!(apply(&host, &spare), changes(&["workers.score", "routes.score"], &[], &[]));
    ask("/score/", &Worker::of(directory, "score"));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_pool_that_cannot_be_bound_changes_nothing() {
    let one = |directory: &Path| pool(directory, "score", "") + &route("score");
    let host = start(one);
    let directory = host.directory.path();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("tcp://{}", taken.local_addr().unwrap());
    let busy = one(directory).replace(&endpoint(directory, "score"), &place);
    let refused = host.admin_request("PUT", "/flows", Some(busy.as_bytes()));
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.text().contains(&place), "{}", refused.text());
    let unknown = one(directory).replace("workers.score'", "workers.scor'");
    let refused = host.admin_request("PUT", "/flows", Some(unknown.as_bytes()));
    assert!(refused.text().contains("did you mean `score`?"), "{}", refused.text());
    let worker = Worker::of(directory, "score");
    let client = Client::new(&host);
    let asked = std::thread::spawn(move || client.request("POST", "/score/", Some(b"job")).expect("an answer"));
    let job = worker.take();
    worker.answer(&job, &[b"done"]);
    assert_eq!(asked.join().unwrap().text(), "done");
    assert_eq!(host.stop(), 0);
}

/// A flow keeps its message while the pool that it leads through is another.
#[test]
fn a_flow_goes_on_with_the_pool_that_takes_the_place_of_one() {
    let config = |directory: &Path, deadline_ms| {
        let socket = |name: &str, kind: &str| {
            format!("[sockets.{name}]\ntype = '{kind}'\nbind = ['{}']\n", endpoint(directory, name))
        };
        let flow = "[flows.work]\nfrom = ['jobs']\nthrough = ['workers.score']\nto = ['done']\n";
        [pool(directory, "score", &keys(deadline_ms)), socket("jobs", "pull"), socket("done", "push"), flow.to_owned()]
            .concat()
    };
    let host = start(|directory| config(directory, 20_000));
    let directory = host.directory.path();
    let _workers = [(); 2].map(|()| Echo::at(vec![endpoint(directory, "score")], "score"));
    let [jobs, done] = [(zmq::PUSH, "jobs"), (zmq::PULL, "done")].map(|(kind, name)| {
        let peer = crate::flows::unconnected(kind);
        peer.connect(&endpoint(directory, name)).unwrap();
        peer
    });
    for round in 0..3 {
        for number in 0..100 {
            jobs.send(&format!("{round} {number}"), 0).unwrap();
        }
        let changed = apply(&host, &config(directory, 20_001 + round));
        assert_eq!(changed, changes(&[], &["workers.score"], &[]));
        for number in 0..100 {
            assert_eq!(done.recv_string(0).unwrap().unwrap(), format!("{round} {number}"));
        }
    }
    host.wait_for_hop("flows.work", &json!({"in": 300, "out": 300, "dropped": {}, "in_flight": 0}));
    let path = host.admin("/flows/work").json();
    assert_eq!(path["through"], json!(["workers.score"]), "{path}");
    assert_eq!(host.stop(), 0);
}
