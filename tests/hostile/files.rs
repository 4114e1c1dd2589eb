//! Files that are not regular, too large or damaged.

use super::components::noise;
use super::{add_files, call_each, has_line, host, log_of, with_good_answers};
use crate::harness::{Process, bytes, tidegate};
use std::process::Command;

#[test]
fn what_is_no_file_or_too_large_a_one_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::os::unix::fs::symlink("nowhere", path("dangling.wasm")).unwrap();
    std::os::unix::fs::symlink("circle.wasm", path("circle.wasm")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", path("endless.wasm")).unwrap();
    // A sparse file, so that nothing is written.
    std::fs::File::create(path("huge.wasm")).unwrap().set_len((256 << 20) + 1).unwrap();
    assert!(Command::new("mkfifo").arg(path("fifo.wasm")).status().unwrap().success());
    for (name, text) in [
        ("dangling.wasm", "No such file"),
        ("circle.wasm", "symbolic links"),
        ("endless.wasm", "not a regular file"),
        ("fifo.wasm", "not a regular file"),
        ("huge.wasm", "larger than component_bytes_max 268435456"),
    ] {
        let mut process = Process::start(tidegate().args(["plugin", "check"]).arg(path(name)));
        assert_eq!(process.wait().code(), Some(1), "{name}");
        let stderr = process.stderr();
        assert!(stderr.contains("is refused: read: ") && stderr.contains(text), "{name}: {stderr}");
    }
}

/// Copies that are cut off at every 2 KiB, and copies with one flipped bit.
#[test]
fn damaged_copies_of_a_good_component_are_refused_or_whole() {
    let good = bytes("downcase");
    let cuts = (1024..good.len()).step_by(2048).map(|at| (format!("cut-{at}"), good[..at].to_vec()));
    let cuts: Vec<_> = cuts.collect();
    let places = noise(3, 3 * 32);
    let flips = places.chunks(3).map(|place| {
        let at = usize::from_be_bytes([0, 0, 0, 0, 0, place[0], place[1], place[2]]) % (good.len() * 8);
        let mut bytes = good.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        (format!("flip-{at}"), bytes)
    });
    let flips: Vec<_> = flips.collect();
    let host = host("[limits]\ncall_deadline_ms = 2000");
    let files = || cuts.iter().chain(&flips).map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    with_good_answers(&host, || {
        add_files(&host, files());
        for (name, _) in &cuts {
            let answer = host.get(&format!("/{name}/?param=HeLLo"));
            let whole = (answer.status, answer.text()) == (200, "lower case of HeLLo is hello");
            assert!(whole || answer.status == 503, "{name}: {}", answer.text());
        }
        // The flipped bit may be in a text or a number of the guest, so any answer is right.
        call_each(&host, &flips.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>());
    });
    let log = log_of(host);
    for (name, _) in files() {
        let outcomes =
            ["generation=1", "reason=\"compile: ", "reason=\"type-check: ", "reason=\"probe: ", "reason=\"examples: "];
        assert!(outcomes.iter().any(|outcome| has_line(&log, name, &["loaded", outcome])), "{name}");
    }
}
