//! `tidegate replay --through` runs what came in through a flow in its own process, the same each time, and counts each message once.

use super::{captured, written};
use crate::dead_letters::wait_for_letters;
use crate::fixtures;
use crate::flows::unconnected;
use crate::harness::{Process, Setup, bytes, tidegate};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Components in a directory, and a configuration with a flow of each of these names through each of these plugins.
fn configured(directory: &Path, plugins: &[(&str, Vec<u8>)], flows: &[(&str, &[&str], &str)]) -> PathBuf {
    let mut text = "[sockets.ticks]\ntype = 'sub'\nconnect = ['tcp://127.0.0.1:1']\n".to_owned();
    for (name, component) in plugins {
        let path = directory.join(format!("{name}.wasm"));
        std::fs::write(&path, component).unwrap();
        text += &format!("[plugins.{name}]\npath = {:?}\n", path.to_str().unwrap());
    }
    for (name, through, more) in flows {
        text += &format!("[flows.{name}]\nfrom = ['ticks']\nto = ['publish']\nthrough = {through:?}\n{more}\n");
    }
    let file = directory.join("through.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// How it ended: its exit code, what came out, the summary, and its stderr.
type Ended = (i32, Vec<Value>, Value, String);

#[track_caller]
fn through(file: &Path, config: &Path, arguments: &[&str]) -> Ended {
    let mut command = tidegate();
    command.arg("replay").arg(file).arg("--json").arg("--through").arg(config).args(arguments);
    let mut process = Process::start(&mut command);
    let code = process.wait().code().expect("an exit code");
    let lines = process.stdout();
    let mut lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let summary = lines.pop().map_or(Value::Null, |last| last["summary"].clone());
    (code, lines, summary, process.stderr())
}

/// The counts of a summary.
fn counts(summary: &Value) -> [Option<u64>; 3] {
    ["in", "out", "filtered"].map(|key| summary[key].as_u64())
}

#[test]
fn what_came_into_a_flow_of_a_host_comes_out_of_it_as_it_did_there() {
    let flows = "[sockets.jobs]\ntype = 'pull'\nbind = ['tcp://127.0.0.1:*']\n[flows.clean]\nfrom = ['jobs']\n\
                 through = ['downcase', 'upcase']\nto = ['publish']\n";
    let host = Setup::new().committed("downcase").committed("upcase").config(flows).start();
    let file = captured(&host, 5, || {
        assert_eq!(host.get("/downcase/?param=Elsewhere").status, 200);
        let jobs = unconnected(zmq::PUSH);
        jobs.connect(host.surface("jobs")).unwrap();
        // One after the other: calls are captured in the order in which they end.
        for (number, body) in ["HeLLo", "Again"].into_iter().enumerate() {
            jobs.send_multipart(["topic", body], 0).unwrap();
            host.wait_for_hop("flows.clean", &json!({"out": number + 1}));
        }
        jobs
    });
    let mut shown = Process::start(tidegate().args(["capture", "cat", "--json", "--plugin=upcase"]).arg(&file));
    shown.wait();
    let mut answers: Vec<Value> = Vec::new();
    for line in shown.stdout().lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        answers.push(record["call"]["answer"][0]["frames"].clone());
    }
    let directory = tempfile::tempdir().unwrap();
    let plugins = ["downcase", "upcase"].map(|name| (name, bytes(name)));
    let config = configured(directory.path(), &plugins, &[("clean", &["downcase", "upcase"], ""), ("other", &[], "")]);
    let (code, out, summary, stderr) = through(&file, &config, &["--name=clean"]);
    assert_eq!((code, counts(&summary)), (0, [Some(2), Some(2), Some(0)]), "{summary} {stderr}");
    assert_eq!(out.iter().map(|record| record["frames"].clone()).collect::<Vec<_>>(), answers);
    assert_eq!((&out[0]["kind"], &out[0]["name"]), (&"flow".into(), &"clean".into()));
    // What it was called with had one pair that names its socket, and still has.
    assert_eq!(summary["skipped"], json!({"of later stages of a chain": 2}));
    let (_, out, summary, _) = through(&file, &config, &["--flow=clean", "--name=other"]);
    let sockets = |record: &Value| record["metadata"].to_string().matches("tidegate.socket").count();
    assert_eq!((counts(&summary), sockets(&out[0])), ([Some(2), Some(2), Some(0)], 1), "{out:?}");
    let (code, out, _, _) = through(&file, &config, &["--route=downcase", "--name=clean"]);
    assert_eq!(
        (code, &out[0]["frames"][0]),
        (0, &json!("upper case of lower case of Elsewhere is elsewhere is LOWER CASE OF ELSEWHERE IS ELSEWHERE"))
    );
    let mut process = Process::start(
        tidegate()
            .arg("replay")
            .arg(&file)
            .args(["--name=clean", "--limit=1", "--speed=1000", "--through"])
            .arg(&config),
    );
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
    let text = process.stdout();
    assert!(text.starts_with("\nflow: clean at ") && text.contains("\nframe 0: topic\n"), "{text}");
    assert!(text.contains("\nin=1 out=1 filtered=0 dropped=0 messages=1 skipped="), "{text}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn random_numbers_and_clocks_are_the_same_each_time() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(directory.path(), (0..50_u8).map(|number| vec![number]));
    let plugins = [("chance", fixtures::failing_by_chance_and_time())];
    let config = configured(directory.path(), &plugins, &[("f", &["chance"], "")]);
    let first = through(&file, &config, &[]);
    assert_eq!((first.0, counts(&first.2)), (1, [Some(50), Some(0), Some(0)]), "{}", first.3);
    assert_eq!(first.2["dropped"], json!({"failed": 50}));
    assert!(first.1[0]["call"]["failure"]["detail"] != first.1[1]["call"]["failure"]["detail"]);
    assert_eq!(through(&file, &config, &[]).1, first.1);
}

#[test]
fn each_message_comes_out_is_filtered_or_fails_and_is_counted_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(directory.path(), [vec![1], vec![7, 1], vec![2], vec![7, 2]]);
    let plugins =
        [("trap", fixtures::trapping_on(7)), ("none", fixtures::filtering()), ("three", fixtures::repeating(3))];
    let flows: &[(&str, &[&str], &str)] = &[
        ("f", &["trap", "three"], ""),
        ("stop", &["trap"], "on_error = 'stop'"),
        ("drop", &["trap"], "on_error = 'drop'"),
        ("pass", &["trap", "three"], "on_error = 'pass'"),
        ("filter", &["none"], ""),
    ];
    let config = configured(directory.path(), &plugins, flows);
    let named = |name: &str| through(&file, &config, &["--flow=f", "--name", name]);
    let (code, out, summary, stderr) = named("f");
    assert_eq!((code, counts(&summary), &summary["messages"]), (1, [Some(4), Some(2), Some(0)], &6.into()), "{stderr}");
    assert_eq!(summary["dropped"], json!({"trapped": 2}));
    let failures: Vec<_> = out.iter().filter(|record| record.get("call").is_some()).collect();
    assert_eq!((out.len(), failures.len()), (8, 2));
    assert_eq!(
        (&failures[0]["call"]["plugin"], &failures[0]["call"]["failure"]["reason"]),
        (&"trap".into(), &"trapped".into())
    );
    assert_eq!(failures[1]["frames"], json!(["\u{7}\u{2}"]));
    assert_eq!(out[3]["call"], failures[0]["call"], "in the order in which they went in");
    for name in ["stop", "drop"] {
        let (code, out, summary, _) = named(name);
        assert_eq!((code, out.len(), counts(&summary)), (1, 4, [Some(4), Some(2), Some(0)]), "{name}");
    }
    let (code, out, summary, _) = named("pass");
    assert_eq!((code, counts(&summary), &summary["passed_by"]), (0, [Some(4), Some(4), Some(0)], &2.into()));
    assert_eq!((out.len(), &summary["messages"]), (14, &12.into()));
    let (code, out, summary, _) = named("filter");
    assert_eq!((code, out.len(), counts(&summary)), (0, 0, [Some(4), Some(0), Some(4)]));
}

#[test]
fn dead_letters_go_through_like_captures() {
    let host = Setup::new().plugin("trap", &fixtures::trapping()).config("[rollback]\nfailures = 0").start();
    for body in ["one", "two"] {
        assert_eq!(host.post("/trap/", body.as_bytes()).status, 502);
    }
    wait_for_letters(&host, 2);
    let file = host.directory.path().join("dead-letters.jsonl");
    let directory = tempfile::tempdir().unwrap();
    let config = configured(directory.path(), &[("upcase", bytes("upcase"))], &[("mended", &["upcase"], "")]);
    let (code, out, summary, stderr) = through(&file, &config, &["--reason=trapped", "--plugin=trap", "--route=trap"]);
    assert_eq!((code, counts(&summary)), (0, [Some(2), Some(2), Some(0)]), "{stderr}");
    assert_eq!(out[1]["frames"], json!(["upper case of two is TWO"]));
    let (code, _, summary, stderr) = through(&file, &config, &[]);
    assert!(code == 1 && stderr.contains("has no message that was to be sent"), "{summary} {stderr}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_cannot_be_read_or_run_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(directory.path(), (0..200_u8).map(|number| vec![number; 9_000]));
    let flows: &[(&str, &[&str], &str)] = &[("f", &[], ""), ("g", &[], ""), ("gone", &["nowhere"], "")];
    let config = configured(directory.path(), &[], flows);
    let (code, _, summary, _) = through(&file, &config, &["--name=f"]);
    assert_eq!((code, counts(&summary)), (0, [Some(200), Some(200), Some(0)]));
    let refused = |file: &Path, arguments: &[&str], words: &str| {
        let (code, out, _, stderr) = through(file, &config, arguments);
        assert!(code == 1 && out.is_empty() && stderr.contains(words), "{arguments:?}: {code} {stderr}");
    };
    refused(&file, &["--name=clena"], "is named `clena`: there are `f`, `g`, `gone`");
    refused(&file, &[], "has several flows: name one with --name: `f`, `g`, `gone`");
    refused(&file, &["--name=gone"], "there is no component for the plugin nowhere");
    let other = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    refused(&other("empty", b""), &["--name=f"], "is empty");
    refused(&other("other", b"neither"), &["--name=f"], "is neither a capture nor a file of dead letters");
    refused(&directory.path().join("none"), &["--name=f"], "reading ");
    let whole = std::fs::read(&file).unwrap();
    let (_, out, summary, stderr) = through(&other("cut", &whole[..whole.len() / 2]), &config, &["--name=f"]);
    assert!(
        stderr.contains("bytes are cut off") && counts(&summary)[0] == Some(out.len() as u64),
        "{summary} {stderr}"
    );
    for arguments in [&["--push=tcp://127.0.0.1:1"][..], &["--bind"], &["--token-file=x"]] {
        assert_eq!(through(&file, &config, arguments).0, 2, "{arguments:?}");
    }
}
