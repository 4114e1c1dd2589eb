//! Starts the host as a user would, and reads its answers, its log and its end.

pub use crate::client::{Answer, Client};

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The longest that any one condition may take to come true, on a slow and busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// After this a child is killed, so that no test waits for ever.
const WATCHDOG: Duration = Duration::from_secs(180);

/// The repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A committed component.
pub fn component(name: &str) -> PathBuf {
    root().join(format!("plugins/{name}.wasm"))
}

/// The binary, with nothing of the environment that could change what it does.
pub fn tidegate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TIDEGATE_") {
            command.env_remove(name);
        }
    }
    command
}

/// Waits until `condition` gives something.
#[track_caller]
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A child process with its output collected, killed by a watchdog or when it is dropped.
pub struct Process {
    child: Child,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
    ended: Arc<AtomicBool>,
}

impl Process {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        let ended = Arc::new(AtomicBool::new(false));
        let (watched, pid) = (Arc::clone(&ended), child.id());
        std::thread::spawn(move || {
            let started = Instant::now();
            while started.elapsed() < WATCHDOG && !watched.load(Ordering::Relaxed) {
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

    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for the end, and for all output.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let status = wait_for("the process to end", || self.child.try_wait().unwrap());
        self.ended.store(true, Ordering::Relaxed);
        wait_for("the end of its output", || {
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
        let started = Instant::now();
        while !self.stderr().lines().any(|line| words.iter().all(|word| line.contains(word))) {
            assert!(started.elapsed() < PATIENCE, "no line of the log has {words:?}:\n{}", self.stderr());
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

fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
}

/// Reads a pipe to its end in a thread; the thread's reference goes away with the end.
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

/// A host that is ready, in a directory of its own.
pub struct Host {
    pub process: Process,
    pub directory: tempfile::TempDir,
    surfaces: BTreeMap<String, String>,
}

/// What a host is started with.
pub struct Setup {
    directory: tempfile::TempDir,
    arguments: Vec<String>,
    config: String,
}

impl Setup {
    /// All surfaces on free ports, in an empty directory.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let any = [
            "--http=127.0.0.1:0",
            "--admin=127.0.0.1:0",
            "--publish=tcp://127.0.0.1:*",
            "--frontend=tcp://127.0.0.1:*",
        ];
        Self { directory, arguments: any.map(str::to_owned).into(), config: String::new() }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Adds flags; a surface's flag replaces the one that is there.
    pub fn with(mut self, arguments: &[&str]) -> Self {
        for argument in arguments.iter().filter(|argument| !argument.starts_with("--plugin")) {
            let flag = argument.split_inclusive('=').next().unwrap();
            self.arguments.retain(|earlier| !earlier.starts_with(flag));
        }
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Writes a component into the directory and names it.
    pub fn plugin(mut self, name: &str, component: &[u8]) -> Self {
        let path = self.path().join(format!("{name}.wasm"));
        std::fs::write(&path, component).unwrap();
        self.arguments.push(format!("--plugin={name}={}", path.display()));
        self
    }

    /// Names a copy of a committed component.
    pub fn committed(self, name: &str) -> Self {
        let bytes = std::fs::read(component(name)).unwrap();
        self.plugin(name, &bytes)
    }

    /// Adds to the configuration file.
    pub fn config(mut self, toml: &str) -> Self {
        self.config.push_str(toml);
        self.config.push('\n');
        self
    }

    /// The command, not yet started.
    pub fn command(&self) -> Command {
        let mut command = tidegate();
        command.current_dir(self.path()).args(&self.arguments).env("XDG_CACHE_HOME", self.path().join("cache"));
        if !self.config.is_empty() {
            let file = self.path().join("tidegate.toml");
            std::fs::write(&file, &self.config).unwrap();
            command.arg("--config").arg(file);
        }
        command
    }

    /// Starts and waits for `ready`.
    #[track_caller]
    pub fn start(self) -> Host {
        let process = Process::start(&mut self.command());
        let started = Instant::now();
        while !process.stdout().ends_with("ready\n") {
            assert!(started.elapsed() < PATIENCE, "not ready:\n{}", process.stderr());
            std::thread::sleep(Duration::from_millis(2));
        }
        let surfaces = process
            .stdout()
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(name, place)| (name.to_owned(), place.to_owned()))
            .collect();
        Host { process, directory: self.directory, surfaces }
    }
}

impl Host {
    /// Where a surface is: `http`, `admin`, `publish` or `frontend`.
    pub fn surface(&self, name: &str) -> &str {
        &self.surfaces[name]
    }

    pub fn plugin_path(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.wasm"))
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, None)
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &[u8]) -> Answer {
        self.request("POST", path, Some(body))
    }

    #[track_caller]
    pub fn request(&self, method: &str, path: &str, body: Option<&[u8]>) -> Answer {
        Client::new(self).request(method, path, body).expect("the host answers")
    }

    pub fn admin(&self, path: &str) -> Answer {
        Client::at(self.surface("admin")).request("GET", path, None).expect("the admin surface answers")
    }

    #[track_caller]
    pub fn admin_request(&self, method: &str, path: &str, body: Option<&[u8]>) -> Answer {
        Client::at(self.surface("admin")).request(method, path, body).expect("the admin surface answers")
    }

    /// What the admin surface tells of a plugin.
    #[track_caller]
    pub fn status(&self, plugin: &str) -> serde_json::Value {
        let answer = self.admin(&format!("/plugins/{plugin}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Stops in order and gives the exit code; every hop of the ledger must be even by then.
    #[track_caller]
    pub fn stop(mut self) -> i32 {
        self.process.signal("TERM");
        let code = self.process.wait().code().expect("an exit code");
        assert_balanced(&self.process.stderr());
        code
    }
}

/// in = out + dropped at every hop, and nothing in flight, as the last lines of the log say.
#[track_caller]
pub fn assert_balanced(log: &str) {
    let lines: Vec<_> = log.lines().filter_map(|line| line.split_once("ledger ")).collect();
    assert_eq!(lines.len(), 6, "a ledger line per hop:\n{log}");
    for (_, line) in lines {
        let figures: BTreeMap<&str, u64> = line
            .split_whitespace()
            .filter_map(|word| word.split_once('='))
            .map(|(name, count)| (name, count.parse().expect("a count")))
            .collect();
        let dropped: u64 =
            figures.iter().filter(|(name, _)| !["in", "out", "in-flight"].contains(name)).map(|(_, count)| count).sum();
        assert_eq!(figures["in"], figures["out"] + dropped + figures["in-flight"], "{line}");
        assert_eq!(figures["in-flight"], 0, "{line}");
    }
}
