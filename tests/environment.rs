//! Environment variables: an empty one counts as unset, a switch takes the usual words, and a wrong one is named.

use crate::harness::{LONG_PATIENCE, Process, Setup, bytes, tidegate, wait_up_to};
use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::Command;

/// All environment variables that the host's help lists.
fn variables() -> Vec<String> {
    let mut process = Process::start(tidegate().arg("--help"));
    assert_eq!(process.wait().code(), Some(0));
    // Lines are broken between any two words.
    let help = process.stdout().split_whitespace().collect::<Vec<_>>().join(" ");
    let named = help.split("[env: ").skip(1).filter_map(|rest| rest.split('=').next());
    let named: Vec<_> = named.map(str::to_owned).collect();
    assert!(named.len() > 12 && named.contains(&"TIDEGATE_LOG".to_owned()), "{named:?}");
    named
}

/// Exit code, stdout and stderr of a command with these variables.
fn run(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = tidegate();
    command.current_dir(directory).args(arguments).envs(variables.iter().copied());
    let mut process = Process::start(&mut command);
    let code = process.wait().code();
    (code, process.stdout(), process.stderr())
}

#[test]
fn what_is_set_and_empty_is_unset() {
    let directory = tempfile::tempdir().unwrap();
    let (code, usual, _) = run(directory.path(), &["--print-config"], &[]);
    assert_eq!(code, Some(0));
    let ours = variables();
    for name in &ours {
        let (code, stdout, stderr) = run(directory.path(), &["--print-config"], &[(name, "")]);
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(0), usual.as_str(), ""), "{name}");
    }
    let all: Vec<_> = ours.iter().map(|name| (name.as_str(), "")).collect();
    let (code, stdout, stderr) = run(directory.path(), &["--print-config"], &all);
    assert_eq!((code, stdout, stderr.as_str()), (Some(0), usual, ""));
    // Variables that subcommands read.
    let list = |variables: &[(&str, &str)]| run(directory.path(), &["plugin", "list"], variables);
    for name in ["TIDEGATE_ADMIN", "TIDEGATE_ADMIN_TOKEN_FILE"] {
        // The result depends on whether a host listens at the default address, but is the same in both cases.
        assert_eq!(list(&[(name, "")]), list(&[]), "{name}");
    }
}

/// The environment of a container whose Compose file gives no variable a value.
#[test]
fn a_host_serves_in_an_environment_of_empty_variables() {
    let setup = Setup::new().committed("downcase");
    let mut command = setup.command();
    for name in variables() {
        command.env(name, "");
    }
    for name in ["NOTIFY_SOCKET", "HOME", "SSL_CERT_FILE", "http_proxy", "NO_COLOR", "TMPDIR"] {
        command.env(name, "");
    }
    let mut process = Process::start(&mut command);
    let id = process.id();
    wait_up_to(LONG_PATIENCE, "ready", || process.stdout().ends_with("ready\n").then_some(()));
    // The host has not started another process in its place.
    assert_eq!(process.id(), id);
    let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap();
    let environment = String::from_utf8(environment).unwrap();
    let kept: Vec<_> = environment.split('\0').filter(|pair| pair.ends_with('=')).collect();
    assert!(kept.iter().all(|pair| !pair.starts_with("TIDEGATE_") && !pair.starts_with("SSL_")), "{kept:?}");
    // The log has the default level.
    process.wait_for_line_up_to(LONG_PATIENCE, &["INFO", "loaded", "downcase"]);
    assert!(!process.stderr().contains("NOTIFY_SOCKET"), "{}", process.stderr());
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
}

