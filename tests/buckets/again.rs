//! A call that is made again is told what it was told before.

use super::{ask, bucket, granted, host, rebuilt};
use crate::fixtures::keeping;
use crate::flows::unconnected;
use crate::harness::{Host, Setup, tidegate, wait_for};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A file in the host's directory.
fn file(host: &Host, name: &str, bytes: &[u8]) -> PathBuf {
    let path = host.directory.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[track_caller]
fn diff(old: &Path, new: &Path, on: &Path) -> Value {
    let output =
        tidegate().args(["plugin", "diff", "--json", "--plugin=x", "--on"]).args([on, old, new]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn examples(report: &Value) -> Vec<(&str, &str)> {
    let groups = report["groups"].as_array().unwrap().iter();
    let examples = groups.flat_map(|group| group["examples"].as_array().unwrap());
    examples.map(|example| (example["old"].as_str().unwrap(), example["new"].as_str().unwrap())).collect()
}

#[test]
fn captured_calls_are_told_the_same_again_and_the_bucket_stays_as_it_is() {
    let host = host("");
    assert_eq!(ask(&host, "nK"), "1");
    let (code, started, stderr) = host.run("capture", &["start", "--json"]);
    assert_eq!(code, 0, "{stderr}");
    let started: Value = serde_json::from_str(&started).unwrap();
    let bodies = ["nK", "dA", "dA", "gA", "nK", "sB", "xB", "cB"];
    let answers = bodies.map(|body| ask(&host, body));
    assert_eq!(answers, ["2", "A", "204", "2", "3", "ok", "changed", "ok"]);
    host.output("capture", &["stop", started["id"].as_str().unwrap()]);
    let on = host.directory.path().join(started["file"].as_str().unwrap());
    let component = keeping("seen", 1);
    let old = file(&host, "old.wasm", &component);
    let same = diff(&old, &file(&host, "same.wasm", &rebuilt(&component)), &on);
    assert_eq!((&same["compared"], &same["differing"]), (&json!(8), &json!(0)), "{same}");
    // What counts by seven goes on from where each of the calls found the number.
    let new = diff(&old, &file(&host, "new.wasm", &keeping("seen", 7)), &on);
    assert_eq!(examples(&new), [("2", "8"), ("3", "9")], "{new}");
    // Of another bucket nothing is known.
    let other = diff(&old, &file(&host, "other.wasm", &keeping("other", 1)), &on);
    assert!(examples(&other).contains(&("2", "1")), "{other}");
    // A flow in a process of its own is told the same by nobody's bucket.
    let config = format!(
        "[sockets.ticks]\ntype = 'sub'\nconnect = ['tcp://127.0.0.1:1']\n[plugins.x]\npath = {old:?}\n\
         [flows.f]\nfrom = ['ticks']\nthrough = ['x']\nto = ['publish']\n"
    );
    let config = file(&host, "through.toml", config.as_bytes());
    let through = tidegate().arg("replay").arg(&on).args(["--json", "--route=x", "--through"]).arg(config).output();
    let through = String::from_utf8(through.unwrap().stdout).unwrap();
    let frames = through.lines().filter_map(|line| {
        serde_json::from_str::<Value>(line).unwrap()["frames"][0].clone().as_str().map(str::to_owned)
    });
    assert_eq!(frames.collect::<Vec<_>>(), ["2", "A", "2", "3", "ok", "changed", "ok"], "{through}");
    let cat = tidegate().args(["capture", "cat", "--json"]).arg(&on).output().unwrap();
    let first: Value = serde_json::from_slice(cat.stdout.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    let told = &first["call"]["buckets"][0];
    assert_eq!(
        (&told["bucket"], &told["operation"], &told["key"], &told["number"]),
        (&json!("seen"), &json!("increment"), &json!("K"), &json!(2)),
        "{first}"
    );
    assert_eq!((ask(&host, "nK"), &bucket(&host)["keys"]), ("4".to_owned(), &json!(3)));
}

#[test]
fn a_shadow_of_the_same_code_finds_no_difference_and_counts_nothing_twice() {
    let host = host("");
    let newcomer = file(&host, "newcomer.wasm", &rebuilt(&keeping("seen", 1)));
    let (code, _, stderr) = host.run("plugin", &["shadow", "x", newcomer.to_str().unwrap(), "--min-calls=1"]);
    assert_eq!(code, 0, "{stderr}");
    for number in 1..=10 {
        assert_eq!(ask(&host, "nK"), number.to_string());
    }
    assert_eq!(["dA", "dA"].map(|body| ask(&host, body)), ["A", "204"]);
    let status = wait_for("the calls of a shadow", || {
        let status = host.admin("/plugins/x/shadow").json();
        (status["compared"].as_u64() >= Some(12)).then_some(status)
    });
    assert_eq!((&status["compared"], &status["differing"]), (&json!(12), &json!(0)), "{status}");
    assert_eq!(ask(&host, "nK"), "11");
}

#[test]
fn another_chain_of_the_same_code_differs_in_nothing() {
    let flow = "[sockets.in]\ntype = 'pull'\nbind = ['tcp://127.0.0.1:*']\n\
                [flows.f]\nfrom = ['in']\nthrough = ['x']\nto = ['publish']\n[plugins.y.buckets]\nseen = {}\n";
    let component = keeping("seen", 1);
    let setup = Setup::new().plugin("x", &component).plugin("y", &rebuilt(&component));
    let host = setup.config(&[&granted(""), flow].concat()).start();
    let (code, _, stderr) = host.run("flow", &["shadow", "f", "--through", "y", "--min-calls=1"]);
    assert_eq!(code, 0, "{stderr}");
    let jobs = unconnected(zmq::PUSH);
    jobs.connect(host.surface("in")).unwrap();
    for _ in 0..10 {
        jobs.send("nK", 0).unwrap();
    }
    let status = wait_for("the calls of a shadow", || {
        let status = host.admin("/flows/f/shadow").json();
        (status["compared"].as_u64() >= Some(10)).then_some(status)
    });
    assert_eq!((&status["compared"], &status["differing"]), (&json!(10), &json!(0)), "{status}");
    assert_eq!((ask(&host, "nK"), host.status("y")["buckets"]["seen"]["keys"].clone()), ("11".to_owned(), json!(0)));
}
