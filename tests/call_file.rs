//! `plugin call` with a file: the component answers without a host as it would in one, and the cost of the call is
//! shown.

use crate::fixtures;
use crate::harness::{Host, Setup, component, tidegate};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

/// The result of `plugin call`.
struct Ended {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

fn call(file: &Path, arguments: &[&str]) -> Ended {
    call_with(file, arguments, b"")
}

fn call_with(file: &Path, arguments: &[&str], stdin: &[u8]) -> Ended {
    let mut command = tidegate();
    command.args(["plugin", "call"]).arg(file).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A call that is refused does not read its input.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let output = child.wait_with_output().unwrap();
    Ended { code: output.status.code(), stdout: output.stdout, stderr: String::from_utf8(output.stderr).unwrap() }
}

impl Ended {
    #[track_caller]
    fn answered(&self, body: &[u8]) -> &Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        assert_eq!(self.stdout, body, "{}", String::from_utf8_lossy(&self.stdout));
        self
    }

    #[track_caller]
    fn failed(&self, words: &[&str]) -> &Self {
        assert_eq!(self.code, Some(1), "{}", self.stderr);
        self.says(words)
    }

    #[track_caller]
    fn says(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in: {}", self.stderr);
        }
        self
    }
}

/// A component in a temporary file.
struct File(tempfile::TempDir);

impl File {
    fn of(component: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("x.wasm"), component).unwrap();
        Self(directory)
    }

    fn call(&self, arguments: &[&str]) -> Ended {
        call(&self.0.path().join("x.wasm"), arguments)
    }
}

#[test]
fn the_answer_is_on_stdout_as_it_is() {
    let upcase = component("upcase");
    let ended = call(&upcase, &["--param", "param=HeLLo", "--param", "lang=de"]);
    ended.answered(b"upper case of HeLLo is HELLO").says(&["load ", ", call ", ", memory 64 KiB\n"]);
    call(&upcase, &["--body", "-"]).answered(b"upper case of - is -");
    let echo = File::of(&fixtures::echoing(1 << 20));
    call_with(&echo.0.path().join("x.wasm"), &["--stdin"], b"\0\xff\n").answered(b"\0\xff\n");
    let ended = File::of(&fixtures::answering("weather", Some("a/b"))).call(&["text"]);
    ended.answered(b"text").says(&["topic: weather\n", "metadata: content-type=a/b\n"]);
    File::of(&fixtures::filtering()).call(&["text"]).answered(b"").says(&["filtered: there is no message"]);
    // The first pair of the metadata is the call's id; the query's pairs follow.
    let pair = File::of(&fixtures::telling_pair(2));
    pair.call(&["text", "--param", "a=1", "--param", "b=two"]).answered(b"two");
}

#[test]
fn a_reply_policy_is_called_with_frames() {
    let echo = component("echo");
    let replies = b"replies: 1\ndelay_ms: 0\nframe 0: one\nframe 1: -\n";
    call(&echo, &["--frame", "one", "--frame", "-"]).answered(replies);
    call_with(&echo, &["one", "-"], b"two").answered(b"replies: 1\ndelay_ms: 0\nframe 0: one\nframe 1: two\n");
    let ended = call_with(&echo, &["--stdin", "--json"], b"\xff");
    let json: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(json["replies"], serde_json::json!([{"delay_ms": 0, "frames_base64": ["/w=="]}]));
    assert_eq!(json["memory_bytes"], 65536);
    assert!(json["call_ms"].as_f64() > Some(0.0) && json["load_ms"].as_f64() > Some(0.0), "{json}");
    call(&echo, &["a", "--role", "transform"]).failed(&["echo.wasm has no processor role"]);
    call(&echo, &["a", "--param", "b=c"]).failed(&["no query"]);
}

#[test]
fn a_failure_is_told_with_its_reason() {
    let ended = call_with(&component("upcase"), &["--stdin"], b"\xff");
    ended.failed(&["error: the plugin rejected the input: body is not UTF-8 from byte 0 on", "load ", "memory"]);
    assert_eq!(ended.stdout, b"");
    File::of(&fixtures::erring(true, r"out of \1b[2J ink"))
        .call(&["a"])
        .failed(&["the plugin failed: out of \\u{1b}[2J"]);
    File::of(&fixtures::waiting()).call(&["a"]).failed(&["longer than call_deadline_ms 1000"]);
    let named = fixtures::transform("(func $cut_off (unreachable))", "(call $cut_off) (i32.const 16)");
    let ended = File::of(&named).call(&["a"]);
    ended.failed(&["the plugin trapped", "!cut_off", "`unreachable` instruction executed"]);
    assert!(!ended.stderr.contains("strip"), "{}", ended.stderr);
    // A component without a name section is told how to get one.
    File::of(&fixtures::trapping()).call(&["a"]).failed(&["<wasm function ", "CARGO_PROFILE_RELEASE_STRIP=false"]);
}

#[test]
fn a_trace_tells_what_is_imported_called_and_logged() {
    let ended = File::of(&fixtures::drawing()).call(&["a", "--trace"]);
    ended.says(&["imports: wasi:random/random@0.2.12\n", "  random.get-random-u64() = "]);
    let ended = File::of(&fixtures::logging(1)).call(&["a", "--trace"]);
    ended.answered(b"a").says(&["info context=\"a\" message=\"a line of a guest\"\n"]);
    call(&component("downcase"), &["a", "--trace"]).says(&["imports: none\nload "]);
}

#[test]
fn a_seed_and_settings_are_as_in_a_host() {
    let host: Host = Setup::new().plugin("draw", &fixtures::drawing()).with(&["--seed=7"]).start();
    let first = host.get("/draw/?param=a").body;
    assert_eq!(host.stop(), 0);
    let draw = File::of(&fixtures::drawing());
    draw.call(&["a", "--seed", "7"]).answered(&first);
    assert_ne!(draw.call(&["a", "--seed", "8"]).stdout, first);
    let greet = File::of(&fixtures::telling_setting("greeting"));
    greet.call(&["a", "--setting", "greeting=good day", "--setting", "other=x"]).answered(b"good day");
}

#[test]
fn bounds_are_those_that_the_flags_say() {
    let upcase = component("upcase");
    call(&upcase, &["a", "--limit", "output_bytes_max=2"]).failed(&["output_bytes_max 2"]);
    call(&upcase, &["a", "--limit", "output_bytes_max=2", "--limit", "output_bytes_max=100"])
        .answered(b"upper case of a is A");
    let ended = call(&upcase, &["a", "--limit", "output=2"]);
    assert_eq!(ended.code, Some(2));
    ended.says(&["--limit", "unknown field `output`"]);
    call(Path::new("nobody"), &["a", "--limit", "calls_max=1"]).failed(&["nobody is the name of a plugin", "--limit"]);
}

#[test]
fn what_is_no_file_is_the_name_of_a_plugin() {
    let directory = tempfile::tempdir().unwrap();
    call(Path::new("nowhere.wasm"), &["a"]).failed(&["nowhere.wasm is refused: read: ", "No such file"]);
    call(directory.path(), &["a"]).failed(&["is a folder", "plugin build"]);
    call(Path::new("nobody"), &["a", "--seed", "1"]).failed(&["nobody is the name of a plugin", "--seed"]);
    call(Path::new("nobody"), &["a", "--admin", "127.0.0.1:1"]).failed(&["no host answers at http://127.0.0.1:1"]);
    call(&component("upcase"), &[]).failed(&["--body TEXT, --stdin or --param param=TEXT"]);
}
