//! `tidegate replay` sends again what came in from outside, as it was, at its pace, and loses nothing in silence.

mod through;

use crate::flows::unconnected;
use crate::harness::{Host, PATIENCE, Process, Setup, tidegate, wait_for};
use serde_json::{Value, json};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidegate::record::capture::record::{Call, CallRole, Record};
use tidegate::record::capture::{About, CaptureWriter, Channel, PlaceKind};

const FLOWS: &str = "\
[sockets.jobs]
type = 'pull'
bind = ['tcp://127.0.0.1:*']
[sockets.ticks]
type = 'sub'
bind = ['tcp://127.0.0.1:*']
[flows.clean]
from = ['jobs']
through = ['downcase', 'upcase']
to = ['publish']
[flows.bare]
from = ['ticks']
to = ['publish']
";

fn host() -> Host {
    Setup::new().committed("downcase").committed("upcase").config(FLOWS).start()
}

/// How a replay ended: its exit code, its summary and its stderr.
type Ended = (i32, Value, String);

#[track_caller]
fn replay(file: &Path, arguments: &[&str]) -> Ended {
    ended(Process::start(tidegate().arg("replay").arg(file).arg("--json").args(arguments)))
}

#[track_caller]
fn ended(mut process: Process) -> Ended {
    let code = process.wait().code().expect("an exit code");
    let summary = serde_json::from_str(&process.stdout()).unwrap_or(Value::Null);
    (code, summary, process.stderr())
}

/// Captures what goes through a host while `traffic` runs, which makes so many records. Sockets that it returns are kept until
/// they are there: what they have not sent yet would go with them.
#[track_caller]
fn captured<T>(host: &Host, records: u64, traffic: impl FnOnce() -> T) -> PathBuf {
    let capture = |arguments: &[&str]| {
        let (code, stdout, stderr) = host.run("capture", &[arguments, &["--json"]].concat());
        assert_eq!(code, 0, "{stderr}");
        serde_json::from_str::<Value>(&stdout).unwrap()
    };
    let started = capture(&["start"]);
    let id = started["id"].as_str().unwrap();
    let _kept = traffic();
    wait_for("the records", || {
        let all = host.admin("/captures").json();
        let found = all.as_array().unwrap().iter().find(|capture| capture["id"] == id)?.clone();
        (found["records"].as_u64() >= Some(records)).then_some(())
    });
    assert_eq!(capture(&["stop", id])["records"], records);
    host.directory.path().join(started["file"].as_str().unwrap())
}

/// The frames of the records of a file, in base64 where they are no text; sorted, since records are in the order in which calls
/// end.
fn frames(file: &Path, arguments: &[&str]) -> Vec<Value> {
    let mut process = Process::start(tidegate().args(["capture", "cat", "--json"]).arg(file).args(arguments));
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
    let record = |line: &str| serde_json::from_str::<Value>(line).expect("a record");
    let frames = |record: Value| record.get("frames").or(record.get("frames_base64")).expect("frames").clone();
    let mut all: Vec<_> = process.stdout().lines().map(|line| frames(record(line))).collect();
    all.sort_by_key(Value::to_string);
    all
}

/// A capture of messages of a flow, a millisecond from one to the next.
fn written(directory: &Path, bodies: impl IntoIterator<Item = Vec<u8>>) -> PathBuf {
    let path = directory.join("written.mcap");
    let mut writer =
        CaptureWriter::new(File::create(&path).unwrap(), &About::default(), Arc::default(), 1 << 30).unwrap();
    let channel = Channel { kind: PlaceKind::Flow, name: "f".to_owned(), topic: None };
    for (number, body) in (1..).zip(bodies) {
        let record = Record { frames: vec![body.into()], metadata: Vec::new(), call: None };
        writer.write(&channel, number * 1_000_000, &record).unwrap();
        // What a later stage was called with is none of what came in.
        let call = Call { plugin: "p".to_owned(), stage: 1, role: CallRole::Processor.into(), ..Call::default() };
        writer.write(&channel, number * 1_000_000, &Record { call: Some(call), ..record }).unwrap();
    }
    writer.finish().unwrap();
    path
}

