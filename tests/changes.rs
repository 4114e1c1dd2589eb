//! All that a host does in one object, once and as it changes: `GET /overview`, `/changes` and `/peers`.

mod timeline;
mod watcher;

use crate::admin::openapi::document::Document;
use crate::fixtures;
use crate::harness::{Client, Host, Setup, bytes, wait_for};
use crate::raw_http::Raw;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use watcher::Watcher;

/// As many as may watch at the same time.
const WATCHERS_MAX: usize = 16;

pub fn overview(host: &Host) -> Value {
    let answer = host.admin("/overview");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(entries) => entries.values().any(has_null),
        _ => false,
    }
}

/// One with a flow, a route of two steps, a pool without workers and a frontend.
fn rich_host() -> Host {
    let config = "[sockets.in]\ntype = 'pull'\nbind = ['tcp://127.0.0.1:*']\n\
                  [flows.f]\nfrom = ['in']\nthrough = ['downcase']\nto = ['publish']\n\
                  [workers.score]\nbind = ['tcp://127.0.0.1:*']\n\
                  [routes.both]\nthrough = ['downcase', 'workers.score']\nto = []\n\
                  [routes.twice]\nthrough = ['downcase', 'upcase']\n";
    Setup::new().committed("downcase").committed("upcase").committed("echo").config(config).start()
}

