//! Starts the host as a user would, and reads its answers and its end.

mod host;
mod setup;

pub use crate::balance::assert_balanced;
pub use crate::client::{Answer, Client};
pub use crate::process::Process;
pub use host::Host;
pub use setup::{Setup, tidegate};

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What a host does at once may take so long on a slow and busy machine: an answer, a message, a line of the log.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// What it does beside all else: a component is compiled by a process that gives way to every other test, and a start, a swap and
/// a load over HTTP wait for that. So does what a test does very often.
pub const LONG_PATIENCE: Duration = Duration::from_secs(60);
/// An end: the grace period of ten seconds, and what comes before and after it.
pub const END_PATIENCE: Duration = Duration::from_secs(30);
/// The repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A committed component.
pub fn component(name: &str) -> PathBuf {
    root().join(format!("plugins/{name}.wasm"))
}

/// What a committed component holds.
pub fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(component(name)).unwrap()
}

/// What downcase and upcase say to `AbC`.
pub const DOWN: &str = "lower case of AbC is abc";
pub const UP: &str = "upper case of AbC is ABC";

/// What a DEALER sends, and gets back from an echo, where the body is one empty frame.
pub const EMPTY_REQUEST: [&[u8]; 2] = [b"", b""];

/// Waits until `condition` gives something.
#[track_caller]
pub fn wait_for<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    wait_up_to(PATIENCE, what, condition)
}

/// The same for what may take longer.
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
