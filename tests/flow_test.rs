//! `tidegate flow test` runs flows on their examples, in sandboxes and without a host.

use crate::fixtures;
use crate::harness::{Process, bytes, tidegate};
use std::path::Path;

/// Two flows: one through two plugins to two sinks, one through a plugin that traps. None of their endpoints is used.
const CONFIG: &str = "\
[sockets.names]
type = \"pull\"
bind = [\"tcp://127.0.0.1:1\"]

[sockets.more]
type = \"sub\"
connect = [\"tcp://127.0.0.1:2\"]

[sockets.archive]
type = \"push\"
connect = [\"tcp://127.0.0.1:3\"]

[plugins.bad]
path = \"bad.wasm\"

[flows.shout]
from = [\"more\", \"names\"]
through = [\"downcase\", \"upcase\"]
to = [\"publish\", \"archive\"]

[flows.careful]
from = [\"more\"]
through = [\"bad\"]
to = [\"archive\"]
on_error = \"ON_ERROR\"
";

const EXAMPLES: &str = "\
[[example]]
name = \"names are shouted\"
flow = \"shout\"
in.names = [[\"AbC\"], [\"t\", \"d\"]]
out.publish = [[\"upper case of lower case of AbC is abc is LOWER CASE OF ABC IS ABC\"], [\"t\", \"upper case of lower case of d is d is LOWER CASE OF D IS D\"]]
out.archive = [[\"upper case of lower case of AbC is abc is LOWER CASE OF ABC IS ABC\"], [\"t\", \"upper case of lower case of d is d is LOWER CASE OF D IS D\"]]

[[example]]
flow = \"shout\"
in.more = [[{ base64 = \"/w==\" }], [\"A\"]]
out.archive = [[\"upper case of lower case of A is a is LOWER CASE OF A IS A\"]]
fails = [{ plugin = \"downcase\", reason = \"rejected\", contains = \"UTF-8\", then = \"dead-letter\" }]
";

/// Runs the command in a folder with these files.
fn run(config: &str, examples: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).unwrap();
    std::fs::create_dir(directory.path().join("plugins")).unwrap();
    for name in ["downcase", "upcase"] {
        write(&format!("plugins/{name}.wasm"), &bytes(name));
    }
    write("bad.wasm", &fixtures::trapping());
    write("tidegate.toml", config.as_bytes());
    write("tidegate.test.toml", examples.as_bytes());
    let mut command = tidegate();
    command.current_dir(directory.path()).env("XDG_CACHE_HOME", cache()).args(["flow", "test"]).args(arguments);
    let mut process = Process::start(&mut command);
    (process.wait().code(), process.stdout(), process.stderr())
}

/// One for all runs, so that each component is compiled once.
fn cache() -> &'static Path {
    static CACHE: std::sync::LazyLock<tempfile::TempDir> = std::sync::LazyLock::new(|| tempfile::tempdir().unwrap());
    CACHE.path()
}

#[test]
fn a_flow_that_keeps_its_promises_passes() {
    let config = CONFIG.replace("ON_ERROR", "drop");
    let (code, stdout, stderr) = run(&config, EXAMPLES, &[]);
    assert_eq!(stdout, "ok      shout: names are shouted\nok      shout: example 2\n2 passed, 0 failed\n", "{stderr}");
    assert_eq!(code, Some(0));
    let (code, stdout, _) = run(&config, EXAMPLES, &["tidegate.toml", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &report["passed"], &report["examples"][1]["difference"]), (Some(0), &2.into(), &().into()));
}

#[test]
fn a_difference_is_shown_where_it_is() {
    let config = CONFIG.replace("ON_ERROR", "drop");
    let missing = EXAMPLES.replace(
        "out.archive = [[\"upper case of lower case of A ",
        "out.archive = [[\"upper case of lower case of B ",
    );
    let (code, stdout, stderr) = run(&config, &missing, &[]);
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    for part in [
        "FAILED  shout: example 2\n   frame 0 of message 0 to archive differs at byte 28\n",
        "^",
        "1 passed, 1 failed\n",
    ] {
        assert!(stdout.contains(part), "{part} is not in {stdout}");
    }
    for (from, to, difference) in [
        (
            "[\"A\"]]",
            "[\"A\"], [\"B\"]]",
            "number of messages to archive differs\n   expected 1\n   got      2: \"upper case",
        ),
        (
            "reason = \"rejected\"",
            "reason = \"failed\"",
            "the reason of failure 0 differs\n   expected failed\n   got      rejected",
        ),
        (
            "fails = [{",
            "# fails = [{",
            "number of failures differs\n   expected 0\n   got      1: downcase: rejected: ",
        ),
        (
            "then = \"dead-letter\"",
            "then = \"stop\"",
            "the consequence of failure 0 differs\n   expected Stop\n   got      DeadLetter",
        ),
    ] {
        let (code, stdout, _) = run(&config, &EXAMPLES.replace(from, to), &[]);
        assert!(code == Some(1) && stdout.contains(difference), "{difference} is not in {stdout}");
    }
}

/// What a host would do where a plugin breaks down, happens here.
#[test]
fn what_becomes_of_a_message_that_fails_can_be_promised() {
    for (on_error, out) in [("dead-letter", ""), ("drop", ""), ("stop", ""), ("pass", "[\"x\"], [\"y\"]")] {
        let failure = format!("{{ plugin = \"bad\", reason = \"trapped\", then = \"{on_error}\" }}");
        // A flow that has stopped takes no other message.
        let failures = if on_error == "stop" { failure } else { format!("{failure}, {failure}") };
        let examples = format!(
            "[[example]]\nflow = \"careful\"\nin.more = [[\"x\"], [\"y\"]]\nout.archive = [{out}]\nfails = [{failures}]\n"
        );
        let (code, stdout, stderr) = run(&CONFIG.replace("ON_ERROR", on_error), &examples, &[]);
        assert_eq!(
            (code, stdout.as_str()),
            (Some(0), "ok      careful: example 1\n1 passed, 0 failed\n"),
            "{on_error}: {stderr}"
        );
    }
}

#[test]
fn what_cannot_be_tried_is_named_with_a_remedy() {
    let config = CONFIG.replace("ON_ERROR", "drop");
    let example = "[[example]]\nflow = \"shout\"\nin.names = []\n";
    for (config, examples, arguments, words) in [
        (config.as_str(), "", &[][..], "tidegate.test.toml: there are no examples: write [[example]]"),
        (&config, EXAMPLES, &["--examples=nowhere.toml"], "reading the examples nowhere.toml: No such file"),
        (
            &config.replace("[\"downcase\", ", "[\"missing\", "),
            example,
            &[],
            "set plugins.missing.path, or put it at plugins/missing.wasm",
        ),
        (&config.replace("to = [\"archive\"]", "to = [\"archiv\"]"), example, &[], "line 24"),
    ] {
        let (code, stdout, stderr) = run(config, examples, arguments);
        assert!(code == Some(1) && stdout.is_empty() && stderr.contains(words), "{words} is not in: {stderr}");
    }
}
