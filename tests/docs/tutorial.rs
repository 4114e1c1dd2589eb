//! The tutorial's commands, run one after the other as a reader would, and held to the output that it shows.

use crate::harness::{LONG_PATIENCE, Process, component, root, wait_up_to};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Stands for what differs from run to run.
const ANYTHING: &str = "…";
/// The addresses that the tutorial shows, and what the host calls them.
const ADDRESSES: [(&str, &str); 4] = [
    ("http", "http://127.0.0.1:5000"),
    ("admin", "http://127.0.0.1:5001"),
    ("publish", "tcp://127.0.0.1:4444"),
    ("frontend", "tcp://127.0.0.1:5570"),
];

/// What is typed, and what a terminal shows of it.
#[derive(Debug, PartialEq)]
struct Step {
    typed: String,
    shown: Vec<String>,
}

/// The steps of the blocks with this info string.
fn steps(page: &str, infos: &[&str]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if let Some(info) = line.strip_prefix("```") {
            inside = !inside && infos.contains(&info);
        } else if let Some(typed) = line.strip_prefix("$ ").filter(|_| inside) {
            steps.push(Step { typed: typed.to_owned(), shown: Vec::new() });
        } else if inside && line == "^C" {
            steps.push(Step { typed: line.to_owned(), shown: Vec::new() });
        } else if inside {
            steps.last_mut().expect("a block begins with what is typed").shown.push(line.to_owned());
        }
    }
    steps
}

/// Whether a line is as shown; what is shown as `…` may be anything.
fn is_as_shown(line: &str, shown: &str) -> bool {
    let Some((begin, rest)) = shown.split_once(ANYTHING) else { return line == shown };
    let Some(line) = line.strip_prefix(begin) else { return false };
    (0..=line.len()).filter(|at| line.is_char_boundary(*at)).any(|at| is_as_shown(&line[at..], rest))
}

/// Whether lines are as shown; a line that is shown as `…` alone may be any number of them.
fn are_as_shown(lines: &[&str], shown: &[String]) -> bool {
    match shown.split_first() {
        None => lines.is_empty(),
        Some((first, rest)) if first == ANYTHING => (0..=lines.len()).any(|at| are_as_shown(&lines[at..], rest)),
        Some((first, rest)) => match lines.split_first() {
            Some((line, lines)) => is_as_shown(line, first) && are_as_shown(lines, rest),
            None => false,
        },
    }
}

/// Why the output is not the one shown, if it is not.
fn difference(output: &str, shown: &[String]) -> Option<String> {
    let lines: Vec<_> = output.lines().collect();
    let told = || format!("the tutorial shows\n{}\nand there came\n{output}", shown.join("\n"));
    (!are_as_shown(&lines, shown)).then(told)
}

/// A reader at a folder, with a host running once it was started.
struct Reader {
    folder: tempfile::TempDir,
    path: String,
    /// Where the host really listens, by the address that the tutorial shows.
    addresses: Vec<(&'static str, String)>,
    /// What goes on in terminals of its own, and what it has to have shown in the end.
    running: Vec<(Process, Step)>,
}

impl Reader {
    /// With a clone of the repository around, as the tutorial has it.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let plugins = folder.path().join("plugins");
        std::fs::create_dir(&plugins).unwrap();
        for name in ["downcase", "upcase", "random-replies", "echo"] {
            std::fs::copy(component(name), plugins.join(format!("{name}.wasm"))).unwrap();
        }
        let binary = Path::new(env!("CARGO_BIN_EXE_tidegate")).parent().unwrap().display();
        let path = format!("{binary}:{}", std::env::var("PATH").unwrap_or_default());
        Self { folder, path, addresses: Vec::new(), running: Vec::new() }
    }

