//! Dead letters of processors: their calls are made again, offline and through a host, whatever frames they have.

use super::{host, subscriber};
use crate::fixtures;
use crate::harness::{Process, Setup, tidegate, wait_for};
use serde_json::{Value, json};
use std::path::Path;

const FILE: &str = "dead-letters.jsonl";

/// A letter of a message of two frames, of which the first is no text, as no topic of a transform is.
fn letter(id: &str, last: &str) -> String {
    use base64::Engine;
    let last = base64::prelude::BASE64_STANDARD.encode(last);
    let metadata = json!([["tidegate.request-id", id], ["k", "v"]]);
    let letter = json!({
        "id": id, "time": "2026-01-02T03:04:05.678Z", "hop": "processor", "route": "p", "reason": "trapped",
        "error": "the plugin trapped", "seed": {"value": 7, "fixed": true}, "number": 3,
        "frames": {"metadata": metadata, "frames_base64": ["/w==", last]},
    });
    format!("{letter}\n")
}

fn dead_letters(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut process = Process::start(tidegate().current_dir(directory).arg("dead-letters").args(arguments));
    (process.wait().code(), process.stdout(), process.stderr())
}

#[test]
fn a_letter_of_any_frames_is_shown_and_replayed_offline_and_through_a_host() {
    let setup = Setup::new().plugin("p", &fixtures::processor());
    let path = setup.path().to_owned();
    std::fs::write(path.join(FILE), letter("split", "split:a,b") + &letter("broken", "no-frames")).unwrap();
    let component = path.join("component.wasm");
    std::fs::write(&component, fixtures::processor()).unwrap();
    let component = component.display().to_string();

    let (_, shown, stderr) = dead_letters(&path, &["show", "split"]);
    let contents = "hop: processor\n";
    assert!(
        shown.contains(contents) && shown.ends_with("metadata: k=v\nframe 0 (base64): /w==\nframe 1: split:a,b\n"),
        "{shown}{stderr}"
    );
    let (code, replayed, stderr) = dead_letters(&path, &["replay", "split", "--component", &component]);
    let frames = |index: usize, last: &str| format!("message {index}:\nframe 0 (base64): /w==\nframe 1: {last}\n");
    let told = format!("messages: 2\n{}{}", frames(0, "a"), frames(1, "b"));
    assert!(code == Some(0) && replayed.ends_with(&told), "{replayed}{stderr}");
    let (code, replayed, stderr) = dead_letters(&path, &["replay", "broken", "--component", &component]);
    assert!(code == Some(1) && replayed.contains("message 1 has no frames"), "{replayed}{stderr}");

    let host = setup.start();
    let socket = subscriber(&host);
    // HTTP has no such message.
    let (code, _, stderr) = dead_letters(&path, &["replay", "split", "--send"]);
    assert!(
        code == Some(1) && stderr.contains("HTTP has no message of its 2 frames") && stderr.contains("--admin"),
        "{stderr}"
    );
    let admin = host.surface("admin").trim_start_matches("http://");
    let (code, replayed, stderr) = dead_letters(&path, &["replay", "split", "--admin", admin, "--json"]);
    let replayed: Value = serde_json::from_str(&replayed).unwrap_or_else(|_| panic!("{replayed}{stderr}"));
    assert_eq!((code, &replayed["role"]), (Some(0), &json!("processor")));
    for last in ["a", "b"] {
        assert_eq!(socket.recv_multipart(0).unwrap(), [&b"\xff"[..], last.as_bytes()]);
    }
    let (code, _, _) = dead_letters(&path, &["replay", "broken", "--admin", admin]);
    assert_eq!(code, Some(1));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_call_by_http_that_broke_down_leaves_a_letter_that_is_replayed() {
    let host = host();
    assert_eq!(host.post("/p/?k=v", b"no-frames").status, 502);
    let file = host.directory.path().join(FILE);
    let written = || std::fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n'));
    let line: Value = serde_json::from_str(wait_for("the letter", written).trim()).unwrap();
    let told = ["hop", "reason", "error"].map(|key| line[key].as_str().unwrap().to_owned());
    assert_eq!(told, ["transform", "no-frames", "message 1 has no frames"]);
    assert_eq!(line["message"]["body_base64"], "bm8tZnJhbWVz");
    let id = line["id"].as_str().unwrap();
    let admin = host.surface("admin").trim_start_matches("http://");
    for how in [&["--component", host.plugin_path("p").to_str().unwrap()][..], &["--admin", admin]] {
        let arguments = [&["replay", id][..], how].concat();
        let (code, stdout, stderr) = dead_letters(host.directory.path(), &arguments);
        assert!(code == Some(1) && (stdout + &stderr).contains("message 1 has no frames"), "{how:?}");
    }
    assert_eq!(host.stop(), 0);
}
