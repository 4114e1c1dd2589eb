//! Starts the host as a user would, and reads its answers and its end.

mod host;
#[cfg(target_os = "linux")]
mod hosts;
mod program;
mod setup;

pub use crate::balance::assert_balanced;
pub use crate::client::{Answer, Client};
pub use crate::process::Process;
pub use host::Host;
#[cfg(target_os = "linux")]
pub use hosts::{has_names, with_names};
pub use program::write_program;
pub use setup::{Setup, tidegate};

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a test waits for what a host does at once, on a slow and busy machine: an answer, a message, a log line.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long a test waits for what includes a compilation (a start, a swap, a load over HTTP), because the compiler runs
/// at a low priority, and for what it does very often.
pub const LONG_PATIENCE: Duration = Duration::from_secs(60);
/// How long a test waits for a process to end: the grace period of ten seconds, and the work before and after it.
pub const END_PATIENCE: Duration = Duration::from_secs(30);
/// The root directory of the repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The path of a committed component.
pub fn component(name: &str) -> PathBuf {
    root().join(format!("plugins/{name}.wasm"))
}

/// The content of a committed component.
pub fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(component(name)).unwrap()
}

/// The answers of downcase and upcase to `AbC`.
pub const DOWN: &str = "lower case of AbC is abc";
pub const UP: &str = "upper case of AbC is ABC";

/// The frames of a request whose body is one empty frame, behind its delimiter; an echo replies with the same.
pub const EMPTY_REQUEST: [&[u8]; 2] = [b"", b""];

/// Polls `condition` until it returns a value, for up to [`PATIENCE`].
#[track_caller]
pub fn wait_for<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    wait_up_to(PATIENCE, what, condition)
}

/// As [`wait_for`], for up to `patience`.
#[track_caller]
pub fn wait_up_to<T>(patience: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(started.elapsed() < patience, "waited {} s in vain for {what}", patience.as_secs());
        std::thread::sleep(Duration::from_millis(5));
    }
}
