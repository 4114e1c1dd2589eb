//! Examples called `processor`, and those of earlier names with a plugin of version 0.2.0.

use crate::fixtures::{self, custom_section};
use crate::harness::{Process, Setup, tidegate};

const KEPT: &str = r#"
[[processor]]
name = "splits"
input.frames = ["t", "split:a,b"]
expect.messages = [{ frames = ["t", "a"] }, { frames = ["t", "b"], metadata = [] }]

[[processor]]
name = "keeps bytes"
input.metadata = [["k", "v"]]
input.frames = [{ base64 = "/w==" }]
expect.messages = [{ frames = [{ base64 = "/w==" }] , metadata = [["k", "v"]] }]

[[processor]]
name = "filters"
input.frames = ["filter"]
expect.messages = []

[[processor]]
name = "rejects"
input.frames = ["reject:not today"]
expect = { error = "rejected", error_contains = "today" }

[[transform]]
name = "maps"
input.topic = "t"
input.body = "map:a"
expect = { topic = "t", body = "A" }

[[transform]]
name = "filters a body"
input.body = "filter"
expect.filtered = true

[[reply-policy]]
name = "replies"
input.frames = ["split:a,a"]
expect = { replies_min = 2, replies_max = 2, delay_ms_max = 10, frames = ["a"] }
"#;

fn test(component: &[u8], examples: &str) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().unwrap();
    let [file, toml] = ["p.wasm", "examples.toml"].map(|name| directory.path().join(name));
    std::fs::write(&file, component).unwrap();
    std::fs::write(&toml, examples).unwrap();
    let mut process = Process::start(tidegate().args(["plugin", "test"]).arg(&file).arg("--examples").arg(&toml));
    (process.wait().code(), process.stdout() + &process.stderr())
}

#[test]
fn examples_of_all_kinds_are_kept() {
    let (code, output) = test(&fixtures::processor(), KEPT);
    assert!(code == Some(0) && output.contains("7 passed, 0 failed\n"), "{output}");
    // Those of processors are also for a transform of version 0.1.0.
    let of_old = "[[processor]]\ninput.frames = ['aB']\nexpect.messages = [{ frames = ['lower case of aB is ab'] }]";
    let (code, output) = test(&fixtures::first_contract(), of_old);
    assert!(code == Some(0) && output.contains("1 passed, 0 failed\n"), "{output}");
}

#[test]
fn differences_are_told_by_message_and_frame() {
    for (input, expect, difference) in [
        (
            "'t', 'split:a,b'",
            "[{ frames = ['t', 'a'] }, { frames = ['t', 'c'] }]",
            "frame 1 of message 1 differs at byte 0\n   expected \"c\"\n             ^\n   got      \"b\"\n             ^\n",
        ),
        (
            "'split:a,b'",
            "[{ frames = ['a'] }]",
            "number of messages differs\n   expected 1\n   got      2, the first that is not expected being \"b\"\n",
        ),
        ("'filter'", "[{ frames = ['a'] }]", "number of messages differs\n   expected 1\n   got      0\n"),
        (
            "'t', 'map:a'",
            "[{ frames = ['t'] }]",
            "number of frames of message 0 differs\n   expected 1\n   got      2: \"t\", \"A\"\n",
        ),
        ("'a'", "[{ metadata = [['k', 'v']] }]", "metadata of message 0 differs\n   expected [(\"k\", \"v\")]"),
        (
            "'no-frames'",
            "[]",
            "the end of the call differs\n   expected an answer\n   got      message 1 has no frames\n",
        ),
    ] {
        let example = format!("[[processor]]\ninput.frames = [{input}]\nexpect.messages = {expect}");
        let (code, output) = test(&fixtures::processor(), &example);
        assert!(code == Some(1) && output.contains(difference), "{difference}\nis not in\n{output}");
    }
    let (code, output) = test(&fixtures::processor(), "[[transform]]\ninput.body = 'split:a,b'\nexpect.body = 'a'");
    assert!(
        code == Some(1) && output.contains("got      2 messages, of which examples called processor tell"),
        "{output}"
    );
}

#[test]
fn a_load_is_refused_for_an_example_that_fails() {
    let host = Setup::new().plugin("p", &fixtures::processor()).start();
    let promising = |examples: &str| {
        [&fixtures::processor()[..], &custom_section("tidegate:examples", examples.as_bytes())].concat()
    };
    let broken = "[[processor]]\ninput.frames = ['map:a']\nexpect.messages = [{ frames = ['B'] }]";
    let refused = host.admin_request("PUT", "/plugins/p", Some(&promising(broken)));
    assert_eq!((refused.status, &refused.json()["stage"]), (422, &"examples".into()), "{}", refused.text());
    assert_eq!(host.admin_request("PUT", "/plugins/p", Some(&promising(KEPT))).status, 200);
    assert_eq!(host.status("p")["generation"], 2);
    assert_eq!(host.stop(), 0);
}