/// A receiver that is bound.
fn receiver() -> (zmq::Socket, String) {
    let receiver = unconnected(zmq::PULL);
    receiver.bind("tcp://127.0.0.1:*").unwrap();
    let endpoint = receiver.get_last_endpoint().unwrap().unwrap();
    (receiver, endpoint)
}

#[test]
fn what_came_into_flows_comes_in_again_frame_by_frame() {
    let host = host();
    let first = captured(&host, 6, || {
        let jobs = unconnected(zmq::PUSH);
        jobs.connect(host.surface("jobs")).unwrap();
        for body in ["HeLLo", "Again"] {
            jobs.send_multipart(["topic", body], 0).unwrap();
        }
        let ticks = unconnected(zmq::XPUB);
        ticks.connect(host.surface("ticks")).unwrap();
        ticks.recv_bytes(0).unwrap();
        ticks.send_multipart([&b"a"[..], b"", b"\xff\0", b"d"], 0).unwrap();
        ticks.send_multipart(["alone"], 0).unwrap();
        (jobs, ticks)
    });
    let second = captured(&host, 6, || {
        let push = format!("--push={}", host.surface("jobs"));
        let (code, summary, stderr) = replay(&first, &["--flow=clean", "--speed=10", &push]);
        assert_eq!((code, &summary["sent"]), (0, &2.into()), "{summary} {stderr}");
        assert_eq!(summary["skipped"], json!({"of later stages of a chain": 2}));
        let publish = format!("--publish={}", host.surface("ticks"));
        let (code, summary, stderr) = replay(&first, &["--flow=bare", "--connect", "--rate=100", &publish]);
        assert_eq!((code, &summary["sent"], &summary["unheard"]), (0, &2.into(), &0.into()), "{summary} {stderr}");
    });
    for flow in ["--flow=clean", "--flow=bare"] {
        assert_eq!(frames(&first, &[flow]), frames(&second, &[flow]));
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_came_to_routes_is_posted_to_them_again_and_answers_are_counted() {
    let host = host();
    let first = captured(&host, 3, || {
        assert_eq!(host.get("/downcase/?param=HeLLo&other=a%20b").status, 200);
        assert_eq!(host.post("/downcase/", b"").status, 200);
        assert_eq!(host.post("/upcase/", b"up").status, 200);
    });
    let http = format!("--http={}", host.surface("http"));
    let second = captured(&host, 3, || {
        let (code, summary, stderr) = replay(&first, &["--rate=1000", &http]);
        assert_eq!((code, &summary["statuses"]), (0, &json!({"200": 3})), "{summary} {stderr}");
    });
    for route in ["--route=downcase", "--route=upcase"] {
        assert_eq!(frames(&first, &[route]), frames(&second, &[route]));
    }
    let mut shown = Process::start(tidegate().args(["capture", "cat"]).arg(&second));
    shown.wait();
    assert!(shown.stdout().contains("query.other=a b"), "{}", shown.stdout());
    // All to one route, of which some do not exist.
    let nowhere = format!("{http}/nowhere/");
    let (code, summary, stderr) = replay(&first, &["--rate=1000", "--limit=2", &nowhere]);
    assert_eq!((code, &summary["failed"], &summary["statuses"]), (1, &2.into(), &json!({"404": 2})), "{stderr}");
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().join("kept.mcap");
    std::fs::copy(&first, &kept).unwrap();
    assert_eq!(host.stop(), 0);
    let (code, summary, stderr) = replay(&kept, &[&http]);
    assert!(code == 1 && stderr.contains("no host answers at "), "{summary} {stderr}");
    let written = written(directory.path(), [b"of a flow".to_vec()]);
    let (code, summary, _) = replay(&written, &[&http]);
    assert_eq!((code, &summary["skipped"]["of flows, to which no URL leads: give one with a path"]), (1, &1.into()));
}

#[test]
fn dead_letters_are_sent_like_captures() {
    let directory = tempfile::tempdir().unwrap();
    let letter = |number: u64, route: &str, input: Value| {
        let mut letter = json!({
            "id": number.to_string(), "time": format!("2026-11-29T17:15:02.00{number}Z"), "hop": "processor",
            "route": route, "reason": "trapped", "error": "", "seed": {"value": 7, "fixed": true}, "number": number,
        });
        letter.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
        format!("{letter}\n")
    };
    let file = directory.path().join("letters");
    let lines = [
        letter(1, "p", json!({"message": {"topic": "t", "metadata": [], "body_base64": "YQ=="}})),
        letter(2, "flows.f", json!({"frames": {"metadata": [], "frames_base64": ["", "/w==", ""]}})),
        letter(3, "q", json!({"reply": {"identity_base64": "YQ==", "frames_base64": []}})),
        "{\"id\": \n".to_owned(),
    ];
    std::fs::write(&file, lines.concat()).unwrap();
    let (receiver, endpoint) = receiver();
    let push = format!("--push={endpoint}");
    let (code, summary, stderr) = replay(&file, &[&push]);
    assert_eq!((code, &summary["sent"]), (1, &2.into()), "{summary} {stderr}");
    assert_eq!(summary["skipped"], json!({"that cannot be read": 1, "to clients of the frontend": 1}));
    assert_eq!(receiver.recv_multipart(0).unwrap(), [&b"t"[..], b"a"]);
    assert_eq!(receiver.recv_multipart(0).unwrap(), [&b""[..], b"\xff", b""]);
    std::fs::write(&file, lines[..3].concat()).unwrap();
    let (code, summary, stderr) = replay(&file, &["--flow=f", &push]);
    assert_eq!((code, &summary["sent"], &summary["skipped"]), (0, &1.into(), &json!({})), "{stderr}");
}

#[test]
fn subscribers_are_waited_for_and_told_apart_by_what_they_want() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(directory.path(), (0..100_u8).map(|number| vec![number]));
    let arguments = ["--publish=tcp://127.0.0.1:*", "--json"];
    let process = Process::start(tidegate().arg("replay").arg(&file).args(arguments));
    process.wait_for_log("waiting for a subscriber at tcp://127.0.0.1:");
    let endpoint = process.stderr().trim().rsplit(' ').next().unwrap().to_owned();
    let subscriber = zmq::Context::new().socket(zmq::SUB).unwrap();
    subscriber.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    subscriber.set_subscribe(&[7]).unwrap();
    subscriber.connect(&endpoint).unwrap();
    assert_eq!(subscriber.recv_bytes(0).unwrap(), [7]);
    let (code, summary, stderr) = ended(process);
    assert_eq!((code, &summary["sent"], &summary["unheard"]), (0, &1.into(), &99.into()), "{stderr}");
    // Its first message is due at once, and its last one after 99 ms.
    let (took, behind) = (summary["took_ms"].as_u64().unwrap(), summary["behind_ms"].as_u64().unwrap());
    assert!((99..=99 + behind + 12).contains(&took), "{summary}");
}

#[test]
fn a_rate_is_held_and_what_is_late_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(directory.path(), (0..200_u8).map(|number| vec![number]));
    let (receiver, endpoint) = receiver();
    let (code, summary, stderr) = replay(&file, &["--rate=1000", &format!("--push={endpoint}")]);
    assert_eq!((code, &summary["sent"]), (0, &200.into()), "{stderr}");
    let (took, behind) = (summary["took_ms"].as_u64().unwrap(), summary["behind_ms"].as_u64().unwrap());
    assert!((199..=199 + behind + 12).contains(&took), "{summary}");
    assert!((0..200_u8).all(|number| receiver.recv_bytes(0).unwrap() == [number]));
}

