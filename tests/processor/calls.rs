//! Calls to try a processor: of a component's file, and of a plugin of a running host.

use super::host;
use crate::fixtures;
use crate::harness::{Process, component, tidegate};
use serde_json::{Value, json};

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut process = Process::start(tidegate().args(["plugin", "call"]).args(arguments));
    (process.wait().code(), process.stdout(), process.stderr())
}

#[test]
fn a_file_is_called_with_frames_a_topic_and_metadata() {
    let directory = tempfile::tempdir().unwrap();
    let [file, frame] = ["p.wasm", "frame"].map(|name| directory.path().join(name).display().to_string());
    std::fs::write(&file, fixtures::processor()).unwrap();
    std::fs::write(&frame, "split:1,2").unwrap();
    let call = |arguments: &[&str]| run(&[&[file.as_str()], arguments].concat());
    let answers = |arguments: &[&str], stdout: &str| {
        let (code, found, stderr) = call(arguments);
        assert_eq!((code, found.as_str()), (Some(0), stdout), "{stderr}");
        stderr
    };
    // One body alone is on stdout as it is.
    answers(&["map:abc"], "ABC");
    assert!(answers(&["map:abc", "--topic", "weather"], "ABC").contains("topic: weather\n"));
    assert!(answers(&["filter"], "").contains("filtered: there is no message"));
    let parts =
        "messages: 2\nmessage 0:\nframe 0: a\nframe 1: b\nframe 2: 1\nmessage 1:\nframe 0: a\nframe 1: b\nframe 2: 2\n";
    let frames = ["--role", "processor", "--frame", "a", "--frame", "b", "--frame-file", &frame];
    answers(&frames, parts);
    answers(&["--role", "transform", frames[2], "a", "--frame", "b", "--frame", "split:1,2"], parts);
    let (_, stdout, _) = call(&["metadata", "--metadata", "k=v", "--param", "a=b"]);
    let told =
        "metadata: k=v\nmetadata: query.a=b\nframe 0: tidegate.request-id=call-1\nframe 1: k=v\nframe 2: query.a=b\n";
    assert!(stdout.ends_with(told), "{stdout}");
    // It has both roles, and frames are for the policy unless the role is named.
    answers(&["--frame", "split:1,2"], "replies: 2\ndelay_ms: 0\nframe 0: 1\ndelay_ms: 10\nframe 0: 2\n");
    let (code, stdout, _) = call(&["split:1,2", "--json"]);
    let found: Value = serde_json::from_str(&stdout).unwrap();
    let messages = json!([{"metadata": [], "frames_base64": ["MQ=="]}, {"metadata": [], "frames_base64": ["Mg=="]}]);
    assert_eq!((code, &found["messages"]), (Some(0), &messages));
    let (code, _, stderr) = call(&["no-frames"]);
    assert!(code == Some(1) && stderr.contains("message 1 has no frames"), "{stderr}");
    for wrong in [&["a", "--frame", "b"][..], &["--topic", "t", "--frame", "b"], &["--param", "a=b", "--frame", "b"]] {
        assert_eq!(call(wrong).0, Some(2), "{wrong:?}");
    }
}

#[test]
fn a_transform_takes_one_frame_or_two_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("p.wasm").display().to_string();
    std::fs::write(&file, fixtures::first_contract()).unwrap();
    let (code, stdout, stderr) = run(&[&file, "--frame", "topic", "--frame", "aB"]);
    assert_eq!((code, stdout.as_str()), (Some(0), "lower case of aB is ab"), "{stderr}");
    let (code, _, stderr) = run(&[&file, "--frame", "a", "--frame", "b", "--frame", "c"]);
    let refusal = "rejected the input: a transform takes a body, and a topic of UTF-8 before it or none, which the 3 frames are not";
    assert!(code == Some(1) && stderr.contains(refusal), "{stderr}");
}

#[test]
fn a_running_host_is_asked_with_frames() {
    let host = host();
    let call = |body: Value| host.admin_request("POST", "/plugins/p/call", Some(body.to_string().as_bytes()));
    let answer = call(json!({"message": {"frames": ["t", "split:a,b"], "metadata": [["k", "v"]]}})).json();
    assert_eq!(answer["role"], "processor", "{answer}");
    let messages = json!([{"metadata": [], "frames": ["t", "a"]}, {"metadata": [], "frames": ["t", "b"]}]);
    assert_eq!(answer["messages"], messages);
    // `YQ==` is `a`, and `/w==` is no text.
    let bytes = call(json!({"role": "processor", "message": {"frames_base64": ["YQ==", "/w=="]}})).json();
    assert_eq!(bytes["messages"][0]["frames_base64"], json!(["YQ==", "/w=="]));
    let with_topic = call(json!({"role": "transform", "message": {"topic": "t", "body": "map:a"}})).json();
    assert_eq!(with_topic["messages"], json!([{"metadata": [], "frames": ["t", "A"]}]));
    assert_eq!(call(json!({"message": {"body": "filter"}})).json()["messages"], json!([]));
    let replies = call(json!({"request": {"frames": ["metadata"], "metadata": [["k", "v"]]}})).json();
    let pair = &replies["replies"][0]["metadata"][1];
    assert_eq!((pair, &replies["replies"][0]["frames"][1]), (&json!(["k", "v"]), &json!("k=v")), "{replies}");
    for (message, why) in [
        (json!({"frames": ["a"], "body": "b"}), "either frames, or a body"),
        (json!({"frames": ["a"], "topic": "b"}), "either frames, or a body"),
        (json!({"frames": []}), "at least one"),
        (json!({"frames": ["a"], "frames_base64": ["YQ=="]}), "either frames or frames_base64"),
        (json!({"frames_base64": ["?"]}), "no base64"),
    ] {
        let answer = call(json!({"message": message}));
        assert!(answer.status == 400 && answer.text().contains(why), "{message}: {}", answer.text());
    }
    // Nothing of it was published.
    assert_eq!(host.ledger()["hops"]["publish"]["in"], 0);

    let admin = host.surface("admin").trim_start_matches("http://");
    let (code, stdout, stderr) =
        run(&["p", "--role", "processor", "--frame", "t", "--frame", "split:a,b", "--admin", admin]);
    let told = "messages: 2\nmessage 0:\nframe 0: t\nframe 1: a\nmessage 1:\nframe 0: t\nframe 1: b\n";
    assert!(code == Some(0) && stdout.ends_with(told), "{stdout}{stderr}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_role_that_a_component_lacks_is_named() {
    let echo = component("echo").display().to_string();
    let (code, _, stderr) = run(&[&echo, "a", "--topic", "t"]);
    assert!(code == Some(1) && stderr.contains("has no processor role"), "{stderr}");
}