#[test]
fn an_overview_has_all_under_its_name_and_adds_up() {
    let host = rich_host();
    let mut document = Document::of(&host);
    for _ in 0..3 {
        assert_eq!(host.get("/twice/?param=HeLLo").status, 200);
    }
    let pusher = zmq::Context::new().socket(zmq::PUSH).unwrap();
    pusher.connect(host.surface("in")).unwrap();
    pusher.send("A", 0).unwrap();
    let seen = wait_for("the message", || {
        let seen = overview(&host);
        // A call is timed a moment after its answer has gone.
        let timed = &seen["plugins"]["downcase"]["latency"]["total"]["calls"];
        (seen["hops"]["flows.f"]["out"] == 1 && timed == 4).then_some(seen)
    });
    document.check("get /overview", &host.admin_request("GET", "/overview", None));
    assert!(!has_null(&seen), "{seen:#}");

    for (name, counts) in seen["hops"].as_object().unwrap() {
        let number = |key: &str| counts[key].as_u64().unwrap();
        let dropped: u64 = counts["dropped"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(number("in"), number("out") + dropped + number("in_flight"), "{name}: {counts}");
    }
    let names = |of: &str| seen[of].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(names("plugins"), all(&["downcase", "echo", "upcase"]));
    assert_eq!((names("flows"), names("pools")), (all(&["f"]), all(&["score"])));
    assert!(names("surfaces").is_superset(&all(&["http", "admin", "publish", "in", "workers.score", "frontend"])));
    let step = |name: &str, hop: &str| json!({"name": name, "hop": hop});
    assert_eq!(
        seen["routes"]["both"],
        json!({
            "through": [step("downcase", "routes.both.downcase"), step("workers.score", "routes.both.workers.score")],
            "to": [], "hop": "routes.both", "kind": "processors",
        })
    );
    assert_eq!(
        seen["routes"]["upcase"],
        json!({"through": [{"name": "upcase"}], "to": ["publish"], "hop": "transform", "kind": "processors"})
    );
    assert_eq!(seen["flows"]["f"]["through"], json!([step("downcase", "flows.f.downcase")]));
    assert_eq!(seen["frontend"], json!({"through": [{"name": "echo"}], "hops": ["policy", "schedule", "reply"]}));
    // Every name of a hop is one of the ledger.
    for hop in ["/routes/twice/hop", "/flows/f/hop", "/routes/twice/through/0/hop", "/surfaces/in/hops/0"] {
        let hop = seen.pointer(hop).and_then(Value::as_str).unwrap_or_else(|| panic!("no {hop}"));
        assert!(!seen["hops"][hop].is_null(), "{hop}");
    }
    let downcase = &seen["plugins"]["downcase"];
    assert_eq!(
        (&downcase["counts"]["in"], &downcase["state"], &downcase["is_policy"]),
        (&json!(4), &json!("serving"), &json!(false))
    );
    assert_eq!(seen["plugins"]["echo"]["is_policy"], true);
    let (total, recent) = (&downcase["latency"]["total"], &downcase["latency"]["recent"]);
    assert_eq!((&total["calls"], recent), (&json!(4), &Value::Null), "nobody watches");
    assert!(total["p50_us"].as_f64().unwrap() > 0.0 && total["p50_us"].as_f64() <= total["p99_us"].as_f64(), "{total}");
    assert_eq!(seen["surfaces"]["in"]["statistics"]["socket_messages"]["in"], 1);
    assert_eq!(host.stop(), 0);
}

#[test]
fn changes_add_up_to_what_is() {
    let host = rich_host();
    let mut watcher = Watcher::of(&host);
    assert_eq!(watcher.next().as_deref(), Some("overview"));
    assert_eq!(watcher.seen["plugins"]["downcase"]["counts"]["in"], 0);
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    assert_eq!(host.get("/nothing/?param=A").status, 404);
    watcher.wait_for("the calls", |seen| seen["hops"]["http"]["in"] == 2 && seen["hops"]["http"]["in_flight"] == 0);
    watcher.wait_for("its time", |seen| seen["plugins"]["downcase"]["latency"]["recent"]["calls"] == 1);
    assert_eq!(watcher.overviews, 1, "the rest came as changes");
    let whole = overview(&host);
    for part in ["hops", "routes", "flows", "peers", "sockets"] {
        assert_eq!(watcher.seen[part], whole[part], "{part}");
    }
    assert!(!has_null(&watcher.seen));
    // What is there no more is no more in what is told.
    assert_eq!(host.admin_request("DELETE", "/plugins/upcase", None).status, 200);
    watcher.wait_for("the plugin to go", |seen| seen["plugins"]["upcase"].is_null());
    assert_eq!(host.stop(), 0);
}

#[test]
fn shadows_and_captures_are_told_as_they_change() {
    let host = rich_host();
    let mut document = Document::of(&host);
    let mut watcher = Watcher::of(&host);
    assert_eq!(watcher.next().as_deref(), Some("overview"));
    assert_eq!((&watcher.seen["shadows"], &watcher.seen["captures"]), (&json!({}), &json!({})));
    let query = "/plugins/downcase/shadow?min_calls=2&max_diff=100%25";
    assert_eq!(host.admin_request("PUT", query, Some(&bytes("upcase"))).status, 201);
    assert_eq!(host.admin_request("POST", "/capture", Some(br#"{"route": "twice"}"#)).status, 201);
    watcher.wait_for("the shadow", |seen| seen["shadows"]["downcase"]["compared"] == 0);
    assert_eq!(watcher.seen["shadows"]["downcase"]["obstacle"], "0 calls were compared, and it takes 2");
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    assert_eq!(host.get("/twice/?param=A").status, 200);
    // A call of a flow or a route of several steps is one of the plugin too.
    watcher.wait_for("what it found", |seen| seen["shadows"]["downcase"]["compared"] == 2);
    watcher.wait_for("the records", |seen| seen["captures"]["1"]["records"] == 2);
    let shadow = &watcher.seen["shadows"]["downcase"];
    assert_eq!((&shadow["may_serve"], &shadow["obstacle"]), (&json!(true), &Value::Null), "{shadow:#}");
    assert_eq!((&shadow["differing"], &shadow["counts"]["different"]), (&json!(2), &json!(2)));
    let [group] = &shadow["groups"].as_array().unwrap()[..] else { panic!("{shadow:#}") };
    let example = json!({"number": 1, "old": "lower case of A is a", "new": "upper case of A is A"});
    assert_eq!(group, &json!({"group": "body changed", "inputs": 2, "examples": [example]}));
    let capture = &watcher.seen["captures"]["1"];
    assert_eq!((&capture["state"], &capture["route"]), (&json!("running"), &json!("twice")), "{capture:#}");
    assert!(!has_null(&watcher.seen) && watcher.overviews == 1);
    document.check("get /overview", &host.admin_request("GET", "/overview", None));
    assert_eq!(host.admin_request("POST", "/plugins/downcase/shadow/promote", None).status, 200);
    assert_eq!(host.admin_request("DELETE", "/capture/1", None).status, 200);
    watcher.wait_for("their ends", |seen| {
        seen["shadows"]["downcase"]["state"] == "promoted" && seen["captures"]["1"]["state"] == "stopped"
    });
    assert!(!has_null(&watcher.seen));
    assert_eq!(host.stop(), 0);
}

#[test]
fn figures_of_the_last_seconds_are_there_while_somebody_watches() {
    let host = Setup::new().committed("downcase").start();
    let recent = || overview(&host)["plugins"]["downcase"]["latency"]["recent"].clone();
    assert_eq!(recent(), Value::Null);
    let mut watcher = Watcher::of(&host);
    watcher.wait_for("a second look", |seen| seen["plugins"]["downcase"]["latency"]["recent"].is_object());
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    assert!(wait_for("the call", || Some(recent()).filter(|recent| recent["calls"] == 1))["p99_us"].is_number());
    drop(watcher);
    wait_for("the end of the sampler", || recent().is_null().then_some(()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn so_many_watch_and_no_more() {
    let host = Setup::new().committed("downcase").start();
    let mut document = Document::of(&host);
    let mut watchers: Vec<_> = (0..WATCHERS_MAX).map(|_| Watcher::of(&host)).collect();
    let refused = host.admin_request("GET", "/changes", None);
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(refused.header("retry-after"), "1");
    document.check("get /changes", &refused);
    // Nobody else is held up by them, nor by one of them who does not read.
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    assert_eq!(host.admin_request("HEAD", "/changes", None).status, 200);
    watchers.pop();
    wait_for("a free place", || Watcher::try_of(&host).ok().map(drop));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_drain_is_seen_to_its_end_and_the_stream_ends_in_order() {
    let mut host = Setup::new()
        .plugin("wait", &fixtures::waiting())
        .config("[plugins.wait.limits]\ncall_deadline_ms = 3000")
        .start();
    let mut raw = Raw::connect(&host, "admin");
    raw.send("GET /changes HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(raw.head().unwrap().header("content-type"), Some("text/event-stream"));
    let mut watcher = Watcher::of(&host);
    let client = Client::new(&host);
    let waiting = std::thread::spawn(move || client.request("GET", "/wait/?param=A", None).unwrap().status);
    watcher.wait_for("the call to begin", |seen| seen["hops"]["http"]["in_flight"] == 1);
    assert_eq!(host.admin_request("POST", "/drain", None).status, 202);
    watcher.wait_for("the drain", |seen| seen["host"]["draining"] == true && seen["hops"]["http"]["in_flight"] == 1);
    assert_eq!(waiting.join().unwrap(), 504);
    assert_eq!(host.wait(), 0);
    // The chunk of no bytes that ends a body.
    assert!(raw.rest().ends_with(b"\r\n0\r\n\r\n"), "cut off");
}

#[test]
fn peers_are_told_of_while_they_are_connected() {
    let host = Setup::new().committed("downcase").committed("echo").start();
    let mut document = Document::of(&host);
    let peers = |surface: &str| {
        let answer = host.admin("/peers");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()[surface].clone()
    };
    assert_eq!(peers("publish"), json!({"count": 0, "peers": {}}));
    let context = zmq::Context::new();
    let subscriber = context.socket(zmq::SUB).unwrap();
    subscriber.connect(host.surface("publish")).unwrap();
    for topic in ["a", "b"] {
        subscriber.set_subscribe(topic.as_bytes()).unwrap();
    }
    let seen = wait_for("two subscriptions", || {
        let seen = peers("publish");
        let one = seen["peers"].as_object().unwrap().values().next().cloned();
        one.filter(|peer| peer["subscriptions"] == 2)
    });
    assert!(seen["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{seen}");
    assert_eq!(
        (&seen["protocol"], &seen["outgoing"], &seen["queue_messages"]),
        (&json!("zmtp"), &json!(false), &json!(0))
    );
    document.check("get /peers", &host.admin_request("GET", "/peers", None));
    assert_eq!(overview(&host)["peers"]["publish"]["count"], 1);
    drop(subscriber);
    drop(context);
    wait_for("it to go", || (peers("publish")["count"] == 0).then_some(()));
    assert_eq!(host.stop(), 0);
}
