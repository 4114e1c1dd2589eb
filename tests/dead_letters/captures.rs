//! Captures and dead letters are one thing to read: what failed in a capture is listed, shown and tried again as letters are, and
//! letters are printed and chosen as captures are.

use super::{FILE, any_bytes, dead_letters, json, wait_for_letters};
use crate::fixtures;
use crate::flows::unconnected;
use crate::harness::{Host, Process, Setup, component, tidegate, wait_for};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const FLOWS: &str = "\
[rollback]
failures = 0
[sockets.jobs]
type = 'pull'
bind = ['tcp://127.0.0.1:*']
[flows.two]
from = ['jobs']
through = ['same', 'trap']
to = ['publish']
";

/// A host that has captured what it failed at too: a message of a route, and one of a flow in its second stage.
fn recorded() -> (Host, PathBuf, Vec<Value>) {
    let same = fixtures::trapping_on(7);
    let host = Setup::new().plugin("trap", &fixtures::trapping_on(255)).plugin("same", &same).config(FLOWS).start();
    let started: Value = serde_json::from_str(&host.output("capture", &["start", "--json"])).unwrap();
    let (id, file) = (started["id"].as_str().unwrap(), started["file"].as_str().unwrap());
    assert_eq!(host.post("/trap/", b"well").status, 200);
    assert_eq!(host.post("/trap/", &any_bytes()).status, 502);
    let jobs = unconnected(zmq::PUSH);
    jobs.connect(host.surface("jobs")).unwrap();
    jobs.send_multipart([&b"topic"[..], b"\xffbody"], 0).unwrap();
    let letters = wait_for_letters(&host, 2);
    wait_for("the records", || (host.admin("/captures").json()[0]["records"] == 4).then_some(()));
    host.output("capture", &["stop", id]);
    let file = host.directory.path().join(file);
    (host, file, letters)
}

fn listed(directory: &Path, file: &str, flags: &[&str]) -> Vec<Value> {
    let (code, process) = dead_letters(directory, &[&["list", "--json", "--file", file], flags].concat());
    assert_eq!(code, 0, "{}", process.stderr());
    json(&process).as_array().unwrap().clone()
}

fn cat(directory: &Path, arguments: &[&str]) -> Vec<Value> {
    let mut process =
        Process::start(tidegate().current_dir(directory).args(["capture", "cat", "--json"]).args(arguments));
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
    process.stdout().lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}

