//! The files that traffic is captured in: what is read of them, and what is refused.

use super::{Bench, counts, echoing, groups, letter, message};
use crate::fixtures;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[test]
fn a_capture_is_compared_as_dead_letters_are() {
    let bench =
        Bench::new(&fixtures::drawing(), &[&fixtures::drawing()[..], &fixtures::custom_section("x", b"")].concat());
    let report = bench.capture(&["a"; 1_000]).report(&["--max-diff=0"]);
    assert_eq!(
        (counts(&report), &report["skipped"]),
        (json!({"same": 1_000}), &json!({"without a call of a plugin": 1}))
    );
    bench.write("old.wasm", echoing()).write("new.wasm", fixtures::trapping_on(b'T'));
    let report = bench.capture(&["a", "b", "T"]).report(&[]);
    assert_eq!(groups(&report), ["new failure: trapped: 1, first Some(3)"]);
}

#[test]
fn a_capture_that_is_cut_off_is_compared_as_far_as_it_goes() {
    let bench = Bench::new(&echoing(), &echoing());
    // Chance, so that compression does not make it small.
    let mut state = 1_u64;
    let chance = (0..1 << 20).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'a' + (state >> 60) as u8)
    });
    let body: String = chance.collect();
    bench.capture(&[body.as_str(); 4]);
    let whole = std::fs::read(bench.path("letters")).unwrap();
    let whole_calls = |report: &Value| report["counts"]["same"].as_u64().unwrap();
    assert_eq!(whole_calls(&bench.report(&[])), 4);
    // Into the last chunk that has a call.
    bench.write("letters", &whole[..whole.len() / 2]);
    let ended = bench.diff(&["--json"]);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    assert!((1..4).contains(&whole_calls(&report)), "{report}");
    assert_eq!(report["skipped"]["that cannot be read"], 1, "{report}");
    bench.write("letters", &whole[..20]);
    bench.diff(&[]).fails(1, "letters: ");
}

#[test]
fn a_file_that_is_cut_off_is_compared_as_far_as_it_goes() {
    let bench = Bench::new(&echoing(), &echoing());
    let whole = letter("p", 1, message("a")) + &letter("p", 2, message("b"));
    bench.write("letters", &whole[..whole.len() - 40]);
    let report = bench.report(&[]);
    assert_eq!(counts(&report), json!({"same": 1}));
    assert_eq!(report["skipped"], json!({"that cannot be read": 1}));
    assert!(bench.diff(&[]).stderr.contains("letters:2: no letter: EOF"));
}

#[test]
fn what_is_no_capture_and_has_no_calls_is_refused() {
    let bench = Bench::new(&echoing(), &echoing());
    let refused = |content: &[u8], words: &str| bench.write("letters", content).diff(&[]).fails(1, words);
    refused(b"\0asm\r\0\x01\0", "letters is neither a capture nor a file of dead letters");
    refused(b"words\n", "letters is neither a capture nor a file of dead letters");
    refused(b"\x89MCAP0\r\n", "letters: ");
    refused(b"", "letters is empty");
    refused(b"{}\n", "it has no call to make again, but 1 that cannot be read");
    let reply = json!({"reply": {"identity_base64": "", "frames_base64": []}});
    refused(letter("p", 1, reply).as_bytes(), "it has no call to make again, but 1 without a call of a plugin");
    bench.run(&["diff", "old.wasm", "new.wasm", "--on=nowhere"]).fails(1, "reading nowhere: No such file");
    bench.bodies(&["a"]).write("new.wasm", b"\0asm");
    bench.diff(&[]).fails(1, "new.wasm is refused: compile: ");
}

#[test]
fn of_several_plugins_one_is_chosen() {
    let bench = Bench::new(&echoing(), &echoing());
    let calls = letter("a", 1, message("x")) + &letter("b", 2, message("x")) + &letter("b", 3, message("x"));
    bench.write("letters", calls);
    bench.diff(&[]).fails(1, "it has calls of several plugins: choose one with --plugin: a, b");
    bench.diff(&["--plugin=c"]).fails(1, "it has no call of the plugin c: choose one with --plugin: a, b");
    let report = bench.report(&["--plugin=b"]);
    assert_eq!((counts(&report), &report["skipped"]), (json!({"same": 2}), &json!({"of other plugins": 1})));
    // Neither answers requests.
    let request = json!({"request": {"identity_base64": "YQ==", "metadata": [], "frames_base64": []}});
    bench.write("letters", letter("a", 1, request.clone()) + &letter("a", 2, message("x")));
    let report = bench.report(&[]);
    assert_eq!((counts(&report), &report["skipped"]), (json!({"same": 1}), &json!({"in a role that neither has": 1})));
    bench.write("letters", letter("a", 1, request));
    bench.diff(&["--max-diff=100%"]).fails(1, "no input was compared");
}

/// The path of a file is what the command is given.
#[test]
fn files_are_named_as_they_were_given() {
    let bench = Bench::new(&echoing(), &echoing());
    bench.bodies(&["a"]);
    let report = bench.report(&[]);
    let name = |key: &str| Path::new(report[key]["file"].as_str().unwrap()).to_owned();
    assert_eq!((name("old"), name("new")), (PathBuf::from("old.wasm"), PathBuf::from("new.wasm")));
    assert_eq!(report["inputs"], "letters");
}
