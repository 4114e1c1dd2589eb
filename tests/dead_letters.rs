//! Dead letters: messages that a plugin failed on, or that no client received, are kept in a file, whole and bounded.

mod admin;
mod captures;
mod replay;
mod replay_all;

use crate::fixtures;
use crate::harness::{Client, EMPTY_REQUEST, Host, PATIENCE, Process, Setup, component, tidegate, wait_for};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const FILE: &str = "dead-letters.jsonl";

/// Every byte value, beginning with the one that makes `trapping_on(255)` trap.
fn any_bytes() -> Vec<u8> {
    (0..=255).rev().collect()
}

/// The lines of the file that are letters, and those that are marks of replays.
fn lines(directory: &Path) -> (Vec<Value>, Vec<Value>) {
    let text = std::fs::read_to_string(directory.join(FILE)).unwrap_or_default();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a letter or a mark"));
    lines.partition(|line| line.get("replay").is_none())
}

#[track_caller]
pub fn wait_for_letters(host: &Host, count: usize) -> Vec<Value> {
    // The ledger counts a dead letter once its line is written.
    wait_for("the letters", || {
        let text = std::fs::read_to_string(host.directory.path().join(FILE)).unwrap_or_default();
        (text.ends_with('\n') && lines(host.directory.path()).0.len() >= count).then_some(())
    });
    let (letters, _) = lines(host.directory.path());
    assert_eq!(letters.len(), count);
    letters
}

fn decoded(value: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap()
}

/// Runs `tidegate dead-letters` in the directory of the file.
#[track_caller]
fn dead_letters(directory: &Path, arguments: &[&str]) -> (i32, Process) {
    let mut process = Process::start(tidegate().current_dir(directory).arg("dead-letters").args(arguments));
    let code = process.wait().code().unwrap();
    (code, process)
}

/// The hop of dead letters in the final ledger.
fn dead_letter_hop(stderr: &str) -> Value {
    crate::balance::at_exit(stderr)["hops"]["dead-letter"].clone()
}

fn json(process: &Process) -> Value {
    serde_json::from_str(&process.stdout())
        .unwrap_or_else(|_| panic!("JSON:\n{}\n{}", process.stdout(), process.stderr()))
}

/// A client of the broker.
fn dealer(host: &Host) -> zmq::Socket {
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    socket.set_linger(0).unwrap();
    socket.set_identity(b"\x01\xff").unwrap();
    socket.connect(host.surface("frontend")).unwrap();
    socket
}

#[test]
fn a_message_whose_call_traps_is_kept_whole() {
    let host = Setup::new().plugin("trap", &fixtures::trapping_on(255)).with(&["--seed=7"]).start();
    let client = Client::new(&host);
    assert_eq!(client.request("POST", "/trap/", Some(b"well")).unwrap().status, 200);
    let headers = [("content-type", "image/png")];
    let answer = client.request_with("POST", "/trap/?a=b+c", &headers, Some(&any_bytes())).unwrap();
    assert_eq!(answer.status, 502);

    let letter = &wait_for_letters(&host, 1)[0];
    for (key, value) in [("hop", "transform"), ("route", "trap"), ("plugin", "trap"), ("reason", "trapped")] {
        assert_eq!(letter[key], value, "{letter}");
    }
    assert_eq!((&letter["generation"], &letter["number"]), (&1.into(), &2.into()));
    assert_eq!(letter["seed"], serde_json::json!({"value": 7, "fixed": true}));
    assert_eq!(letter["digest"], host.status("trap")["digest"]);
    let error = letter["error"].as_str().unwrap();
    assert!(error.contains("wasm backtrace") && error.contains("`unreachable` instruction executed"), "{error}");
    let id = letter["id"].as_str().unwrap();
    host.process.wait_for_line(&["call failed", id]);
    let metadata =
        serde_json::json!([["tidegate.request-id", id], ["http.content-type", "image/png"], ["query.a", "b c"]]);
    assert_eq!(letter["message"]["metadata"], metadata);
    assert_eq!(decoded(&letter["message"]["body_base64"]), any_bytes());
    let time = letter["time"].as_str().unwrap();
    assert!(time.len() == 24 && time.ends_with('Z'), "{time}");

    let path = host.directory.path().join(FILE);
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(host.stop(), 0);
}

