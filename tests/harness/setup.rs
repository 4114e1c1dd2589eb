//! What a host is started with: its directory, flags, environment, configuration file and limits.

use super::{Host, LONG_PATIENCE, Process, bytes};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Environment variables, in capitals, that are not Tidegate's own and that change what the binary does.
const CHANGING: [&str; 19] = [
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
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SERVICE_NAME",
    "REGISTRY_AUTH_FILE",
    "RUSTC",
    "RUST_BACKTRACE",
    "RUST_LIB_BACKTRACE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];

/// The binary, without the environment variables that change what it does, and with a cache directory for the tests.
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

/// What a host is started with.
pub struct Setup {
    directory: tempfile::TempDir,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    config: String,
    files_max: Option<u32>,
}

impl Setup {
    /// A host in an empty directory, with each surface on a free port.
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

    /// As [`Setup::new`], in the directory of a host that has ended.
    pub fn after(host: &mut Host) -> Self {
        let mut setup = Self::new();
        std::mem::swap(&mut setup.directory, &mut host.directory);
        setup
    }

    /// As [`Setup::new`], but with what the configuration says; the admin surface alone is on a free port.
    pub fn configured() -> Self {
        let mut setup = Self::new();
        setup.arguments.retain(|argument| argument.starts_with("--admin"));
        setup
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Adds flags. A flag replaces an earlier one of the same name; `--plugin` flags add up.
    pub fn with(mut self, arguments: &[&str]) -> Self {
        for argument in arguments.iter().filter(|argument| !argument.starts_with("--plugin")) {
            let flag = argument.split_inclusive('=').next().unwrap();
            self.arguments.retain(|earlier| !earlier.starts_with(flag));
        }
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Writes a component into the directory and passes it as `--plugin`.
    pub fn plugin(mut self, name: &str, component: &[u8]) -> Self {
        let path = self.path().join(format!("{name}.wasm"));
        std::fs::write(&path, component).unwrap();
        self.arguments.push(format!("--plugin={name}={}", path.display()));
        self
    }

    /// As [`Setup::plugin`], with a copy of a committed component.
    pub fn committed(self, name: &str) -> Self {
        self.plugin(name, &bytes(name))
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Appends to the configuration file.
    pub fn config(mut self, toml: &str) -> Self {
        self.config.push_str(toml);
        self.config.push('\n');
        self
    }

    /// Limits the host's open files, as `ulimit -n` does.
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

    /// Starts the host and waits for the line `ready`.
    #[track_caller]
    pub fn start(self) -> Host {
        self.start_with_stderr(Stdio::piped())
    }

    /// As [`Setup::start`], with a stderr that the test chooses.
    #[track_caller]
    pub fn start_with_stderr(self, stderr: impl Into<Stdio>) -> Host {
        let command = self.command();
        self.start_command(command, stderr)
    }

    /// As [`Setup::start`], with what was made of the command.
    #[track_caller]
    pub fn start_as(self, change: impl FnOnce(&Path, &Command) -> Command) -> Host {
        let command = change(self.path(), &self.command());
        self.start_command(command, Stdio::piped())
    }

    #[track_caller]
    fn start_command(self, mut command: Command, stderr: impl Into<Stdio>) -> Host {
        let process = Process::start_with_stderr(&mut command, stderr);
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

/// The same command with its soft and hard limit of open files lowered.
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
