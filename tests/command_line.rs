//! Flags, environment variables and configuration: what they mean, and the errors if they are wrong.

use crate::harness::{Client, Process, Setup, bytes, component, tidegate, wait_for};
use std::net::TcpListener;

/// Exit code and stderr of a start that must fail.
#[track_caller]
fn refusal(setup: &Setup) -> (i32, String) {
    let mut process = Process::start(&mut setup.command());
    let code = process.wait().code().expect("an exit code");
    assert!(!process.stdout().contains("ready"));
    (code, process.stderr())
}

#[track_caller]
fn assert_refused(setup: Setup, code: i32, words: &[&str]) {
    let (found, stderr) = refusal(&setup);
    assert_eq!(found, code, "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word:?} is not in: {stderr}");
    }
}

#[test]
fn a_wrong_command_line_is_refused_with_2() {
    let downcase = component("downcase").display().to_string();
    assert_refused(Setup::new().with(&["--htpp=1"]), 2, &["--htpp"]);
    assert_refused(Setup::new().with(&["--http=localhost"]), 2, &["localhost", "127.0.0.1:5000"]);
    assert_refused(Setup::new().with(&["--publish=4444"]), 2, &["4444", "tcp://127.0.0.1:4444"]);
    assert_refused(Setup::new().with(&["--workers=0"]), 2, &["--workers", "1..=1000"]);
    assert_refused(Setup::new().with(&[&format!("--plugin=No={downcase}")]), 2, &["`No`", "[a-z0-9]"]);
    let twice = format!("--plugin={downcase}");
    assert_refused(Setup::new().with(&[&twice, &twice]), 2, &["two plugins are named downcase", "NAME=PATH"]);
    assert_refused(Setup::new().committed("downcase").with(&["--policy=echo"]), 2, &["--policy echo", "no plugin"]);
    let setup = Setup::new().committed("downcase").with(&["--policy=downcase"]);
    assert_refused(setup, 2, &["--policy downcase", "no reply-policy role"]);
}

/// Usage and the like help nobody whose flags are sound.
#[test]
fn what_is_wrong_with_a_configuration_is_said_in_one_line() {
    for setup in
        [Setup::new().config("[http]\nbodies_max = 1"), Setup::new().committed("downcase").with(&["--policy=echo"])]
    {
        let (code, stderr) = refusal(&setup);
        assert!(code == 2 && stderr.contains("error: "), "{stderr}");
        assert!(!stderr.contains("Usage") && !stderr.contains("--help"), "{stderr}");
    }
    assert!(refusal(&Setup::new().with(&["--htpp=1"])).1.contains("Usage: tidegate"));
}

#[test]
fn a_component_in_the_place_of_a_subcommand_is_taken_for_a_plugin() {
    for component in ["x.wasm", "plugins/downcase.wasm", "oci://ghcr.io/team/x:1"] {
        let mut process = Process::start(tidegate().arg(component));
        assert_eq!(process.wait().code(), Some(2));
        let words = format!("did you mean --plugin {component}?");
        assert!(process.stderr().contains(&words), "{}", process.stderr());
    }
    let mut process = Process::start(tidegate().arg("plugn"));
    assert_eq!(process.wait().code(), Some(2));
    assert!(!process.stderr().contains("--plugin"), "{}", process.stderr());
}

#[test]
fn a_failed_start_tells_of_each_bad_plugin_once() {
    let (code, stderr) = refusal(&Setup::new().plugin("bad", b"garbage").plugin("worse", b"rubbish").committed("echo"));
    assert_eq!(code, 1);
    assert_eq!(stderr.matches("neither a WebAssembly component").count(), 2, "{stderr}");
    for plugin in ["bad", "worse"] {
        assert_eq!(stderr.matches(&format!("loading plugin {plugin} from ")).count(), 1, "{stderr}");
        assert!(!stderr.contains(&format!("plugin=\"{plugin}\"")), "{stderr}");
    }
}

/// A component that does not even compile shows that nothing was compiled before the port was found to be taken.
#[test]
fn a_port_that_is_taken_is_refused_before_anything_is_compiled() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap();
    for (flag, words) in [("http", "http"), ("admin", "admin"), ("publish", "PUB"), ("frontend", "ROUTER")] {
        let address = if words.starts_with(char::is_uppercase) { format!("tcp://{taken}") } else { taken.to_string() };
        let setup = Setup::new().plugin("bad", b"garbage").committed("echo").with(&[&format!("--{flag}={address}")]);
        assert_refused(setup, 1, &[&format!("error: binding {words} to {address}: address in use\n")]);
    }
    // Without a plugin that would answer there, nobody needs the frontend.
    let host = Setup::new().committed("downcase").with(&[&format!("--frontend=tcp://{taken}")]).start();
    assert_eq!(host.surface("frontend"), "none");
    assert_eq!(host.stop(), 0);
}

