//! What packages of the host rely on: health checks, systemd notifications, completions and manual pages.

use crate::harness::{LONG_PATIENCE, Process, Setup, bytes, tidegate, wait_up_to};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

/// Exit code, stdout and stderr of a command.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut process = Process::start(tidegate().args(arguments));
    (process.wait().code(), process.stdout(), process.stderr())
}

#[test]
fn the_health_check_ends_as_the_host_is() {
    let host = Setup::new().committed("echo").config("[publisher]\nsubscribers_min = 1").start();
    let admin = host.surface("admin").strip_prefix("http://").unwrap();
    let (code, stdout, _) = run(&["health", "--admin", admin]);
    assert_eq!(code, Some(1));
    assert!(stdout.starts_with("0 subscribers of subscribers_min 1, since 20"), "{stdout}");
    let (code, stdout, _) = run(&["health", "--live", "--admin", admin]);
    assert_eq!((code, stdout.as_str()), (Some(0), "live\n"));

    let endpoint = host.surface("publish").to_owned();
    let log = host.directory.path().join("subscriber.log");
    let _subscriber = Process::start(tidegate().args(["subscribe", "--connect", &endpoint, "--log"]).arg(log));
    wait_up_to(LONG_PATIENCE, "the host to be ready", || {
        (run(&["health", "--admin", admin]).0 == Some(0)).then_some(())
    });
    // The port of a host that listens on all addresses, as in a container.
    let (_, port) = admin.rsplit_once(':').unwrap();
    let everywhere = format!("0.0.0.0:{port}");
    let mut process = Process::start(tidegate().arg("health").env("TIDEGATE_ADMIN", everywhere));
    assert_eq!(process.wait().code(), Some(0));
    assert!(process.stdout().starts_with("ready since 20"), "{}", process.stdout());
    let (code, stdout, _) = run(&["health", "--admin", admin, "--json"]);
    let health: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!((code, &health["ready"]), (Some(0), &true.into()));
    let of = |name: &str| health["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).cloned();
    for name in ["drain", "parts", "http", "admin"] {
        let check = of(name).unwrap_or_else(|| panic!("no {name}: {health}"));
        assert_eq!((&check["state"], &check["why"]), (&"ok".into(), &serde_json::Value::Null), "{check}");
    }

    let admin = admin.to_owned();
    assert_eq!(host.stop(), 0);
    let (code, _, stderr) = run(&["health", "--admin", &admin]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains(&format!("asking http://{admin}/readyz: ")) && stderr.contains("start a host"), "{stderr}");
}

/// The lines of the host's next notification.
fn notice(socket: &UnixDatagram) -> Vec<String> {
    let mut bytes = [0; 4096];
    let length = socket.recv(&mut bytes).expect("a notice comes in time");
    String::from_utf8(bytes[..length].to_vec()).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn systemd_is_told_of_ready_reload_and_stop() {
    let setup = Setup::new().committed("downcase");
    let path = setup.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(LONG_PATIENCE)).unwrap();
    let mut process = Process::start(setup.command().env("NOTIFY_SOCKET", &path));
    assert_eq!(notice(&socket), ["READY=1"]);
    wait_up_to(LONG_PATIENCE, "the line that says so too", || process.stdout().ends_with("ready\n").then_some(()));

    std::fs::write(setup.path().join("downcase.wasm"), bytes("upcase")).unwrap();
    process.signal("HUP");
    let reloading = notice(&socket);
    assert_eq!(reloading[0], "RELOADING=1");
    assert!(reloading[1].starts_with("MONOTONIC_USEC="), "{reloading:?}");
    assert_eq!(notice(&socket), ["READY=1"]);
    // By the time of READY the new file is loaded.
    process.wait_for_line_up_to(LONG_PATIENCE, &["loaded", "generation=2"]);

    process.signal("TERM");
    assert_eq!(notice(&socket), ["STOPPING=1"]);
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
}

#[test]
fn a_service_manager_that_is_gone_stops_nothing() {
    let setup = Setup::new().committed("downcase");
    let nowhere = setup.path().join("gone");
    let mut process = Process::start(setup.command().env("NOTIFY_SOCKET", &nowhere));
    process.wait_for_line_up_to(LONG_PATIENCE, &["telling systemd by NOTIFY_SOCKET"]);
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
}

/// What bash is offered behind these words.
fn offered(words: &[&str], environment: &[(&str, &str)]) -> Vec<String> {
    let mut command = tidegate();
    command.env("TIDEGATE_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    command.env("_CLAP_IFS", "\n").envs(environment.iter().copied());
    let mut process = Process::start(command.args(["--", "tidegate"]).args(words));
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
    process.stdout().lines().map(str::to_owned).collect()
}

#[test]
fn shells_complete_every_command() {
    for (shell, mark) in [("bash", "complete -o"), ("zsh", "#compdef tidegate"), ("fish", "complete --keep-order")] {
        let (code, stdout, stderr) = run(&["completions", shell]);
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stdout.contains(mark) && stdout.contains("TIDEGATE_COMPLETE"), "{shell}: {stdout}");
    }
    assert_eq!(run(&["completions", "cmd"]).0, Some(2));
    let commands = offered(&[""], &[]);
    // The hidden subcommand, which the host starts to compile, is not offered.
    assert!(commands.contains(&"dead-letters".to_owned()) && !commands.concat().contains("compile-"), "{commands:?}");
    assert!(offered(&["plugin", "roll"], &[]) == ["rollback"]);
    assert!(offered(&["--curve-s"], &[]) == ["--curve-secret-key"]);
}

#[test]
fn shells_complete_the_plugins_of_a_running_host() {
    let host = Setup::new().committed("downcase").committed("upcase").start();
    let admin = host.surface("admin").trim_start_matches("http://");
    let said = [("TIDEGATE_ADMIN", admin)];
    let assert_offered = |words: &[&str], said: &[(&str, &str)], names: &[&str]| {
        // A machine that is too busy for the answer to come in time offers none, until the key is pressed again.
        wait_up_to(LONG_PATIENCE, &format!("{names:?} for {words:?}"), || {
            // Flags are offered as well.
            let offered = offered(words, said).into_iter().filter(|word| !word.starts_with('-'));
            (offered.collect::<Vec<_>>() == names).then_some(())
        });
    };
    for command in ["load", "rollback", "unload"] {
        assert_offered(&["plugin", command, ""], &said, &["downcase", "upcase"]);
        assert_offered(&["plugin", command, "up"], &said, &["upcase"]);
    }
    assert_offered(&["plugin", "call", "down"], &said, &["downcase"]);
    let flag = format!("--admin={admin}");
    assert_offered(&["plugin", "rollback", &flag, ""], &[], &["downcase", "upcase"]);
    assert_eq!(host.stop(), 0);
}

/// Whoever pressed a key does not wait for a host that takes connections and says nothing.
#[test]
fn completions_do_not_wait_for_a_host_that_is_silent() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let nobody = "127.0.0.1:1".to_owned();
    for address in [&address, &nobody] {
        let started = Instant::now();
        let names: Vec<String> = offered(&["plugin", "rollback", ""], &[("TIDEGATE_ADMIN", address)]);
        assert!(!names.iter().any(|name| name == "downcase"), "{names:?}");
        // The program waits for 0.4 s; the rest is for a machine that is busy.
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man1");
    let (code, _, stderr) = run(&["man", pages.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{stderr}");
    let names: Vec<_> = std::fs::read_dir(&pages).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let page = |name: &str| std::fs::read_to_string(pages.join(name)).unwrap();
    assert!(page("tidegate.1").contains("TIDEGATE_HTTP"), "{names:?}");
    assert!(page("tidegate-dead-letters-replay.1").contains(".SH SYNOPSIS"), "{names:?}");
    assert!(!names.iter().any(|name| name.to_string_lossy().contains("compile")), "{names:?}");
}
