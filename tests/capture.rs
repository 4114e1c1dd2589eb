//! Captures: what plugins are asked and answer is written down beside the traffic, within bounds, and can be read whatever became
//! of the host.

use crate::fixtures;
use crate::flows::unconnected;
use crate::harness::{Host, Process, Setup, tidegate, wait_for};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const FLOWS: &str = "\
[sockets.in]
type = 'pull'
bind = ['tcp://127.0.0.1:*']
[sockets.bare]
type = 'pull'
bind = ['tcp://127.0.0.1:*']
[flows.clean]
from = ['in']
through = ['downcase', 'upcase']
to = ['publish']
[flows.bare]
from = ['bare']
to = ['publish']
";

fn host() -> Setup {
    Setup::new().committed("downcase").committed("upcase").config(FLOWS)
}

/// A peer that sends to a socket of the host.
fn sender(host: &Host, socket: &str) -> zmq::Socket {
    let peer = unconnected(zmq::PUSH);
    peer.connect(host.surface(socket)).unwrap();
    peer
}

/// Begins a capture by the command line, and gives its id and its file.
#[track_caller]
fn start(host: &Host, arguments: &[&str]) -> (String, PathBuf) {
    let started: Value = serde_json::from_str(&command(host, &[&["start", "--json"], arguments].concat())).unwrap();
    (started["id"].as_str().unwrap().to_owned(), host.directory.path().join(started["file"].as_str().unwrap()))
}

#[track_caller]
fn command(host: &Host, arguments: &[&str]) -> String {
    let (code, stdout, stderr) = host.run("capture", arguments);
    assert_eq!(code, 0, "{arguments:?}: {stderr}");
    stdout
}

/// The records of a file, and what is told of those that cannot be read.
#[track_caller]
fn cat(file: &Path, arguments: &[&str]) -> (Vec<Value>, String) {
    let mut process = Process::start(tidegate().args(["capture", "cat", "--json"]).arg(file).args(arguments));
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
    let records = process.stdout().lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    (records, process.stderr())
}

fn listed(host: &Host, id: &str) -> Value {
    let all = host.admin("/captures").json();
    all.as_array().unwrap().iter().find(|capture| capture["id"] == id).expect("it is listed").clone()
}

#[track_caller]
fn wait_for_records(host: &Host, id: &str, count: u64) {
    wait_for("the records", || (listed(host, id)["records"].as_u64() >= Some(count)).then_some(()));
}

