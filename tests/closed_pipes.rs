//! Output to a closed pipe or to a full disk: no command is killed by it, and the exit code is right.

use crate::fixtures;
use crate::harness::{Host, PATIENCE, Setup, component, tidegate, wait_for};
use crate::process::signal;
use std::fs::{File, OpenOptions};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

/// The stdout or stderr of a child process.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Output {
    Read,
    /// A pipe whose reader is gone, as behind `head`.
    Closed,
    /// A full disk.
    Full,
}

impl Output {
    fn stdio(self) -> Stdio {
        match self {
            Self::Read => Stdio::piped(),
            Self::Closed => std::io::pipe().unwrap().1.into(),
            Self::Full => full().into(),
        }
    }
}

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// How a process ended, and its output as far as that was read.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(command: &mut Command, stdout: Output, stderr: Output) -> Ended {
    let child = command.stdin(Stdio::null()).stdout(stdout.stdio()).stderr(stderr.stdio()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    // There is no code if a signal ended the process.
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The commands that a help text lists, except `help`.
fn listed(command: &[&str]) -> Vec<String> {
    let help = run(tidegate().args(command).arg("--help"), Output::Read, Output::Read).stdout;
    let (_, listed) = help.split_once("Commands:\n").expect("a list");
    let names = listed.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    names.map(|name| [command, &[name]].concat().join(" ")).collect()
}

/// A host with a plugin, a policy, a flow and a dead letter.
fn host() -> Host {
    let setup = Setup::new().committed("downcase").committed("echo").plugin("bad", &fixtures::trapping());
    let relay = "[rollback]\nfailures = 0\n[sockets.in]\ntype = 'pull'\nbind = ['tcp://127.0.0.1:*']\n\
                 [flows.relay]\nfrom = ['in']\nto = ['publish']";
    let host = setup.config(relay).start();
    assert_eq!(host.get("/bad/?param=A").status, 502);
    wait_for("the dead letter", || (letters(&host).lines().count() == 1).then_some(()));
    host
}

fn letters(host: &Host) -> String {
    std::fs::read_to_string(host.directory.path().join("dead-letters.jsonl")).unwrap_or_default()
}

/// Every command that ends by itself, as its words and its arguments; `{n}` is another number in each run.
fn commands(host: &Host) -> Vec<(&'static str, Vec<String>)> {
    let downcase = component("downcase").display().to_string();
    let letter: serde_json::Value = serde_json::from_str(letters(host).lines().next().unwrap()).unwrap();
    let id = letter["id"].as_str().unwrap();
    let admin = format!("--admin={}", host.surface("admin").trim_start_matches("http://"));
    let http = format!("--http={}", host.surface("http"));
    let host_at = host.surface("admin").trim_start_matches("http://");
    let rows: &[(&str, &[&str])] = &[
        ("", &["--help"]),
        ("", &["--version"]),
        ("", &["--no-such-flag"]),
        ("", &["--print-config"]),
        ("", &["--config=nowhere.toml"]),
        ("plugin", &["--help"]),
        ("plugin", &[]),
        ("plugin new", &["fresh", "--lang=rust", "--dir=fresh-{n}"]),
        ("plugin build", &["nowhere"]),
        ("plugin check", &[&downcase]),
        ("plugin check", &[&downcase, "--json"]),
        ("plugin test", &[&downcase]),
        ("plugin call", &[&downcase, "--body=AbC"]),
        ("plugin call", &[&downcase, "--body=AbC", "--json"]),
        ("plugin call", &["downcase", "--body=AbC", &admin]),
        ("plugin diff", &[&downcase, &downcase, "--on=dead-letters.jsonl", "--plugin=bad", "--max-diff=0"]),
        ("plugin diff", &[&downcase, &downcase, "--on=dead-letters.jsonl", "--html=diff.html", "--json"]),
        // These are refused: there is no such plugin, and no shadow.
        ("plugin shadow", &["nobody", &downcase, &admin]),
        ("plugin shadow status", &["downcase", &admin]),
        ("plugin shadow promote", &["downcase", &admin]),
        ("plugin shadow stop", &["downcase", &admin]),
        ("plugin shadow status", &[&admin]),
        ("flow shadow", &["nobody", "--through=downcase", &admin]),
        ("flow shadow status", &["relay", &admin]),
        ("flow shadow promote", &["relay", &admin]),
        ("flow shadow stop", &["relay", &admin]),
        ("plugin list", &[&admin]),
        ("plugin list", &[&admin, "--json"]),
        ("plugin load", &["downcase", &downcase, &admin]),
        ("plugin rollback", &["downcase", &admin]),
        ("plugin pause", &["downcase", &admin]),
        ("plugin resume", &["downcase", &admin]),
        // This is refused: `echo` is the frontend's policy.
        ("plugin unload", &["echo", &admin]),
        ("plugin push", &[&downcase, "localhost:1/x:1"]),
        ("plugin pull", &["localhost:1/x:1"]),
        ("flow test", &["nowhere.toml"]),
        ("flow list", &[&admin]),
        ("flow list", &[&admin, "--json"]),
        ("flow call", &["relay", "a", &admin]),
        ("flow pause", &["relay", &admin]),
        ("flow resume", &["relay", &admin]),
        ("flow drain", &["relay", &admin]),
        ("flow apply", &["nowhere.toml", &admin]),
        ("fleet status", &[host_at]),
        ("fleet status", &[host_at, "--json"]),
        ("fleet load", &["downcase", &downcase, host_at]),
        // This is refused: there is nothing to go back to.
        ("fleet rollback", &["downcase", host_at]),
        ("workers list", &[&admin]),
        ("workers list", &[&admin, "--json"]),
        // This is refused: there is no such pool.
        ("workers drain", &["nobody", "1", &admin]),
        ("dead-letters list", &[]),
        ("dead-letters list", &["--json"]),
        ("dead-letters list", &["--file=nowhere"]),
        ("dead-letters fetch", &["nowhere", "none"]),
        ("dead-letters show", &[id]),
        ("dead-letters show", &[id, "--raw"]),
        ("dead-letters replay", &[id, "--component", &downcase]),
        ("capture start", &[&admin, "--for=1ms", "--bytes-max=64KiB"]),
        // This is refused: there is no such capture.
        ("capture stop", &["0", &admin]),
        ("capture list", &[&admin]),
        ("capture cat", &["nowhere.mcap"]),
        ("capture cat", &["dead-letters.jsonl"]),
        ("replay", &["nowhere.mcap", "--push=ipc://nobody"]),
        ("replay", &["dead-letters.jsonl", "--limit=1", &http]),
        ("replay", &["dead-letters.jsonl", "--through=tidegate.toml", "--route=bad"]),
        // Nothing listens at this endpoint; otherwise the output would depend on how busy the machine is.
        ("request", &["--connect=ipc://nobody", "--clients=1", "--requests=1", "--timeout=100ms"]),
        ("health", &[&admin]),
        ("health", &[&admin, "--json"]),
        ("ledger", &[&admin]),
        ("keygen", &["keys-{n}"]),
        ("completions", &["bash"]),
        ("man", &["man"]),
    ];
    rows.iter().map(|(words, arguments)| (*words, arguments.iter().map(|&word| word.to_owned()).collect())).collect()
}

#[test]
fn no_command_dies_of_output_that_goes_nowhere() {
    let host = host();
    let mut number = 0;
    let mut run_in = |words: &str, arguments: &[String], stdout, stderr| {
        number += 1;
        let arguments = arguments.iter().map(|argument| argument.replace("{n}", &number.to_string()));
        let mut command = tidegate();
        command.current_dir(host.directory.path()).env("XDG_CACHE_HOME", host.directory.path().join("cache"));
        run(command.args(words.split_whitespace()).args(arguments), stdout, stderr)
    };
    for (words, arguments) in commands(&host) {
        let invocation = format!("{words} {arguments:?}");
        let usual = run_in(words, &arguments, Output::Read, Output::Read);
        assert!(matches!(usual.code, Some(0..=2)), "{invocation}: {usual:?}");
        for (stdout, stderr) in
            [(Output::Closed, Output::Read), (Output::Closed, Output::Closed), (Output::Closed, Output::Full)]
        {
            let ended = run_in(words, &arguments, stdout, stderr);
            assert_eq!(ended.code, usual.code, "{invocation} with {stdout:?} and {stderr:?}: {ended:?}");
            assert!(
                !ended.stderr.contains("panicked") && !ended.stderr.contains("Broken pipe"),
                "{invocation}: {ended:?}"
            );
        }
        let ended = run_in(words, &arguments, Output::Full, Output::Read);
        if usual.stdout.is_empty() {
            assert_eq!(ended.code, usual.code, "{invocation}: {ended:?}");
        } else {
            assert_eq!(ended.code, Some(1), "{invocation}: {ended:?}");
            let reason = "error: writing to stdout: No space left on device (os error 28)\n";
            assert!(ended.stderr.ends_with(reason), "{invocation}: {ended:?}");
        }
    }
    assert_eq!(host.stop(), 0);
}

/// Commands that do not end by themselves have their own tests.
#[test]
fn every_command_is_among_them() {
    let host = host();
    let tried: Vec<_> = commands(&host).iter().map(|(words, _)| (*words).to_owned()).collect();
    let all = [&[] as &[&str], &["plugin"], &["fleet"], &["flow"], &["workers"], &["dead-letters"], &["capture"]]
        .map(listed)
        .concat();
    assert!(all.len() > 15, "{all:?}");
    let is_tried = |name: &&String| tried.iter().any(|words| words == *name || words.starts_with(&format!("{name} ")));
    let missing: Vec<_> = all.iter().filter(|name| !is_tried(name)).collect();
    assert_eq!(missing, ["subscribe", "worker", "top", "plugin dev"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_requester_asks_on_when_nobody_reads_it() {
    let host = Setup::new().committed("echo").start();
    let mut command = tidegate();
    command.args(["request", "--connect", host.surface("frontend"), "--clients=1", "--requests=2", "--timeout=2s"]);
    let ended = run(&mut command, Output::Closed, Output::Read);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    assert_eq!(host.ledger()["hops"]["policy"]["in"], 2);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_subscriber_ends_well_once_nobody_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let publisher = zmq::Context::new().socket(zmq::XPUB).unwrap();
    publisher.set_rcvtimeo(i32::try_from(PATIENCE.as_millis()).unwrap()).unwrap();
    publisher.bind("tcp://127.0.0.1:*").unwrap();
    let endpoint = publisher.get_last_endpoint().unwrap().unwrap();
    let mut command = tidegate();
    command.current_dir(&directory).args(["subscribe", "--connect", &endpoint]);
    let child = command.stdin(Stdio::null()).stdout(Output::Closed.stdio()).stderr(Stdio::piped()).spawn().unwrap();
    publisher.recv_bytes(0).expect("a subscription");
    publisher.send("one", 0).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    let waiting = format!("waiting for all messages from {endpoint}; they are appended to subscriber.log\n");
    assert_eq!(stderr, format!("{waiting}received=1 logged=1 lost=0\n"));
}

/// `plugin test --watch` ends as soon as a line cannot be printed.
#[test]
fn a_watch_ends_well_once_nobody_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.wasm");
    std::fs::copy(component("downcase"), &file).unwrap();
    let ended = run(tidegate().args(["plugin", "test", "--watch"]).arg(&file), Output::Closed, Output::Read);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    let ended = run(tidegate().args(["plugin", "test", "--watch"]).arg(&file), Output::Full, Output::Read);
    assert_eq!(ended.code, Some(1), "{ended:?}");
}

/// The host cannot print its endpoints, so readiness comes by `NOTIFY_SOCKET`, and the frontend is at an ipc path.
#[test]
fn a_host_serves_with_its_output_closed() {
    let directory = tempfile::tempdir().unwrap();
    for (stdout, stderr) in [(Output::Closed, Output::Closed), (Output::Full, Output::Full)] {
        serves(directory.path(), stdout, stderr);
    }
}

#[track_caller]
fn serves(directory: &Path, stdout: Output, stderr: Output) {
    let manager = directory.join("notify");
    let _ = std::fs::remove_file(&manager);
    let listener = UnixDatagram::bind(&manager).unwrap();
    listener.set_read_timeout(Some(PATIENCE)).unwrap();
    let frontend = format!("ipc://{}", directory.join("frontend").display());
    let mut command = tidegate();
    command
        .current_dir(directory)
        .env("XDG_CACHE_HOME", directory.join("cache"))
        .env("NOTIFY_SOCKET", &manager)
        .args(["--http=none", "--admin=127.0.0.1:0", "--publish=none", "--frontend", &frontend])
        .arg(format!("--plugin={}", component("echo").display()));
    let mut child = command.stdin(Stdio::null()).stdout(stdout.stdio()).stderr(stderr.stdio()).spawn().unwrap();
    let mut state = [0; 100];
    let length = listener.recv(&mut state).expect("the host is ready");
    assert_eq!(&state[..length], b"READY=1\n");
    let client = zmq::Context::new().socket(zmq::REQ).unwrap();
    client.set_rcvtimeo(i32::try_from(PATIENCE.as_millis()).unwrap()).unwrap();
    client.connect(&frontend).unwrap();
    client.send("hello", 0).unwrap();
    assert_eq!(client.recv_bytes(0).expect("a reply"), b"hello");
    signal(child.id(), "TERM");
    assert_eq!(wait_for("its end", || child.try_wait().unwrap()).code(), Some(0), "{stdout:?}");
}