#[test]
fn each_way_in_which_a_plugin_breaks_down_has_its_letter() {
    let host = Setup::new()
        .plugin("wait", &fixtures::waiting())
        .plugin("recurse", &fixtures::recursing())
        .plugin("grow", &fixtures::growing())
        .plugin("gigabyte", &fixtures::gigabyte())
        .plugin("fail", &fixtures::erring(true, "mine"))
        .config("[limits]\ncall_deadline_ms = 500")
        .start();
    let ways = [
        ("wait", "deadline-exceeded", "call_deadline_ms 500"),
        ("recurse", "over-stack", "stack_bytes_max"),
        ("grow", "over-memory", "memory_bytes_max"),
        ("gigabyte", "over-output", "output_bytes_max"),
        ("fail", "failed", "mine"),
    ];
    for (plugin, ..) in ways {
        assert!(host.get(&format!("/{plugin}/?param=x")).status >= 500);
    }
    let letters = wait_for_letters(&host, ways.len());
    for (letter, (plugin, reason, error)) in letters.iter().zip(ways) {
        assert_eq!((&letter["plugin"], &letter["reason"]), (&plugin.into(), &reason.into()), "{letter}");
        assert!(letter["error"].as_str().unwrap().contains(error), "{letter}");
        assert_eq!(decoded(&letter["message"]["body_base64"]), b"x");
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_request_whose_call_fails_is_kept_whole() {
    let policy = fixtures::waiting_policy();
    let host = Setup::new().plugin("p", &policy).config("[limits]\ncall_deadline_ms = 300").start();
    let socket = dealer(&host);
    socket.send_multipart([b"".as_slice(), b"", &any_bytes()], 0).unwrap();
    let letter = &wait_for_letters(&host, 1)[0];
    for (key, value) in [("hop", "policy"), ("route", "p"), ("plugin", "p"), ("reason", "deadline-exceeded")] {
        assert_eq!(letter[key], value, "{letter}");
    }
    assert_eq!((&letter["generation"], &letter["number"]), (&1.into(), &1.into()));
    host.process.wait_for_line(&["call failed", letter["id"].as_str().unwrap()]);
    let request = &letter["request"];
    assert_eq!(decoded(&request["identity_base64"]), b"\x01\xff");
    let frames: Vec<_> = request["frames_base64"].as_array().unwrap().iter().map(decoded).collect();
    assert_eq!(frames, [b"".to_vec(), any_bytes()]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_reply_to_a_client_that_is_gone_is_kept_whole() {
    let host = Setup::new().plugin("late", &fixtures::replying_late_unless_asked(2_000)).start();
    let socket = dealer(&host);
    socket.send_multipart([b"\xfflate".as_slice(), b"two"], 0).unwrap();
    // This request is answered at once, so the one before it has been received.
    socket.send_multipart(EMPTY_REQUEST, 0).unwrap();
    assert_eq!(socket.recv_multipart(0).unwrap(), EMPTY_REQUEST);
    drop(socket);
    let letter = &wait_for_letters(&host, 1)[0];
    for (key, value) in [("hop", "reply"), ("route", "late"), ("plugin", "late"), ("reason", "unroutable")] {
        assert_eq!(letter[key], value, "{letter}");
    }
    assert_eq!((&letter["generation"], &letter["number"]), (&1.into(), &1.into()));
    assert_eq!(letter["digest"], host.status("late")["digest"]);
    assert_eq!(decoded(&letter["reply"]["identity_base64"]), b"\x01\xff");
    let frames: Vec<_> = letter["reply"]["frames_base64"].as_array().unwrap().iter().map(decoded).collect();
    assert_eq!(frames, [b"\xfflate".to_vec(), b"two".to_vec()]);

    let id = letter["id"].as_str().unwrap();
    let echo = component("echo");
    let (code, process) = dead_letters(host.directory.path(), &["replay", id, "--component", echo.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(process.stderr().contains("no call to make again"), "{}", process.stderr());
    assert_eq!(host.stop(), 0);
}

#[test]
fn where_nothing_breaks_down_nothing_is_written() {
    let mut host = Setup::new()
        .committed("downcase")
        .committed("echo")
        .plugin("reject", &fixtures::erring(false, "yours"))
        .plugin("trap", &fixtures::trapping())
        .start();
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    assert_eq!(host.get("/reject/?param=A").status, 422);
    assert_eq!(host.get("/none/?param=A").status, 404);
    // A call by the admin surface is not traffic, and leaves no dead letter.
    assert_eq!(host.admin_request("POST", "/plugins/trap/call", Some(br#"{"message": {}}"#)).status, 502);
    let socket = dealer(&host);
    socket.send("x", 0).unwrap();
    assert_eq!(socket.recv_bytes(0).unwrap(), b"x");
    let path = host.directory.path().join(FILE);
    let (code, process) = dead_letters(host.directory.path(), &["list", "--json"]);
    assert_eq!((code, json(&process)), (0, serde_json::json!([])));
    assert!(process.stderr().contains(FILE), "{}", process.stderr());
    let (code, stderr) = host.stop_and_tell();
    assert_eq!(code, 0);
    assert_eq!(dead_letter_hop(&stderr), serde_json::json!({"in": 0, "out": 0, "in_flight": 0, "dropped": {}}));
    assert!(!path.exists());
}

#[test]
fn a_full_disk_is_counted_and_said_once_and_traffic_goes_on() {
    const LOST: usize = 20;
    let mut host = Setup::new()
        .committed("downcase")
        .plugin("trap", &fixtures::trapping())
        .config("[dead_letters]\nfile = '/dev/full'\n[rollback]\nfailures = 0")
        .start();
    for _ in 0..LOST {
        assert_eq!(host.get("/trap/?param=x").status, 502);
        assert_eq!(host.get("/downcase/?param=OK").status, 200);
    }
    let (code, stderr) = host.stop_and_tell();
    assert_eq!(code, 0);
    assert_eq!(dead_letter_hop(&stderr)["dropped"], serde_json::json!({"write-failed": LOST}));
    let lines: Vec<_> = stderr.lines().filter(|line| line.contains("dead letters are lost")).collect();
    assert_eq!(lines.len(), 1, "{stderr}");
    assert!(lines[0].contains("/dev/full: No space left on device"), "{}", lines[0]);
}

#[test]
fn none_switches_it_off() {
    let config = "[dead_letters]\nfile = 'none'";
    let mut host = Setup::new().plugin("trap", &fixtures::trapping()).config(config).start();
    assert_eq!(host.get("/trap/?param=x").status, 502);
    let directory = host.directory.path().to_owned();
    let (code, stderr) = host.stop_and_tell();
    assert_eq!(code, 0);
    assert_eq!(dead_letter_hop(&stderr)["in"], 0);
    assert!(!directory.join(FILE).exists() && !directory.join("none").exists());
}

/// A trap says where a guest ended; what the guest said before it, why.
#[test]
fn what_a_guest_says_of_its_error_stands_above_its_trap() {
    let component = fixtures::complaining();
    // An instance that served before has said something of another call.
    let host = Setup::new().plugin("x", &component).config("[plugins.x]\nreuse = 100").start();
    assert_eq!(host.get("/x/?param=Nothing+wrong").status, 200);
    let failed = host.get("/x/?param=The+input+has+no+nope");
    assert_eq!((failed.status, failed.text().contains("nope")), (502, false), "it is not for the caller to read");
    host.get("/x/?param=The+second");
    let errors: Vec<_> = wait_for_letters(&host, 2).iter().map(|letter| letter["error"].clone()).collect();
    for (error, said) in errors.iter().zip(["The input has no nope", "The second"]) {
        let error = error.as_str().unwrap();
        assert!(error.starts_with(&format!("the plugin trapped: {said}\nerror while executing")), "{error}");
    }
    host.process.wait_for_line(&["call failed", "request_id=", "the plugin trapped: The input has no nope\\nerror"]);

    let file = host.directory.path().join("alone.wasm");
    std::fs::write(&file, component).unwrap();
    let mut call =
        Process::start(tidegate().args(["plugin", "call", file.to_str().unwrap(), "--body", "The input has no nope"]));
    assert_eq!(call.wait().code(), Some(1));
    assert!(call.stderr().contains("the plugin trapped: The input has no nope\n"), "{}", call.stderr());
}

#[test]
fn files_stay_within_their_bounds_and_the_newest_letters_stay() {
    const LETTERS: usize = 40;
    let mut host = Setup::new()
        .plugin("trap", &fixtures::trapping())
        .config("[dead_letters]\nbytes_max = 4096\nfiles_max = 3\n[rollback]\nfailures = 0")
        .start();
    for number in 1..=LETTERS {
        assert_eq!(host.get(&format!("/trap/?param={number}")).status, 502);
    }
    let (code, stderr) = host.stop_and_tell();
    assert_eq!(code, 0);
    assert_eq!(dead_letter_hop(&stderr)["out"], LETTERS);
    let directory = &host.directory;

    let path = directory.path().join(FILE);
    for name in [FILE.to_owned(), format!("{FILE}.1"), format!("{FILE}.2")] {
        let metadata = std::fs::metadata(directory.path().join(&name)).expect(&name);
        assert!((1..=4096).contains(&metadata.len()), "{name}: {}", metadata.len());
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    }
    assert!(!directory.path().join(format!("{FILE}.3")).exists());

    // The list has the letters of all files in order, and reports a line that is not valid.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{{oops\n{text}")).unwrap();
    let (code, process) = dead_letters(directory.path(), &["list", "--json"]);
    assert_eq!(code, 0, "{}", process.stderr());
    assert!(process.stderr().starts_with(&format!("{FILE}:1: no letter: ")), "{}", process.stderr());
    let rows = json(&process);
    let rows = rows.as_array().unwrap();
    assert!(rows.windows(2).all(|pair| pair[0]["time"].as_str() <= pair[1]["time"].as_str()), "{rows:?}");
    let last = rows.last().unwrap()["id"].as_str().unwrap();
    let (_, process) = dead_letters(directory.path(), &["show", last, "--raw"]);
    assert_eq!(process.stdout(), LETTERS.to_string());

    let (_, process) = dead_letters(directory.path(), &["list"]);
    let stdout = process.stdout();
    let heads: Vec<_> = stdout.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(heads, ["ID", "TIME", "HOP", "ROUTE", "REASON", "PLUGIN", "GENERATION"]);
    assert_eq!(stdout.lines().count(), rows.len() + 1);
    let cells: Vec<_> = stdout.lines().last().unwrap().split_whitespace().collect();
    assert_eq!((cells[0], &cells[2..]), (last, ["transform", "trap", "trapped", "trap", "1"].as_slice()));
}
