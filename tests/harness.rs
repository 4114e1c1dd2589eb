//! Starts the host as a user would, and reads its answers and its end.

pub use crate::balance::assert_balanced;
pub use crate::client::{Answer, Client};
pub use crate::process::Process;

use crate::balance::assert_even;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
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

/// Variables of others that a machine may have and that change what the binary does, in capitals.
const CHANGING: [&str; 17] = [
    "ALL_PROXY",
    "CARGO_BUILD_TARGET",
    "CARGO_UNSTABLE_BUILD_STD",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "DOCKER_CONFIG",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NOTIFY_SOCKET",
    "NO_COLOR",
    "NO_PROXY",
    "REGISTRY_AUTH_FILE",
    "RUSTC",
    "RUST_BACKTRACE",
    "RUST_LIB_BACKTRACE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];

/// The binary, with nothing of the environment that could change what it does, and with a cache of its own.
pub fn tidegate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_uppercase();
        if text.starts_with("TIDEGATE_") || CHANGING.contains(&text.as_str()) {
            command.env_remove(name);
        }
    }
    command.env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    command
}

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
    environment: Vec<(&'static str, String)>,
    config: String,
    files_max: Option<u32>,
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
        Self {
            directory,
            arguments: any.map(str::to_owned).into(),
            environment: Vec::new(),
            config: String::new(),
            files_max: None,
        }
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
        self.plugin(name, &bytes(name))
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Adds to the configuration file.
    pub fn config(mut self, toml: &str) -> Self {
        self.config.push_str(toml);
        self.config.push('\n');
        self
    }

    /// Lets it open no more files than so many.
    pub fn files_max(mut self, count: u32) -> Self {
        self.files_max = Some(count);
        self
    }

    /// The command, not yet started.
    pub fn command(&self) -> Command {
        let mut command = tidegate();
        command.current_dir(self.path()).args(&self.arguments).env("XDG_CACHE_HOME", self.path().join("cache"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if !self.config.is_empty() {
            let file = self.path().join("tidegate.toml");
            std::fs::write(&file, &self.config).unwrap();
            command.arg("--config").arg(file);
        }
        match self.files_max {
            Some(count) => with_files_max(count, &command),
            None => command,
        }
    }

    /// Starts and waits for `ready`.
    #[track_caller]
    pub fn start(self) -> Host {
        self.start_with_stderr(Stdio::piped())
    }

    /// As [`Setup::start`], with a stderr of the test's own.
    #[track_caller]
    pub fn start_with_stderr(self, stderr: impl Into<Stdio>) -> Host {
        let process = Process::start_with_stderr(&mut self.command(), stderr);
        let started = Instant::now();
        while !process.stdout().ends_with("ready\n") {
            assert!(started.elapsed() < LONG_PATIENCE, "not ready:\n{}", process.stderr());
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

/// The same command, under a limit that it cannot raise.
fn with_files_max(count: u32, command: &Command) -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -n {count} && exec \"$0\" \"$@\"")]);
    limited.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        limited.current_dir(directory);
    }
    limited
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

    /// What came in at each hop and plugin so far, and what became of it.
    #[track_caller]
    pub fn ledger(&self) -> serde_json::Value {
        let client = Client::at(self.surface("admin"));
        // Where the test gave the host a token.
        let token = std::fs::read_to_string(self.directory.path().join("token")).unwrap_or_default();
        let bearer = format!("Bearer {}", token.trim());
        let answer = client.request_with("GET", "/ledger", &[("authorization", &bearer)], None);
        let answer = answer.expect("the admin surface answers");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Stops in order and gives the exit code; every hop of the ledger must be even by then.
    #[track_caller]
    pub fn stop(mut self) -> i32 {
        self.process.signal("TERM");
        self.wait()
    }

    /// As [`Host::stop`], with what it wrote to stderr; its directory stays.
    #[track_caller]
    pub fn stop_and_tell(&mut self) -> (i32, String) {
        self.process.signal("TERM");
        (self.wait(), self.process.stderr())
    }

    /// Waits for an orderly end that was asked for otherwise; as [`Host::stop`].
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        let code = self.process.wait().code().expect("an exit code");
        assert_balanced(&self.process.stderr());
        code
    }
}

/// At the end of every test that did not stop its host: the ledger is even at that moment, whatever is in flight.
impl Drop for Host {
    fn drop(&mut self) {
        let told = self.surface("admin") != "none";
        if told && !std::thread::panicking() && !self.process.has_ended() {
            assert_even(&self.ledger());
        }
    }
}