    /// Ports that are free, in the place of those shown, which may be taken on this machine.
    fn command(&self, typed: &str) -> Command {
        let mut typed = typed.to_owned();
        for (shown, real) in &self.addresses {
            let port = |address: &str| address.rsplit_once(':').unwrap().1.to_owned();
            // Another process may have the port of the other address that `localhost` has.
            typed = typed.replace(&format!("localhost:{}", port(shown)), &format!("127.0.0.1:{}", port(real)));
        }
        for (command, address) in [("subscribe", ADDRESSES[2].1), ("request", ADDRESSES[3].1)] {
            let typed_so = format!("tidegate {command}");
            if let Some((_, real)) = self.addresses.iter().find(|(shown, _)| *shown == address) {
                typed = typed.replace(&typed_so, &format!("{typed_so} --connect {real}"));
            }
        }
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec 2>&1; {typed}")]);
        // Those of ours that this machine has. What its tools need to build plugins is left to them.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDEGATE_")) {
            command.env_remove(name);
        }
        command.env("no_proxy", "localhost,127.0.0.1");
        let given = std::env::var("TIDEGATE_TUTORIAL").unwrap_or_default();
        command.envs(given.split_whitespace().filter_map(|word| word.split_once('=')));
        command.current_dir(self.folder.path()).env("PATH", &self.path);
        command.env("XDG_CACHE_HOME", self.folder.path().join(".cache"));
        match self.addresses.iter().find(|(shown, _)| *shown == ADDRESSES[1].1) {
            Some((_, admin)) => command.env("TIDEGATE_ADMIN", admin.strip_prefix("http://").unwrap()),
            None => command.envs([
                ("TIDEGATE_HTTP", "127.0.0.1:0"),
                ("TIDEGATE_ADMIN", "127.0.0.1:0"),
                ("TIDEGATE_PUBLISH", "tcp://127.0.0.1:*"),
                ("TIDEGATE_FRONTEND", "tcp://127.0.0.1:*"),
            ]),
        };
        command
    }

    /// The output as it would be with the ports of the tutorial.
    fn as_documented(&self, output: &str) -> String {
        self.addresses.iter().fold(output.to_owned(), |output, (shown, real)| output.replace(real.as_str(), shown))
    }

    fn follow(&mut self, step: Step) {
        let is_host = step.typed.starts_with("tidegate --plugin");
        if step.typed == "^C" {
            // What was started last is what is in front.
            let (mut process, mut started) = self.running.pop().expect("something runs");
            self.assert_shown(&process, &started);
            process.signal("INT");
            process.wait();
            started.shown.extend(step.shown);
            self.assert_shown(&process, &started);
        } else if is_host || step.typed.starts_with("tidegate subscribe") {
            if is_host {
                self.addresses.clear();
            }
            let process = Process::start(&mut self.command(&format!("exec {}", step.typed)));
            if is_host {
                wait_up_to(LONG_PATIENCE, "the host to be ready", || {
                    process.stdout().ends_with("ready\n").then_some(())
                });
                let told = process.stdout();
                // A surface that is not there has no address.
                let real = |name: &str| {
                    told.lines()
                        .find_map(|line| line.strip_prefix(&format!("{name} ")))
                        .filter(|place| *place != "none")
                };
                self.addresses =
                    ADDRESSES.iter().filter_map(|(name, shown)| Some((*shown, real(name)?.to_owned()))).collect();
            } else {
                let log = self.folder.path().join("host.log");
                let heard = || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("subscribed"));
                wait_up_to(LONG_PATIENCE, "the host to hear of the subscriber", || heard().then_some(()));
            }
            self.running.push((process, step));
        } else {
            let mut process = Process::start(&mut self.command(&step.typed));
            // A build takes as long as it takes, until its watchdog.
            while !process.has_ended() {
                std::thread::sleep(Duration::from_millis(5));
            }
            process.wait();
            let output = self.as_documented(&process.stdout());
            if let Some(difference) = difference(&output, &step.shown) {
                panic!("$ {}\n{difference}", step.typed);
            }
        }
    }

    /// What goes on has shown its lines, or does so in a moment.
    fn assert_shown(&self, process: &Process, step: &Step) {
        let output = || self.as_documented(&process.stdout());
        wait_up_to(LONG_PATIENCE, &format!("what the tutorial shows of {step:?}"), || {
            difference(&output(), &step.shown).is_none().then_some(())
        });
    }
}

fn tutorial() -> String {
    std::fs::read_to_string(root().join("docs/tutorial.md")).unwrap()
}

/// With `TIDEGATE_TUTORIAL` also the parts that build plugins, which takes what their languages need. Its words are what
/// the builds find in their environment, such as `RUSTC=/usr/bin/rustc`.
#[test]
fn the_tutorial_goes_as_it_says() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: the tutorial uses curl, which is missing");
        return;
    }
    let whole = std::env::var_os("TIDEGATE_TUTORIAL").is_some();
    let infos: &[&str] = if whole { &["console", "console build"] } else { &["console"] };
    let steps = steps(&tutorial(), infos);
    assert!(steps.len() > 12, "{steps:?}");
    let mut reader = Reader::new();
    for step in steps {
        reader.follow(step);
    }
    assert!(reader.running.is_empty(), "the tutorial ends with everything stopped");
}

#[test]
fn a_line_that_differs_is_found() {
    let shown = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
    assert_eq!(difference("took 3 ms\nok\n", &shown(&["took … ms", "ok"])), None);
    assert_eq!(difference("a\nb\nok\n", &shown(&["…", "ok"])), None);
    assert_eq!(difference("ok\n", &shown(&["…", "ok"])), None);
    for (output, lines) in [
        ("took 3 s\nok\n", &["took … ms", "ok"][..]),
        ("took 3 ms\n", &["took … ms", "ok"]),
        ("took 3 ms\nok\nok\n", &["took … ms", "ok"]),
        ("no\n", &["ok"]),
        ("a\nb\n", &["…", "a"]),
    ] {
        assert!(difference(output, &shown(lines)).is_some(), "{output:?} {lines:?}");
    }
    let page = "```console\n$ a\nb\n```\nc\n```sh\n$ d\n```\n```console build\n$ e\n```\n";
    let typed = |infos: &[&str]| steps(page, infos).into_iter().map(|step| step.typed).collect::<Vec<_>>();
    assert_eq!(steps(page, &["console"]), [Step { typed: "a".to_owned(), shown: shown(&["b"]) }]);
    assert_eq!(typed(&["console", "console build"]), ["a", "e"]);
}
