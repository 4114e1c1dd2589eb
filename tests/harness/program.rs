//! Programs that a test writes and then runs.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a script that anybody may run.
///
/// Another process writes it, since this one must never have it open for writing: what another thread starts at that moment has
/// all open files of this process until it becomes its program, and as long as anybody has a file open for writing the system
/// runs it for nobody ("Text file busy").
#[track_caller]
pub fn write_program(path: &Path, text: &str) {
    let mut command = Command::new("sh");
    command.args(["-c", "cat > \"$0\" && chmod 755 \"$0\""]).arg(path).stdin(Stdio::piped());
    let mut writing = command.spawn().unwrap();
    writing.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(writing.wait().unwrap().success(), "{} is not written", path.display());
}

#[test]
fn a_program_is_run_at_once_whatever_other_threads_start() {
    const PROGRAMS: usize = 100;
    let directory = tempfile::tempdir().unwrap();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    let _ = Command::new("true").status();
                }
            });
        }
        let runs = (0..PROGRAMS).map(|number| {
            let program = directory.path().join(number.to_string());
            write_program(&program, "#!/bin/sh\nexit 7\n");
            Command::new(program).status().map(|status| status.code()).map_err(|error| error.to_string())
        });
        let failed: Vec<_> = runs.filter(|run| *run != Ok(Some(7))).collect();
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(failed.is_empty(), "{failed:?}");
    });
}