#[test]
fn each_route_is_told_at_the_start() {
    let host = Setup::new().committed("downcase").committed("upcase").committed("echo").start();
    let stdout = host.process.stdout();
    let routes: Vec<_> = stdout.lines().filter_map(|line| line.strip_prefix("route ")).collect();
    let http = host.surface("http");
    assert_eq!(routes, [format!("{http}/downcase/"), format!("{http}/upcase/")], "{stdout}");
    for route in routes {
        let answer = Client::at(route).request("GET", "?param=AbC", None).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn bounds_settings_and_hosts_of_a_plugin_are_flags_too() {
    let telling = crate::fixtures::telling_setting("greeting");
    let config =
        "[plugins.greet.settings]\ngreeting = 'from the file'\n[plugins.downcase.limits]\noutput_bytes_max = 1";
    let setup = Setup::new().plugin("greet", &telling).plugin("terse", &telling).committed("downcase").config(config);
    let flags = [
        "--setting=greet.greeting=from=a flag",
        "--setting=terse.greeting=abc",
        "--limit=output_bytes_max=2",
        "--limit=downcase.output_bytes_max=1000",
        "--limit=greet.output_bytes_max=100",
    ];
    let host = setup.with(&flags).start();
    assert_eq!(host.get("/greet/?param=x").text(), "from=a flag");
    assert_eq!(host.get("/downcase/?param=AbC").status, 200);
    let refused = host.get("/terse/?param=x");
    assert!(refused.status == 502 && refused.text().contains("output_bytes_max 2"), "{}", refused.text());
    assert_eq!(host.stop(), 0);
    let printed =
        Setup::new().with(&["--outbound=fetch=api.example.com", "--limit=fetch.call_deadline_ms=5s", "--print-config"]);
    let mut process = Process::start(&mut printed.command());
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
    for line in ["[plugins.fetch]", "outbound = [\"api.example.com\"]", "call_deadline_ms = 5000"] {
        assert!(process.stdout().contains(line), "{line} is not in\n{}", process.stdout());
    }
    for (flag, words) in [
        ("--limit=fetch.calls=1", ["--limit", "unknown field `calls`"]),
        ("--limit=call_deadline_ms=2h", ["--limit", "7200000 is not between 1 and 3600000"]),
        ("--setting=greeting=x", ["--setting", "PLUGIN.KEY=VALUE"]),
        ("--outbound=fetch=http://x", ["--outbound", "`http://x` is no host"]),
    ] {
        assert_refused(Setup::new().with(&[flag]), 2, &words);
    }
}

/// As cargo and the like, in the folder that one is in.
#[test]
fn a_guest_is_that_of_the_working_directory() {
    for command in ["build", "test", "check", "dev"] {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("empty");
        std::fs::create_dir(&folder).unwrap();
        let mut process = Process::start(tidegate().current_dir(&folder).args(["plugin", command]));
        if command == "dev" {
            // It waits for the folder to become a guest.
            wait_for("a failed build", || process.stdout().contains("build failed").then_some(()));
            process.signal("INT");
            process.wait();
            assert!(
                process.stdout().contains(". is no guest") || process.stdout().contains("empty is no guest"),
                "{}",
                process.stdout()
            );
        } else {
            assert_eq!(process.wait().code(), Some(1));
            assert!(process.stderr().contains("is no guest: it has no Cargo.toml"), "{command}: {}", process.stderr());
        }
    }
}

#[test]
fn several_policies_need_a_choice() {
    let echo = bytes("echo");
    let setup = Setup::new().plugin("a", &echo).plugin("b", &echo);
    assert_refused(setup, 2, &["several reply policies", "a, b", "--policy"]);
    let host = Setup::new().plugin("a", &echo).plugin("b", &echo).with(&["--policy=b"]).start();
    assert_ne!(host.surface("frontend"), "none");
    assert_eq!(host.stop(), 0);
    let host = Setup::new().plugin("a", &echo).committed("random-replies").start();
    assert_ne!(host.surface("frontend"), "none");
    assert_eq!(host.stop(), 0);
}

#[test]
fn without_a_policy_there_is_no_frontend() {
    let host = Setup::new().committed("downcase").start();
    assert_eq!(host.surface("frontend"), "none");
    host.process.wait_for_log("frontend none: no plugin with the reply-policy role is loaded");
    assert_eq!(host.stop(), 0);
}

#[test]
fn surfaces_can_be_switched_off() {
    let setup = Setup::new().committed("downcase");
    let mut command = tidegate();
    command
        .current_dir(setup.path())
        .arg(format!("--plugin={}", setup.path().join("downcase.wasm").display()))
        .envs([("TIDEGATE_HTTP", "127.0.0.1:0"), ("TIDEGATE_ADMIN", "none"), ("TIDEGATE_PUBLISH", "none")])
        .args(["--frontend", "none"]);
    let mut process = Process::start(&mut command);
    wait_for("ready", || process.stdout().ends_with("ready\n").then_some(()));
    let stdout = process.stdout();
    let lines: Vec<_> = stdout.lines().collect();
    assert!(lines[0].starts_with("http http://127.0.0.1:"), "{stdout}");
    let route = format!("route {}/downcase/", lines[0].trim_start_matches("http "));
    assert_eq!(lines[1..], ["admin none", "publish none", "frontend none", &route, "ready"]);
    process.signal("INT");
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn what_cannot_start_is_refused_with_1() {
    assert_refused(Setup::new().with(&["--plugin=missing.wasm"]), 1, &["missing.wasm", "No such file"]);
    assert_refused(Setup::new().plugin("bad", b"garbage"), 1, &["plugin bad", "neither a WebAssembly component"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap();
    for (flag, words) in [("http", "binding http to "), ("admin", "binding admin to ")] {
        let setup = Setup::new().committed("downcase");
        let config = format!("[{flag}]\naddress = '{taken}'");
        let mut command = tidegate();
        std::fs::write(setup.path().join("c.toml"), config).unwrap();
        let other = if flag == "http" { "--admin=127.0.0.1:0" } else { "--http=127.0.0.1:0" };
        command.current_dir(setup.path()).args(["--config=c.toml", "--publish=none", "--frontend=none", other]);
        let mut process = Process::start(command.arg("--plugin=downcase.wasm"));
        assert_eq!(process.wait().code(), Some(1));
        assert!(process.stderr().contains(&format!("{words}{taken}: address in use")), "{}", process.stderr());
    }
    for (surface, words) in [("publish", "binding PUB to "), ("frontend", "binding ROUTER to ")] {
        let setup = Setup::new().committed("echo");
        let mut command = tidegate();
        command.current_dir(setup.path()).args(["--http=127.0.0.1:0", "--admin=none", "--plugin=echo.wasm"]);
        let other = if surface == "publish" { "--frontend=none" } else { "--publish=none" };
        let mut process = Process::start(command.arg(other).arg(format!("--{surface}=tcp://{taken}")));
        assert_eq!(process.wait().code(), Some(1));
        let error = format!("{words}tcp://{taken}: address in use");
        assert!(process.stderr().contains(&error), "{}", process.stderr());
    }
}

#[test]
fn a_wrong_configuration_names_file_line_and_remedy() {
    let words = ["tidegate.toml", "line 2", "bodies_max", "body_bytes_max"];
    assert_refused(Setup::new().config("[http]\nbodies_max = 1"), 2, &words);
    assert_refused(Setup::new().with(&["--config=nowhere.toml"]), 2, &["nowhere.toml", "No such file"]);
}

#[test]
fn the_printed_configuration_is_accepted_and_flags_win() {
    let setup = Setup::new().config("[messaging]\nworkers = 3\n[limits]\ncalls_max = 9").with(&["--print-config"]);
    let mut process = Process::start(&mut setup.command());
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
    let printed = process.stdout();
    for line in ["workers = 3", "calls_max = 9", "call_deadline_ms = 1000", "address = \"127.0.0.1:0\""] {
        assert!(printed.contains(line), "{line} is not in\n{printed}");
    }
    let again = Setup::new().config(&printed).with(&["--print-config", "--workers=4"]);
    let mut process = Process::start(&mut again.command());
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
    assert_eq!(process.stdout(), printed.replace("workers = 3", "workers = 4"));
}

#[test]
fn settings_and_paths_can_come_from_the_file_alone() {
    let path = component("upcase").display().to_string();
    let host = Setup::new().config(&format!("[plugins.loud]\npath = '{path}'")).start();
    assert_eq!(host.get("/loud/?param=a").text(), "upper case of a is A");
    assert_eq!(host.stop(), 0);
}