#[test]
fn a_file_that_is_cut_off_is_sent_as_far_as_it_goes() {
    let directory = tempfile::tempdir().unwrap();
    // Bytes that do not compress fill several chunks.
    let mut state = 1_u64;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let file = written(directory.path(), (0..600).map(|_| (0..4_096).map(|_| noise()).collect()));
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() * 2 / 3]).unwrap();
    // Each has a record of a later stage behind it, which may be in the chunk that is cut off.
    let there = (frames(&file, &[]).len() as u64).div_ceil(2);
    assert!((1..600).contains(&there), "{there}");
    let (receiver, endpoint) = receiver();
    let reading = std::thread::spawn(move || (0..there).all(|_| receiver.recv_bytes(0).is_ok()));
    let (code, summary, stderr) = replay(&file, &["--rate=100000", &format!("--push={endpoint}")]);
    assert_eq!((code, summary["sent"].as_u64()), (0, Some(there)), "{stderr}");
    assert!(stderr.contains("bytes are cut off"), "{stderr}");
    assert!(reading.join().unwrap());
    std::fs::write(&file, "neither").unwrap();
    let (code, _, stderr) = replay(&file, &["--push=tcp://127.0.0.1:1"]);
    assert!(code == 1 && stderr.contains("is neither a capture nor a file of dead letters"), "{stderr}");
}

