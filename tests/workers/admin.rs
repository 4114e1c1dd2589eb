//! Pools and their workers on the admin surface and by `tidegate workers`: who works, and how one is let go.

use super::client::host::start;
use super::majordomo::Worker;
use crate::admin::openapi::document::Document;
use crate::harness::{Client, Host, Setup, wait_for};
use crate::keygen::Pair;
use serde_json::{Value, json};
use std::thread::{self, JoinHandle};

/// A route through a pool whose heartbeats are so far apart that no test needs any.
const POOL: &str = "[workers.score]\nbind = ['tcp://127.0.0.1:*']\nheartbeat_ms = 600000\nworkers_min = 2\n\
                    [routes.score]\nthrough = ['workers.score']\nto = []";

/// Waits until the only pool is as it is to be, and returns it.
#[track_caller]
fn wait_for_pool(host: &Host, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, || {
        let answer = host.admin("/workers");
        assert_eq!(answer.status, 200, "{}", answer.text());
        Some(answer.json()[0].clone()).filter(&is_so)
    })
}

/// Posts a body in another thread: status and text of the answer.
fn post(host: &Host, body: &'static str) -> JoinHandle<(u16, String)> {
    let client = Client::new(host);
    thread::spawn(move || {
        let answer = client.request("POST", "/score/", Some(body.as_bytes())).unwrap();
        (answer.status, answer.text().to_owned())
    })
}

/// The worker of this identity.
#[track_caller]
fn worker<'a>(pool: &'a Value, identity: &str) -> &'a Value {
    let workers = pool["workers"].as_array().unwrap();
    workers.iter().find(|worker| worker["identity"] == identity).unwrap_or_else(|| panic!("no {identity}: {pool:#}"))
}

