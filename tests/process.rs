//! A child process that a watchdog ends, with its output collected while it runs.

use crate::harness::{END_PATIENCE, PATIENCE, wait_up_to};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The time after which a child process is killed, so that no test waits for ever.
fn watchdog() -> Duration {
    const ORDINARY: Duration = Duration::from_secs(180);
    // The tests of endurance, of swaps and of newcomers last as long as these variables say; on a slow machine the swaps of a
    // second take several.
    let asked = |variable| std::env::var(variable).ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let asked = asked("TIDEGATE_ENDURE_SECONDS")
        + 10 * asked("TIDEGATE_SOAK_SECONDS")
        + asked("TIDEGATE_MIXED_MESSAGES") / 1_000;
    ORDINARY + Duration::from_secs(asked)
}

/// A child process. Its output is collected; it is killed by the watchdog or on drop.
pub struct Process {
    child: Child,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
    ended: Arc<AtomicBool>,
}

impl Process {
    pub fn start(command: &mut Command) -> Self {
        Self::start_with_stderr(command, Stdio::piped())
    }

    /// Starts with a stderr that the test chooses; it is collected only if it is piped.
    pub fn start_with_stderr(command: &mut Command, stderr: impl Into<Stdio>) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().expect("the binary starts");
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = child.stderr.take().map_or_else(Arc::default, collect);
        let ended = Arc::new(AtomicBool::new(false));
        let (watched, pid) = (Arc::clone(&ended), child.id());
        std::thread::spawn(move || {
            let started = Instant::now();
            while started.elapsed() < watchdog() && !watched.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(100));
            }
            if !watched.load(Ordering::Relaxed) {
                signal(pid, "KILL");
            }
        });
        Self { child, stdout, stderr, ended }
    }

    pub fn stdout(&self) -> String {
        self.stdout.lock().unwrap().clone()
    }

    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Whether the process has ended, by itself or by a signal.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Waits until the process has ended and all of its output is collected.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let status = wait_up_to(END_PATIENCE, "the process to end", || self.child.try_wait().unwrap());
        self.ended.store(true, Ordering::Relaxed);
        wait_up_to(PATIENCE, "the end of its output", || {
            (Arc::strong_count(&self.stdout) == 1 && Arc::strong_count(&self.stderr) == 1).then_some(())
        });
        status
    }

    /// Waits until a line of stderr contains `text`.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        self.wait_for_line(&[text]);
    }

    /// Waits until one line of stderr contains all of `words`.
    #[track_caller]
    pub fn wait_for_line(&self, words: &[&str]) {
        self.wait_for_line_up_to(PATIENCE, words);
    }

    /// As [`Process::wait_for_line`], for up to `patience`.
    #[track_caller]
    pub fn wait_for_line_up_to(&self, patience: Duration, words: &[&str]) {
        let started = Instant::now();
        while !self.stderr().lines().any(|line| words.iter().all(|word| line.contains(word))) {
            assert!(started.elapsed() < patience, "no line of the log has {words:?}:\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- stderr of process {}\n{}", self.child.id(), self.stderr());
        }
    }
}

/// The resident memory of a process.
#[cfg(target_os = "linux")]
pub fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process that has not ended");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a process that has memory");
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

pub fn signal(pid: u32, name: &str) {
    // The command `kill` is not installed on every machine.
    let signal = match name {
        "CONT" => Signal::CONT,
        "HUP" => Signal::HUP,
        "INT" => Signal::INT,
        "KILL" => Signal::KILL,
        "STOP" => Signal::STOP,
        "TERM" => Signal::TERM,
        name => panic!("a signal named {name}"),
    };
    // The process may have ended by itself; then there is nothing to signal.
    let _ = kill_process(Pid::from_raw(pid as i32).expect("a process"), signal);
}

/// Reads a pipe to its end in a thread, which drops its reference to the text at the end.
fn collect(pipe: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&text);
    std::thread::spawn(move || {
        let mut lines = BufReader::new(pipe);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            into.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
    text
}