#[test]
fn what_failed_in_a_capture_is_a_list_of_letters() {
    let (host, file, letters) = recorded();
    let (directory, file) = (host.directory.path(), file.to_str().unwrap());
    let traits = |row: &Value| ["hop", "route", "reason", "plugin", "generation"].map(|key| row[key].clone());
    let rows = listed(directory, file, &[]);
    assert_eq!(rows.iter().map(traits).collect::<Vec<_>>(), letters.iter().map(traits).collect::<Vec<_>>());
    let [of_route, of_flow] = [0, 1].map(|at| rows[at]["id"].as_str().unwrap());
    // A message of a socket is no request, and has a name once there is a letter.
    assert_eq!(of_route, letters[0]["id"].as_str().unwrap());
    assert!(of_flow.starts_with("call-"), "{of_flow}");
    for (flags, expected) in [
        (&["--route=trap"][..], vec![of_route]),
        (&["--route=flows.two"], vec![of_flow]),
        (&["--flow=two", "--plugin=trap"], vec![of_flow]),
        (&["--topic=none"], vec![]),
        (&["--reason=failed"], vec![]),
        (&["--since=2h", "--limit=1"], vec![of_route]),
        (&["--until=2h"], vec![]),
    ] {
        let ids = |file: &str| listed(directory, file, flags);
        let found: Vec<_> = ids(file).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(found, expected, "{flags:?}");
        assert_eq!(ids(FILE).len(), expected.len(), "{flags:?} of the letters");
        let by_host: Vec<_> =
            [&["list", "--json", "--admin", host.surface("admin").trim_start_matches("http://")], flags].concat();
        let (code, process) = dead_letters(directory, &by_host);
        assert_eq!((code, json(&process).as_array().map(Vec::len)), (0, Some(expected.len())), "{flags:?} of the host");
    }
    let (code, process) = dead_letters(directory, &["show", of_route, "--raw", "--file", file]);
    assert_eq!((code, process.stdout().len() > 128), (0, true), "all of its bytes");
    let (_, process) = dead_letters(directory, &["show", "--flow=two", "--file", file]);
    assert!(process.stdout().contains("route: flows.two\nreason: trapped\n"), "{}", process.stdout());
    // It came in with a topic, and `same` returns none.
    assert_eq!(
        (listed(directory, FILE, &["--topic=top"]).len(), listed(directory, file, &["--topic=top"]).len()),
        (1, 0)
    );
    let (code, process) = dead_letters(directory, &["list", "--dealt-with", "--file", file]);
    assert!(code == 1 && process.stderr().contains("is a capture, in which nothing is marked as dealt with"));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_call_that_failed_in_a_capture_is_made_again_in_whichever_stage_it_was() {
    let (host, file, letters) = recorded();
    let (directory, trap) = (host.directory.path(), host.plugin_path("trap"));
    let (file, trap) = (file.to_str().unwrap(), trap.to_str().unwrap());
    for row in listed(directory, file, &[]) {
        let id = row["id"].as_str().unwrap();
        let (code, process) = dead_letters(directory, &["replay", id, "--json", "--component", trap, "--file", file]);
        assert_eq!((code, &json(&process)["reason"]), (1, &"trapped".into()), "{}", process.stderr());
        let upcase = component("upcase");
        let with = ["replay", id, "--component", upcase.to_str().unwrap(), "--file", file];
        let (_, process) = dead_letters(directory, &with);
        assert!(process.stderr().contains("another component, which draws another chance"), "{}", process.stderr());
    }
    // The letter has what went into the first.
    let id = letters[1]["id"].as_str().unwrap();
    let (code, process) = dead_letters(directory, &["replay", id, "--component", trap]);
    assert!(code == 1 && process.stderr().contains("what went into several plugins"), "{}", process.stderr());
    for which in ["--all", "call-1"] {
        let (code, process) = dead_letters(directory, &["replay", which, "--send", "--file", file]);
        let told = format!("`tidegate replay {file} --failed`");
        assert!(code == 1 && process.stderr().contains(&told), "{}", process.stderr());
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn letters_are_printed_as_records_and_both_are_sent_by_the_same_choice() {
    let (host, file, letters) = recorded();
    let (directory, file) = (host.directory.path(), file.to_str().unwrap());
    let records = cat(directory, &[FILE]);
    let [of_route, of_flow] = &records[..] else { panic!("{records:?}") };
    assert_eq!((&of_route["kind"], &of_route["name"]), (&"route".into(), &"trap".into()));
    assert_eq!((&of_flow["kind"], &of_flow["name"]), (&"flow".into(), &"two".into()));
    assert_eq!(of_route["letter"]["id"], letters[0]["id"]);
    assert_eq!(of_route["letter"]["seed"], letters[0]["seed"]);
    assert!(of_flow["letter"]["met"].as_str().unwrap().starts_with("same@1"), "{of_flow}");
    let captured = cat(directory, &[file, "--failed"]);
    for (letter, record) in records.iter().zip(&captured) {
        for key in ["plugin", "generation", "digest", "failure"] {
            assert_eq!(letter["call"][key], record["call"][key], "{letter} {record}");
        }
    }
    assert_eq!(of_route["frames_base64"], captured[0]["frames_base64"]);
    assert!(of_route["call"].get("stage").is_none() && captured[1]["call"]["stage"] == 1);
    let mut process = Process::start(tidegate().current_dir(directory).args(["capture", "cat", "--flow=two", FILE]));
    assert_eq!(process.wait().code(), Some(0));
    let text = process.stdout();
    assert!(text.starts_with("\nflow: two at ") && text.contains("\nhop: transform\nmet: same@1"), "{text}");
    assert!(text.contains("called: trap, generation 1, call ") && !text.contains("µs"), "{text}");
    assert_eq!(cat(directory, &[FILE, "--limit=1"]).len(), 1);
    assert_eq!(cat(directory, &[file, "--until=2h"]).len(), 0);
    assert_eq!(cat(directory, &[file, "--since=2h", "--flow=two", "--route=trap"]).len(), 4);

    let receiver = unconnected(zmq::PULL);
    receiver.bind("tcp://127.0.0.1:*").unwrap();
    let push = format!("--push={}", receiver.get_last_endpoint().unwrap().unwrap());
    let replay = |file: &str, flags: &[&str]| {
        let mut process = Process::start(
            tidegate().current_dir(directory).args(["replay", file, "--json", "--rate=1000", &push]).args(flags),
        );
        (process.wait().code().unwrap(), json(&process))
    };
    for file in [FILE, file] {
        let (code, summary) = replay(file, &["--reason=trapped", "--plugin=trap", "--since=2h", "--route=trap"]);
        assert_eq!((code, &summary["sent"], &summary["skipped"]), (0, &1.into(), &json!({})), "{file}");
        assert_eq!(receiver.recv_multipart(0).unwrap(), [any_bytes()]);
    }
    // Only the letter has what came into the flow.
    assert_eq!(replay(FILE, &["--failed"]).1["sent"], 2);
    let (code, summary) = replay(file, &["--failed"]);
    assert_eq!((code, &summary["sent"]), (1, &1.into()));
    assert_eq!(summary["skipped"], json!({"of later stages of a chain, chosen without what came in": 1}));
    assert_eq!(host.stop(), 0);
}