#[test]
fn who_works_is_listed_and_one_that_is_drained_finishes_and_goes() {
    let host = Setup::new().config(POOL).start();
    let mut document = Document::of(&host);
    let endpoint = host.surface("workers.score").to_owned();
    let empty = host.admin("/workers");
    document.check("get /workers", &empty);
    let pool = &empty.json()[0];
    assert_eq!((&pool["name"], &pool["endpoints"]), (&json!("score"), &json!([endpoint])));
    assert_eq!((&pool["workers"], &pool["mean_us"]), (&json!([]), &Value::Null));
    assert!(host.readiness().iter().any(|line| line.contains("workers.score")), "{:?}", host.readiness());

    let [one, other] = ["one", "other"].map(|identity| Worker::at(&endpoint, "score", identity));
    let pool = wait_for_pool(&host, "two workers", |pool| pool["idle"] == 2);
    assert_eq!(
        (&worker(&pool, "one")["state"], &worker(&pool, "one")["protocol"]),
        (&json!("idle"), &json!("mdp-0.2"))
    );
    assert!(worker(&pool, "one")["address"].as_str().unwrap().starts_with("127.0.0.1"), "{pool:#}");
    assert_eq!((&worker(&pool, "one")["key"], &worker(&pool, "one")["done"]), (&Value::Null, &json!(0)));
    assert!(worker(&pool, "one")["silent_ms"].as_u64().unwrap() < 60_000, "{pool:#}");
    assert_eq!(host.readiness(), ["ready"]);

    // Both have a message, and a third one waits.
    let requests = [post(&host, "a"), post(&host, "b"), post(&host, "c")];
    let (of_one, of_other) = (one.take(), other.take());
    let pool = wait_for_pool(&host, "three messages", |pool| pool["queue_messages"] == 1);
    assert_eq!((&pool["idle"], &pool["busy"], &pool["in_flight"]), (&json!(0), &json!(2), &json!(2)));
    assert_eq!((&worker(&pool, "one")["state"], &worker(&pool, "one")["in_flight"]), (&json!("busy"), &json!(1)));
    document.check("get /workers", &host.admin("/workers"));

    let id = worker(&pool, "one")["id"].as_u64().unwrap();
    let drained = host.admin_request("POST", &format!("/workers/score/drain/{id}"), Some(b""));
    assert_eq!(drained.status, 200, "{}", drained.text());
    document.check("post /workers/{name}/drain/{worker}", &drained);
    assert_eq!(worker(&drained.json(), "one")["state"], "draining");
    let listed = host.output("workers", &["list"]);
    let row =
        |name: &str| listed.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{listed}")).to_owned();
    assert!(row("one").contains("draining") && row("other").contains("busy"), "{listed}");
    assert!(row(&endpoint).starts_with("score "), "{listed}");

    // It answers what it has, and is sent away; what waits goes to the other one.
    one.answer(&of_one, &[of_one.body().as_bytes()]);
    one.wait_to_go();
    other.answer(&of_other, &[b"answered"]);
    other.answer(&other.take(), &[b"answered"]);
    let mut answers = requests.map(|request| request.join().unwrap());
    answers.sort();
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    assert_eq!(answers.iter().filter(|(_, text)| text == "answered").count(), 2, "{answers:?}");
    let pool = wait_for_pool(&host, "one worker", |pool| pool["workers"].as_array().unwrap().len() == 1);
    assert_eq!((&pool["done"], &pool["in_flight"], &worker(&pool, "other")["done"]), (&json!(3), &json!(0), &json!(2)));
    assert!(pool["mean_us"].as_u64().is_some() && worker(&pool, "other")["mean_us"].as_u64().is_some(), "{pool:#}");

    // One that has nothing goes at once.
    let id = worker(&pool, "other")["id"].to_string();
    let told = host.output("workers", &["drain", "score", &id]);
    assert!(told.starts_with(&format!("worker {id} of score ")), "{told}");
    other.wait_to_go();
    assert!(!one.has_more(), "it was sent away, and got something else");
    wait_for_pool(&host, "no workers", |pool| pool["workers"] == json!([]));
    let listed: Value = serde_json::from_str(&host.output("workers", &["list", "--json"])).unwrap();
    assert_eq!(listed[0]["name"], "score");
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_is_not_there_is_told_with_where_to_look() {
    let host = Setup::new().config(POOL).start();
    for (arguments, words) in [
        (["drain", "nobody", "1"], "no pool of workers is named nobody; GET /workers lists them"),
        (["drain", "workers.score", "1"], "no pool of workers is named workers.score"),
        (["drain", "score", "7"], "the pool score has no worker 7; GET /workers lists those that it has"),
    ] {
        let (code, stdout, stderr) = host.run("workers", &arguments);
        assert!(code == 1 && stdout.is_empty() && stderr.contains(words), "{arguments:?}: {code} {stderr}");
    }
    assert_eq!(host.admin_request("POST", "/workers/score/drain/x", Some(b"")).status, 404);
    assert_eq!(host.admin("/workers/score/drain/1").status, 405);
    assert_eq!(host.admin("/workers/score").status, 404);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_program_works_in_a_guarded_pool_and_is_listed_with_its_key() {
    let setup = Setup::new().config(POOL);
    let (server, worker_keys) = (Pair::new(setup.path().join("server")), Pair::new(setup.path().join("worker")));
    let authorized = setup.path().join("authorized");
    std::fs::create_dir(&authorized).unwrap();
    std::fs::copy(worker_keys.file("public.key"), authorized.join("worker")).unwrap();
    let host = setup
        .with(&[
            &format!("--curve-secret-key={}", server.file("secret.key")),
            &format!("--curve-authorized-keys={}", authorized.display()),
        ])
        .start();
    let keys = ["--server-key", &server.public, "--key", &worker_keys.file("secret.key"), "--end-on-disconnect"];
    let command = ["tr", "a-z", "A-Z"];
    let mut process = start(host.directory.path(), host.surface("workers.score"), &keys, &command);
    let pool = wait_for_pool(&host, "the worker", |pool| pool["idle"] == 1);
    assert_eq!(pool["workers"][0]["key"], worker_keys.public);
    let answer = host.post("/score/", b"hello");
    assert_eq!((answer.status, answer.text()), (200, "HELLO"));
    let id = pool["workers"][0]["id"].to_string();
    host.output("workers", &["drain", "score", &id]);
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
    assert!(process.stderr().ends_with("answered=1 failed=0 late=0 malformed=0\n"), "{}", process.stderr());
    assert_eq!(host.stop(), 0);
}