#[test]
fn what_a_flow_and_a_route_are_asked_and_answer_is_written_down_until_the_capture_is_stopped() {
    let host = host().plugin("trap", &fixtures::trapping_on(255)).with(&["--seed=7"]).start();
    assert_eq!(host.get("/downcase/?param=Unseen").status, 200);
    let (of_all, all) = start(&host, &["--redact-metadata", "token,x-other"]);
    let (of_flow, flow) = start(&host, &["--flow=clean", "--topic=a"]);
    let peer = sender(&host, "in");
    for topic in ["a", "b"] {
        peer.send_multipart([topic, "HeLLo"], 0).unwrap();
    }
    let bare = sender(&host, "bare");
    bare.send_multipart(["c", "As It Is"], 0).unwrap();
    assert_eq!(host.get("/downcase/?param=HeLLo&token=secret").status, 200);
    assert_eq!(host.post("/trap/", b"\xff").status, 502);
    // Two calls for each message of the flow, one for the other, and those of two routes.
    wait_for_records(&host, &of_all, 7);
    wait_for_records(&host, &of_flow, 2);
    let list = command(&host, &["list"]);
    assert!(list.contains("running") && list.contains("flow clean"), "{list}");
    let stopped = command(&host, &["stop", &of_all]);
    assert!(stopped.starts_with(&format!("capture {of_all} is stopped: 7 records in ")), "{stopped}");
    command(&host, &["stop", &of_flow]);
    assert_eq!(host.get("/downcase/?param=Unseen").status, 200);
    for file in [&all, &flow] {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(all.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);

    let (records, told) = cat(&flow, &[]);
    let [first, second] = &records[..] else { panic!("{records:?}") };
    assert_eq!(told, "");
    assert_eq!((&first["kind"], &first["name"], &first["frames"][0]), (&"flow".into(), &"clean".into(), &"a".into()));
    assert_eq!((&first["call"]["plugin"], &first["call"]["stage"]), (&"downcase".into(), &0.into()));
    assert_eq!(first["call"]["answer"][0]["frames"][1], "lower case of HeLLo is hello");
    assert_eq!((&second["call"]["plugin"], &second["call"]["stage"]), (&"upcase".into(), &1.into()));
    assert_eq!(second["frames"], first["call"]["answer"][0]["frames"]);
    assert_eq!(first["call"]["digest"], host.status("downcase")["digest"]);
    assert!(first["call"]["number"] != second["call"]["number"] && first["call"]["duration_ns"].as_u64() > Some(0));

    let (records, _) = cat(&all, &["--route=downcase"]);
    let [record] = &records[..] else { panic!("{records:?}") };
    let text = record.to_string();
    assert!(text.contains(r#"["query.token","…redacted"]"#) && !text.contains("secret"), "{text}");
    let (records, _) = cat(&all, &["--route=trap"]);
    assert_eq!(records[0]["call"]["failure"]["reason"], "trapped");
    // Random numbers derive from what the component calls its role.
    assert_eq!((&records[0]["call"]["role"], &first["call"]["role"]), (&"transform".into(), &"processor".into()));
    let (records, _) = cat(&all, &["--flow=bare"]);
    assert_eq!((&records[0]["frames"][1], &records[0]["call"]), (&"As It Is".into(), &Value::Null));
    assert_eq!(cat(&all, &["--limit=3"]).0.len(), 3);
    let mut shown = Process::start(tidegate().args(["capture", "cat"]).arg(&all));
    shown.wait();
    assert!(shown.stdout().contains("seed: 7, set by the user") && shown.stdout().contains("called: downcase, "));

    let hop = &host.ledger()["hops"]["capture"];
    assert_eq!((&hop["in"], &hop["out"]), (&9.into(), &9.into()));
    let (code, _, told) = host.run("capture", &["stop", "99"]);
    assert!(code == 1 && told.contains("no capture has the id 99"), "{told}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_host_that_is_killed_leaves_a_file_that_lacks_at_most_the_last_second() {
    let mut host = host().start();
    let (id, file) = start(&host, &[]);
    let peer = sender(&host, "bare");
    // All that is counted is in the file, and what was sent a second ago is counted.
    for number in 0..1_000 {
        peer.send_multipart(["t", &number.to_string()], 0).unwrap();
    }
    wait_for_records(&host, &id, 1_000);
    for number in 1_000..1_500 {
        peer.send_multipart(["t", &number.to_string()], 0).unwrap();
    }
    host.process.signal("KILL");
    host.process.wait();
    let (records, _) = cat(&file, &[]);
    assert!(records.len() >= 1_000, "{}", records.len());
    for (number, record) in records.iter().enumerate() {
        assert_eq!(record["frames"][1], number.to_string());
    }
    // In the middle of what was being written.
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 40]).unwrap();
    let (fewer, told) = cat(&file, &[]);
    assert!(fewer.len() <= records.len() && told.contains("are cut off"), "{}: {told}", fewer.len());
}

#[test]
fn topics_are_any_bytes_and_any_number_of_them() {
    let host = host().start();
    let (id, file) = start(&host, &["--flow=bare"]);
    let peer = sender(&host, "bare");
    peer.send_multipart([&b"\xff\0/%"[..], b"body"], 0).unwrap();
    for number in 0..100_000 {
        peer.send_multipart([&format!("topic-{number}"), "body"], 0).unwrap();
    }
    let done = || {
        let capture = listed(&host, &id);
        Some(capture["records"].as_u64()? + capture["dropped"].as_u64()?).filter(|count| *count == 100_001)
    };
    wait_for("all of them", done);
    let stopped: Value = serde_json::from_str(&command(&host, &["stop", &id, "--json"])).unwrap();
    let (records, told) = cat(&file, &[]);
    assert_eq!((Some(records.len() as u64), told.as_str()), (stopped["records"].as_u64(), ""));
    assert_eq!(records[0]["frames_base64"][0], "/wAvJQ==");
    // Its own channels are found by the index, and what shares one is found too.
    let (found, _) = cat(&file, &["--topic=topic-7"]);
    let expected =
        records.iter().filter(|record| record["frames"][0].as_str().is_some_and(|topic| topic.starts_with("topic-7")));
    assert_eq!(found.len(), expected.count());
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_capture_ends_with_its_bytes_or_its_time_and_hurts_no_traffic() {
    let host = host().start();
    let (full, file) = start(&host, &["--bytes-max=64KiB"]);
    let (short, _) = start(&host, &["--for=50ms"]);
    let ended = |id: &str, state: &str| listed(&host, id)["state"] == state;
    wait_for("the end of its time", || ended(&short, "done").then_some(()));
    wait_for("a full file", || {
        let text: String = (0..1_000)
            .map(|number: u32| char::from(b'a' + (number.wrapping_mul(2_654_435_761) >> 27) as u8 % 26))
            .collect();
        assert_eq!(host.post("/downcase/", text.as_bytes()).status, 200);
        ended(&full, "full").then_some(())
    });
    assert!(file.metadata().unwrap().len() <= 64 << 10);
    let capture = listed(&host, &full);
    assert_eq!(cat(&file, &[]).0.len() as u64, capture["records"].as_u64().unwrap());
    let dropped = &host.ledger()["hops"]["capture"]["dropped"];
    assert_eq!(dropped["file-full"], capture["dropped"]);
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_cannot_be_taken_or_written_is_counted_and_told() {
    // One that goes out of bounds at once, and a directory that is none.
    let host = host().config("[capture]\nqueue_bytes_max = 1_048_576\nqueue_messages_max = 1").start();
    let (id, _) = start(&host, &[]);
    let large = vec![b'A'; 900_000];
    let peer = sender(&host, "bare");
    let dropped = || {
        // Several at once: one after another could each be written before the next.
        (0..10).for_each(|_| peer.send_multipart([&b"t"[..], &large], 0).unwrap());
        listed(&host, &id)["dropped"].as_u64().filter(|dropped| *dropped > 0)
    };
    wait_for("a record that there is no room for", dropped);
    command(&host, &["stop", &id]);
    let hop = host.ledger()["hops"]["capture"].clone();
    let capture = listed(&host, &id);
    assert_eq!(hop["dropped"]["queue-full"], capture["dropped"], "{hop}");
    assert_eq!(hop["out"], capture["records"]);
    assert_eq!(host.stop(), 0);

    let host = Setup::new().config("[capture]\ndirectory = '/dev/null/x'").start();
    let (code, _, told) = host.run("capture", &["start"]);
    assert!(code == 1 && told.contains("nothing is captured: /dev/null/x: Not a directory"), "{told}");
    assert_eq!(host.stop(), 0);
    let host = Setup::new().config("[capture]\ndirectory = 'none'").start();
    let (code, _, told) = host.run("capture", &["start"]);
    assert!(code == 1 && told.contains("set capture.directory"), "{told}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_is_not_there_is_not_captured_and_no_more_captures_run_than_may() {
    let host = host().start();
    for (flag, there) in
        [("--flow=clena", "bare, clean"), ("--route=nowhere", "downcase, upcase"), ("--policy=p", "none")]
    {
        let (code, _, told) = host.run("capture", &["start", flag]);
        assert!(code == 1 && told.contains(&format!("; there is: {there}")), "{told}");
    }
    for _ in 0..4 {
        start(&host, &[]);
    }
    let answer = host.admin_request("POST", "/capture", Some(b""));
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    assert!(answer.text().contains("4 captures run already"), "{}", answer.text());
    command(&host, &["stop", "1"]);
    start(&host, &[]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_ring_keeps_the_last_of_everything_within_its_bytes() {
    let ring = "[capture]\nring_ms = 4_000\nring_bytes_max = 1_048_576\ndirectory = 'ring'";
    let mut host = host().config(ring).start();
    let directory = host.directory.path().join("ring");
    let files = || {
        let mut files: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    };
    let first = files();
    assert_eq!(first.len(), 1);
    // It turns by its time, and by its bytes.
    wait_for("the first file to go", || {
        assert_eq!(host.get("/downcase/?param=HeLLo").status, 200);
        std::thread::sleep(Duration::from_millis(10));
        (!first[0].exists()).then_some(())
    });
    let there = files();
    assert!(there.len() <= 5, "{there:?}");
    let bytes: u64 = there.iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!(bytes <= 1 << 20, "{bytes}");
    assert!(!cat(&there[0], &[]).0.is_empty());
    assert_eq!(listed(&host, "ring")["state"], "running");
    assert_eq!(host.stop_and_tell().0, 0);
    // One without records does not stay.
    let records: Vec<usize> = files().iter().map(|file| cat(file, &[]).0.len()).collect();
    assert!(!records.is_empty() && !records.contains(&0), "{records:?}");
}
