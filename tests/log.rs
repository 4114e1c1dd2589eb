//! The log: as text or as JSON, and a host that goes on if it cannot be written.

use crate::fixtures;
use crate::harness::{Host, LONG_PATIENCE, Setup, bytes, wait_up_to};
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::Write;
use std::process::Stdio;

#[test]
fn every_line_is_an_object_where_programs_read_it() {
    let mut host = Setup::new()
        .plugin("x", &bytes("downcase"))
        .config("[log]\nformat = 'json'")
        .env("TIDEGATE_LOG", "debug")
        .start();
    std::fs::write(host.plugin_path("x"), "garbage, with \"quotes\"\nand lines").unwrap();
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["not loaded"]);
    host.process.signal("TERM");
    assert_eq!(host.process.wait().code(), Some(0));
    let stderr = host.process.stderr();
    let lines: Vec<Value> =
        stderr.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect();
    let loaded = lines.iter().find(|line| line["message"] == "loaded").expect("a line of the load");
    assert_eq!((&loaded["level"], &loaded["plugin"], &loaded["generation"]), (&"INFO".into(), &"x".into(), &1.into()));
    assert!(loaded["timestamp"].is_string());
    let refused = lines.iter().find(|line| line["level"] == "ERROR").expect("a line of the refusal");
    assert!(refused["reason"].as_str().unwrap().contains("neither a WebAssembly component"), "{refused}");
}

/// Who is told so by an answer knows it, and nobody is to be woken for it.
#[test]
fn what_a_caller_is_at_fault_for_is_no_warning() {
    let setup = Setup::new().plugin("reject", &fixtures::erring(false, "not this one")).committed("downcase");
    let mut host = setup.plugin("policy", &fixtures::rejecting_policy()).env("TIDEGATE_LOG", "debug").start();
    assert_eq!(host.get("/reject/?param=A").status, 422);
    assert_eq!(host.get("/downcase/").status, 400);
    assert_eq!(host.get("/policy/?param=A").status, 404);
    assert_eq!(host.admin_request("PUT", "/plugins/downcase", Some(b"garbage")).status, 422);
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_linger(0).unwrap();
    socket.connect(host.surface("frontend")).unwrap();
    socket.send("rejected", 0).unwrap();
    host.process.wait_for_line(&["DEBUG", "call refused for its input", "plugin=\"policy\""]);
    host.process.wait_for_line(&["DEBUG", "call refused for its input", "plugin=\"reject\"", "not this one"]);
    host.process.wait_for_line(&["INFO", "not loaded; what served before serves on", "plugin=\"downcase\""]);
    let (code, stderr) = host.stop_and_tell();
    assert_eq!(code, 0);
    assert!(stderr.lines().all(|line| !line.contains("WARN") && !line.contains("ERROR")), "{stderr}");
}

#[test]
fn the_flag_wins_over_the_environment_and_a_wrong_format_is_refused() {
    let setup = Setup::new().plugin("x", &bytes("downcase")).env("TIDEGATE_LOG_FORMAT", "json");
    let host = setup.with(&["--log-format=text"]).start();
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["INFO", "loaded", "plugin=\"x\""]);
    assert_eq!(host.stop(), 0);
    for setup in [Setup::new().with(&["--log-format=xml"]), Setup::new().config("[log]\nformat = 'xml'")] {
        let output = setup.command().output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8(output.stderr).unwrap();
        for word in ["xml", "text", "json"] {
            assert!(stderr.contains(word), "{word} is not in: {stderr}");
        }
    }
}

/// The number of log lines that were lost for a reason, from the metrics.
#[track_caller]
fn lost(host: &Host, reason: &str) -> u64 {
    let sample = format!("tidegate_log_lines_dropped_total{{reason=\"{reason}\"}} ");
    let metrics = host.admin("/metrics");
    let count = metrics.text().lines().find_map(|line| line.strip_prefix(&sample)).expect("a count");
    count.parse().unwrap()
}

/// Runs a host with this stderr, and returns how many log lines were lost.
#[track_caller]
fn assert_goes_on(stderr: impl Into<Stdio>) {
    let mut host = Setup::new().plugin("x", &bytes("downcase")).env("TIDEGATE_LOG", "debug").start_with_stderr(stderr);
    assert_eq!(host.get("/x/?param=A").status, 200);
    // The log line of this request is lost; everything else works.
    std::fs::write(host.plugin_path("x"), "garbage").unwrap();
    wait_up_to(LONG_PATIENCE, "the refusal", || host.status("x")["last_refused"].is_object().then_some(()));
    assert_eq!(host.get("/x/?param=A").status, 200);
    wait_up_to(LONG_PATIENCE, "lost lines", || (lost(&host, "write-failed") > 1).then_some(()));
    host.process.signal("TERM");
    assert_eq!(host.process.wait().code(), Some(0), "the end is in order too");
}

#[test]
fn a_full_disk_stops_nothing() {
    assert_goes_on(OpenOptions::new().write(true).open("/dev/full").unwrap());
}

#[test]
fn a_reader_that_went_away_stops_nothing() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_goes_on(writer);
}

/// A pipe that is full and that nobody reads does not block the host, nor its end.
#[test]
fn a_reader_that_stopped_reading_stops_nothing() {
    const PIPE_BYTES: usize = 65_536;
    let (_reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&[b'-'; PIPE_BYTES]).unwrap();
    let config = "[plugins.chatty.limits]\nlog_lines_per_second_max = 1000000";
    let setup = Setup::new().plugin("x", &bytes("downcase")).plugin("chatty", &fixtures::logging(20_000));
    let mut host = setup.config(config).start_with_stderr(writer);
    assert_eq!(host.get("/chatty/?param=A").status, 200);
    assert!(lost(&host, "queue-full") > 0, "more lines than wait");
    assert_eq!(host.get("/x/?param=A").status, 200);
    host.process.signal("TERM");
    assert_eq!(host.process.wait().code(), Some(0));
}