#[test]
fn a_switch_takes_the_usual_words() {
    let directory = tempfile::tempdir().unwrap();
    for yes in ["1", "true", "yes", "on", "TRUE"] {
        let (code, stdout, stderr) = run(directory.path(), &[], &[("TIDEGATE_PRINT_CONFIG", yes)]);
        assert_eq!(code, Some(0), "{yes}: {stderr}");
        assert!(stdout.contains("[http]"), "{yes}: {stdout}");
    }
    for no in ["0", "false", "no", "off"] {
        // The host goes on to start, which fails for lack of the file.
        let (code, stdout, stderr) = run(directory.path(), &["--plugin=gone.wasm"], &[("TIDEGATE_PRINT_CONFIG", no)]);
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{no}: {stderr}");
    }
    let (code, _, stderr) = run(directory.path(), &[], &[("TIDEGATE_PRINT_CONFIG", "perhaps")]);
    assert_eq!(code, Some(2), "{stderr}");
}

#[test]
fn a_wrong_value_is_refused_with_its_variable() {
    let directory = tempfile::tempdir().unwrap();
    for (name, value, allowed) in [
        ("TIDEGATE_LOG", "loud", "off, error, warn, info, debug or trace"),
        ("TIDEGATE_LOG", "info,tidegate=loud", "TARGET=LEVEL"),
        ("TIDEGATE_LOG_FORMAT", "xml", "neither text nor json"),
        ("TIDEGATE_PRINT_CONFIG", "perhaps", ""),
        ("TIDEGATE_WORKERS", "0", "1..=1000"),
        ("TIDEGATE_HTTP", "localhost", "127.0.0.1:5000"),
        ("TIDEGATE_ADMIN", "nowhere", "127.0.0.1:5000"),
        ("TIDEGATE_PUBLISH", "4444", "tcp://127.0.0.1:4444"),
        ("TIDEGATE_FRONTEND", "tcp://x", "tcp://127.0.0.1:4444"),
        ("TIDEGATE_SEED", "dice", ""),
        ("TIDEGATE_PLUGIN", "No=a.wasm", "[a-z0-9]"),
        ("TIDEGATE_CONFIG", "gone.toml", "No such file"),
    ] {
        let (code, stdout, stderr) =
            run(directory.path(), &["--plugin=gone.wasm"][..usize::from(name != "TIDEGATE_PLUGIN")], &[(name, value)]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{name}: {stderr}");
        assert!(stderr.contains(allowed) && stderr.contains(value.rsplit(',').next().unwrap()), "{name}: {stderr}");
        assert!(name == "TIDEGATE_CONFIG" || stderr.contains(&format!("the variable {name}\n")), "{name}: {stderr}");
    }
    // If a flag is wrong, the variable is not named.
    let (code, _, stderr) = run(directory.path(), &["--workers=0"], &[("TIDEGATE_WORKERS", "7")]);
    assert_eq!(code, Some(2));
    assert!(!stderr.contains("variable"), "{stderr}");
}

/// The service manager's socket is in the abstract namespace.
#[test]
fn a_service_manager_may_listen_under_a_name() {
    let setup = Setup::new().plugin("x", &bytes("downcase"));
    let name = format!("tidegate-test-{}", setup.path().display());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    socket.set_read_timeout(Some(LONG_PATIENCE)).unwrap();
    let mut command: Command = setup.command();
    let mut process = Process::start(command.env("NOTIFY_SOCKET", format!("@{name}")));
    let mut notice = [0; 100];
    let length = socket.recv(&mut notice).expect("a notice comes in time");
    assert_eq!(&notice[..length], b"READY=1\n");
    process.signal("TERM");
    let length = socket.recv(&mut notice).expect("a notice comes in time");
    assert_eq!(&notice[..length], b"STOPPING=1\n");
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
    assert!(!process.stderr().contains("NOTIFY_SOCKET"), "{}", process.stderr());
}

#[test]
fn a_wrong_value_is_named_beside_an_argument_that_is_no_text() {
    let mut command = tidegate();
    command.env("TIDEGATE_HTTP", "nowhere").arg(OsStr::from_bytes(b"--config=\xff"));
    let mut process = Process::start(&mut command);
    let (code, stderr) = (process.wait().code(), process.stderr());
    assert!(code == Some(2) && stderr.contains("the value of the variable TIDEGATE_HTTP"), "{code:?}: {stderr}");
}
