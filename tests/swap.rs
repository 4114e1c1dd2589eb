//! A plugin's file is replaced and the next message uses the new component; a bad file changes nothing.

mod directory;
mod file;
mod traffic;

use crate::harness::{Host, LONG_PATIENCE, Setup, bytes, wait_up_to};
use std::path::Path;

/// Replaces a file atomically, as installers do.
fn rename_over(path: &Path, content: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, content).unwrap();
    std::fs::rename(new, path).unwrap();
}

#[track_caller]
fn wait_for_generation(host: &Host, generation: u64, text: &str) {
    wait_up_to(LONG_PATIENCE, &format!("generation {generation}"), || {
        let answer = host.get("/x/?param=AbC");
        assert_eq!(answer.status, 200, "{}", answer.text());
        (answer.header("tidegate-generation") == generation.to_string()).then(|| assert_eq!(answer.text(), text))
    });
}

/// A host with a plugin `x`, which is downcase at first.
fn host() -> Host {
    Setup::new().plugin("x", &bytes("downcase")).start()
}
