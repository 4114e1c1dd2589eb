//! What people see in a terminal: colours where they are wanted, lines that fit, and questions before a file is lost.

use crate::harness::{PATIENCE, Setup, component, tidegate, wait_for, wait_up_to};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

/// A program in a terminal of its own, and what it has written there.
pub struct Terminal {
    pub child: Child,
    pub keyboard: File,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    /// Starts it; `stdout` says whether that is the terminal too, as stdin and stderr are.
    pub fn start(command: &mut Command, columns: u16, stdout: bool) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        tcsetwinsize(&master, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let end = || OpenOptions::new().read(true).write(true).open(&name).unwrap();
        let stdout = if stdout { end().into() } else { Stdio::piped() };
        let child = command.stdin(end()).stderr(end()).stdout(stdout).spawn().unwrap();
        // It holds what it was given: with another end of the terminal open, there would be no end of output.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let keyboard = File::from(master);
        let (screen, mut reading) = (Arc::<Mutex<String>>::default(), keyboard.try_clone().unwrap());
        let into = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            // Reading fails once the program has ended.
            while let Ok(count @ 1..) = reading.read(&mut bytes) {
                into.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Self { child, keyboard, screen }
    }

    pub fn screen(&self) -> String {
        self.screen.lock().unwrap().replace("\r\n", "\n")
    }

    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        wait_for(text, || self.screen().contains(text).then_some(()));
    }

    pub fn types(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Waits for its end, and for all that it wrote.
    #[track_caller]
    pub fn ended(&mut self) -> (ExitStatus, String) {
        let status = wait_up_to(2 * PATIENCE, "its end", || self.child.try_wait().unwrap());
        wait_for("the end of its output", || (Arc::strong_count(&self.screen) == 1).then_some(()));
        (status, self.screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines wider than this, but for single words that are, and for the line of usage, which clap leaves to the terminal.
fn too_wide(text: &str, columns: usize) -> Vec<&str> {
    let lines = text.lines().filter(|line| !line.starts_with("Usage: "));
    lines.filter(|line| line.chars().count() > columns && line.trim().contains(' ')).collect()
}

#[test]
fn help_and_tables_fit_a_narrow_terminal() {
    let host = Setup::new().committed("downcase").committed("random-replies").start();
    let admin = format!("--admin={}", host.surface("admin").trim_start_matches("http://"));
    for arguments in [&["--help"] as &[&str], &["plugin", "dev", "--help"], &["plugin", "list", &admin]] {
        let mut terminal = Terminal::start(tidegate().env("NO_COLOR", "1").args(arguments), 40, true);
        let (status, screen) = terminal.ended();
        assert!(status.success() && !screen.is_empty(), "{screen}");
        assert_eq!(too_wide(&screen, 40), [""; 0], "{arguments:?}:\n{screen}");
    }
    // All of it is there: what has no room in columns is a list.
    let mut terminal = Terminal::start(tidegate().args(["plugin", "list", &admin]), 40, true);
    let screen = terminal.ended().1;
    assert!(screen.contains("NAME        random-replies\n") && screen.contains("SOURCE "), "{screen}");
    // What goes elsewhere is as wide as it is, whatever the terminal.
    let mut terminal = Terminal::start(tidegate().args(["plugin", "list", &admin]), 40, false);
    let mut table = String::new();
    terminal.child.stdout.take().unwrap().read_to_string(&mut table).unwrap();
    assert_eq!(table.lines().count(), 3, "{table}");
    assert_eq!(too_wide(&table, 80).len(), 3, "{table}");
    assert_eq!(host.stop(), 0);
}

/// The ledger at the end of a run is a table on stderr.
#[test]
fn the_last_words_fit_a_narrow_terminal() {
    let setup = Setup::new().committed("downcase");
    let mut terminal = Terminal::start(&mut setup.command(), 40, false);
    let mut stdout = terminal.child.stdout.take().unwrap();
    let mut lines = String::new();
    while !lines.ends_with("ready\n") {
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        lines.push(byte[0].into());
    }
    crate::process::signal(terminal.child.id(), "TERM");
    let (status, screen) = terminal.ended();
    assert!(status.success(), "{screen}");
    let (_, ledger) = screen.split_once("HOP ").expect("a ledger");
    assert_eq!(too_wide(ledger, 40), [""; 0], "{screen}");
    assert!(ledger.contains("PLUGIN     downcase\n"), "{screen}");
}

#[test]
fn colours_are_left_out_where_they_are_not_wanted() {
    const ESCAPE: &str = "\u{1b}[";
    let variables = [("TERM", "xterm"), ("TERM", "dumb"), ("NO_COLOR", "1"), ("NO_COLOR", "")];
    for (variables, coloured) in [
        (&variables[..1], true),
        (&variables[..2], false),
        (&[variables[0], variables[2]], false),
        (&[variables[0], variables[3]], true),
    ] {
        let setup = Setup::new().plugin("bad", b"garbage");
        let run = |arguments: &[&str]| {
            let mut command = setup.command();
            command.env_remove("TERM").envs(variables.iter().copied()).args(arguments);
            Terminal::start(&mut command, 80, true).ended().1
        };
        let help = run(&["--help"]);
        assert_eq!(help.contains(ESCAPE), coloured, "{variables:?}: {help}");
        let error = run(&["--no-such-flag"]);
        assert_eq!(error.contains(ESCAPE), coloured, "{variables:?}: {error}");
        // The log warns of the directory, which anybody may write to.
        let cache = setup.path().join("open");
        std::fs::create_dir_all(&cache).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(&cache, mode).unwrap();
        let log = run(&[&format!("--cache={}", cache.display())]);
        assert!(log.contains("compiling without a cache"), "{log}");
        assert_eq!(log.contains(ESCAPE), coloured, "{variables:?}: {log}");
    }
}

#[test]
fn a_file_is_overwritten_by_pull_only_once_that_was_confirmed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.wasm");
    let pull = || {
        let mut command = tidegate();
        // Nothing listens there: that it is asked shows that the answer was taken for a yes.
        command.current_dir(&directory).args(["plugin", "pull", "localhost:1/team/x:1"]);
        command
    };
    std::fs::copy(component("downcase"), &file).unwrap();
    for (answer, words) in [("n", "x.wasm stays as it is"), ("", "x.wasm stays as it is"), ("y", "does not answer")] {
        let mut terminal = Terminal::start(&mut pull(), 120, true);
        terminal.wait_for("x.wasm exists. Overwrite it? [y/N] ");
        terminal.types(answer);
        let (status, screen) = terminal.ended();
        assert_eq!(status.code(), Some(1), "{screen}");
        assert!(screen.contains(words), "{answer:?}: {screen}");
    }
    // Where nobody can be asked, nothing is overwritten.
    for (arguments, words) in
        [(&[] as &[&str], "say --force"), (&["--force"], "does not answer"), (&["-o", "new.wasm"], "does not answer")]
    {
        let output = pull().args(arguments).stdin(Stdio::null()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && stderr.contains(words), "{arguments:?}: {stderr}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(component("downcase")).unwrap());
}
