//! The commands that use a running host's admin surface: tables, JSON, and errors that say what to do.

use super::served;
use crate::fixtures;
use crate::harness::{DOWN, Host, Setup, UP, bytes, component, tidegate};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;

#[track_caller]
fn json_output(host: &Host, arguments: &[&str]) -> Value {
    serde_json::from_str(&host.output("plugin", &[arguments, &["--json"]].concat())).expect("JSON")
}

/// Asserts that the command exits with 1 and that its stderr contains these words.
#[track_caller]
fn refused(host: &Host, arguments: &[&str], words: &[&str]) -> String {
    let (code, stdout, stderr) = host.run("plugin", arguments);
    assert_eq!(code, 1, "{arguments:?}: {stdout}{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word:?} is not in: {stderr}");
    }
    stdout
}

#[test]
fn plugins_are_swapped_from_the_command_line() {
    let host = super::host();
    let up = component("upcase").display().to_string();
    let swapped = host.output("plugin", &["load", "x", &up]);
    assert!(
        swapped.starts_with("x serves: generation 2, digest ") && swapped.ends_with(", not persisted\n"),
        "{swapped}"
    );
    assert_eq!(served(&host), (2, UP.to_owned()));
    assert!(host.output("plugin", &["load", "x", &up]).starts_with("x is unchanged and serves: generation 2"));

    let rolled_back = host.output("plugin", &["rollback", "x"]);
    assert!(rolled_back.starts_with("x serves: generation 3, digest "), "{rolled_back}");
    assert_eq!(served(&host), (3, DOWN.to_owned()));
    refused(&host, &["rollback", "x"], &["error: ", "go back to"]);

    let persisted = json_output(&host, &["load", "x", &up, "--persist"]);
    assert_eq!((&persisted["generation"], &persisted["persisted"]), (&json!(4), &json!(true)));
    assert_eq!(std::fs::read(host.plugin_path("x")).unwrap(), bytes("upcase"));
    json_output(&host, &["rollback", "x"]);
    let looked = host.output("plugin", &["load", "x"]);
    assert!(looked.contains("generation 6") && looked.contains("the next start loads it too"), "{looked}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_list_is_a_table_or_json() {
    let host = Setup::new().committed("downcase").committed("echo").start();
    std::fs::write(host.directory.path().join("bad.wasm"), b"garbage").unwrap();
    refused(&host, &["load", "downcase", "bad.wasm"], &["plugin downcase is refused: compile: neither"]);
    let table = host.output("plugin", &["list"]);
    let lines: Vec<&str> = table.lines().collect();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let heads = ["NAME", "STATE", "GENERATION", "DIGEST", "ROLES", "INSTANCES", "CALLS", "FAILURES", "SOURCE"];
    assert_eq!(words(lines[0]), heads, "{table}");
    assert_eq!(words(lines[1])[..3], ["downcase", "serving", "1"], "{table}");
    assert_eq!(words(lines[2])[4], "reply-policy", "{table}");
    assert!(lines[3].starts_with("downcase: refused at ") && lines[3].contains("compile: neither"), "{table}");
    assert_eq!(lines.len(), 4, "{table}");
    let plugins = json_output(&host, &["list"]);
    assert_eq!(plugins[1]["name"], "echo");
    assert_eq!(plugins[1]["roles"], json!(["reply-policy"]));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_plugin_is_tried_from_the_command_line() {
    let host = Setup::new()
        .committed("downcase")
        .committed("echo")
        .plugin("filter", &fixtures::filtering())
        .plugin("typed", &fixtures::answering("weather", Some("a/b")))
        .plugin("reject", &fixtures::erring(false, "five digits please"))
        .start();
    let output = |arguments: &[&str]| {
        let (code, stdout, stderr) = host.run("plugin", arguments);
        assert!(code == 0 && stderr.starts_with("took: ") && stderr.lines().count() == 1, "{arguments:?}: {stderr}");
        stdout
    };
    let tried = output(&["call", "downcase", "AbC"]);
    assert_eq!(tried, format!("by: downcase, generation 1\nmessages: 1\nmessage 0:\nframe 0: {DOWN}\n"));
    let tried = output(&["call", "typed", "\u{1b}[2J"]);
    assert_eq!(tried, "by: typed, generation 1\ntopic: weather\nmetadata: content-type=a/b\nbody: \\u{1b}[2J\n");
    assert_eq!(output(&["call", "filter", "a"]), "by: filter, generation 1\nfiltered: there is no message\n");
    let table = "by: echo, generation 1\nDELAY MS  FRAMES\n0         one | two\n";
    assert_eq!(output(&["call", "echo", "one", "two"]), table);
    assert_eq!(output(&["call", "echo", "one", "two", "--policy"]), table);
    assert_eq!(json_output(&host, &["call", "downcase", "AbC", "--role=processor"])["messages"][0]["frames"][0], DOWN);
    refused(&host, &["call", "reject", "1"], &["error: five digits please"]);
    refused(&host, &["call", "downcase", "a", "b"], &["one input", "--policy"]);
    refused(&host, &["call", "downcase", "a", "--policy"], &["no reply-policy role"]);

    let mut command = tidegate();
    command.args(["plugin", "call", "typed", "-", "--admin", host.surface("admin").trim_start_matches("http://")]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"\xff\xfe").unwrap();
    let stdout = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(stdout.ends_with("body (base64): //4=\n"), "{stdout}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn refusals_say_what_to_do() {
    let host = super::host();
    refused(&host, &["rollback", "nobody"], &["no plugin is named nobody"]);
    refused(&host, &["load", "x", "nowhere.wasm"], &["nowhere.wasm", "No such file"]);
    refused(&host, &["load", "No", "x.wasm"], &["`No`", "[a-z0-9]"]);
    std::fs::write(host.directory.path().join("wrong.wasm"), fixtures::wrong_world()).unwrap();
    let problem =
        refused(&host, &["load", "x", "wrong.wasm", "--json"], &["x is refused: type-check: exports neither"]);
    let problem: Value = serde_json::from_str(&problem).expect("a problem");
    assert_eq!((&problem["stage"], &problem["status"]), (&json!("type-check"), &json!(422)));
    refused(&host, &["list", "--admin=127.0.0.1:1"], &["no host answers at http://127.0.0.1:1", "--admin"]);
    refused(&host, &["list", "--admin=none"], &["--admin"]);
    let public = host.surface("http").trim_start_matches("http://").to_owned();
    refused(&host, &["rollback", "x", "--admin", &public], &["error: "]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_token_is_read_from_its_file() {
    let setup = Setup::new().committed("downcase");
    std::fs::write(setup.path().join("token"), "0123456789abcdef\n").unwrap();
    std::fs::write(setup.path().join("other"), "fedcba9876543210\n").unwrap();
    let host = setup.config("[admin]\ntoken_file = 'token'").start();
    refused(&host, &["list"], &["admin.token_file", "--token-file"]);
    refused(&host, &["list", "--token-file=other"], &["admin.token_file"]);
    refused(&host, &["list", "--token-file=nowhere"], &["token file nowhere", "No such file"]);
    assert!(host.output("plugin", &["list", "--token-file=token"]).contains("downcase"));
    // All commands know it from the same variable.
    let admin = host.surface("admin").trim_start_matches("http://");
    for arguments in [&["list"][..], &["show"], &["replay", "--all"]] {
        for (file, code) in [("token", 0), ("other", 1)] {
            let mut command = tidegate();
            command.current_dir(host.directory.path()).env("TIDEGATE_ADMIN_TOKEN_FILE", file);
            let output = command.arg("dead-letters").args(arguments).args(["--admin", admin]).output().unwrap();
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    assert_eq!(host.stop(), 0);
}