#[test]
fn a_receiver_that_never_reads_ends_a_replay_with_its_summary() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(directory.path(), (0..3_000).map(|_| vec![0; 16 << 10]));
    let receiver = unconnected(zmq::PULL);
    receiver.set_rcvhwm(1).unwrap();
    receiver.bind("tcp://127.0.0.1:*").unwrap();
    let push = format!("--push={}", receiver.get_last_endpoint().unwrap().unwrap());
    let (code, summary, stderr) = replay(&file, &["--rate=1000000", "--timeout=300ms", &push]);
    assert!(code == 1 && summary["sent"].as_u64() < Some(3_000), "{summary}");
    let why = summary["stopped"].as_str().unwrap();
    assert!(why.contains("has taken nothing for 300ms; within 300ms not all that was sent has reached"), "{why}");
    assert!(stderr.contains("ended early: "), "{stderr}");

    let process = Process::start(tidegate().arg("replay").arg(&file).args(["--rate=1000000", "--json", &push]));
    process.wait_for_log("waiting for room");
    process.signal("INT");
    let (code, summary, _) = ended(process);
    let why = summary["stopped"].as_str().unwrap();
    assert!(code == 1 && why.starts_with("interrupted; within 1s not all"), "{summary}");
}

#[test]
fn a_replay_without_a_receiver_or_a_sense_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(directory.path(), [b"a".to_vec()]);
    let (code, summary, stderr) = replay(&file, &["--push=tcp://127.0.0.1:1", "--timeout=100ms"]);
    assert!(code == 1 && stderr.contains("was not there within 100ms: nothing was sent"), "{summary} {stderr}");
    for (arguments, code, words) in [
        (&["--push=tcp://127.0.0.1:1", "--publish=tcp://127.0.0.1:*"][..], 2, "cannot be used with"),
        (&[], 2, "required"),
        (&["--push=tcp://127.0.0.1:*"], 1, "names no port to connect to"),
        (&["--push=tcp://127.0.0.1:1", "--connect"], 2, "cannot be used with"),
        (&["--push=tcp://127.0.0.1:1", "--token-file=x"], 2, "cannot be used with"),
        (&["--push=tcp://127.0.0.1:1", "--speed=0"], 2, "is not between"),
        (&["--http=127.0.0.1:1"], 1, "is no URL"),
    ] {
        let (ended, _, stderr) = replay(&file, arguments);
        assert!(ended == code && stderr.contains(words), "{arguments:?}: {ended} {stderr}");
    }
    let (code, _, stderr) = replay(&file, &["--flow=other", "--push=tcp://127.0.0.1:1"]);
    assert!(code == 1 && stderr.contains("has no message that was to be sent"), "{stderr}");
}
