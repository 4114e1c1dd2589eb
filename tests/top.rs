//! `tidegate top`: what a host does, in a terminal and for programs; and the terminal as it was, whatever ends it.

use crate::harness::{Host, PATIENCE, Process, Setup, bytes, tidegate, wait_for, wait_up_to};
use crate::terminal::Terminal;
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, tcgetattr};
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Command;

fn top(host: &Host, arguments: &[&str]) -> Command {
    let mut command = tidegate();
    command.env("TERM", "xterm").args(["top", "--admin", host.surface("admin").trim_start_matches("http://")]);
    command.args(arguments);
    command
}

fn output(mut command: Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Ends with 0 and gives stdout.
#[track_caller]
fn told(host: &Host, arguments: &[&str]) -> String {
    let (code, stdout, stderr) = output(top(host, arguments));
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    stdout
}

#[test]
fn one_look_is_tables_for_people_and_json_for_programs() {
    let host = Setup::new().committed("downcase").committed("upcase").start();
    for _ in 0..5 {
        assert_eq!(host.get("/downcase/?param=A").status, 200);
    }
    let text = told(&host, &["--once"]);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..4], ["tidegate", env!("CARGO_PKG_VERSION"), "ready", "since"], "{text}");
    assert!(!lines.iter().flatten().any(|word| *word == "-0"), "{text}");
    assert!(lines.contains(&vec![
        "PLUGIN",
        "CALLS/S",
        "FAIL/S",
        "P50",
        "P99",
        "IN",
        "FLIGHT",
        "STATE",
        "GEN",
        "MEMORY",
        "CALLS",
        "FAILED",
        "INSTANCES"
    ]));
    let row = lines.iter().find(|line| line.first() == Some(&"downcase")).unwrap_or_else(|| panic!("{text}"));
    assert_eq!((row[1], row[6], row[7], row[9]), ("0", "serving", "1", "5"), "{text}");

    let json: Value = serde_json::from_str(&told(&host, &["--once", "--json", "--sort", "calls"])).unwrap();
    let plugins: Vec<_> = json["plugins"].as_array().unwrap().iter().map(|row| row["plugin"].clone()).collect();
    assert_eq!(plugins, ["downcase", "upcase"]);
    assert_eq!((&json["plugins"][0]["calls"], &json["plugins"][0]["state"]), (&5.into(), &"serving".into()));
    assert!(json["seconds"].as_f64().unwrap() > 0.5, "{json}");
    let http = json["hops"].as_array().unwrap().iter().find(|row| row["hop"] == "http").unwrap();
    assert_eq!((&http["in"], &http["in_per_second"], &http["dropped"]), (&5.into(), &0.0.into(), &0.into()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn shadows_and_captures_have_tables_while_there_are_some() {
    let host = Setup::new().committed("downcase").start();
    let before = told(&host, &["--once"]);
    assert!(!before.contains("MAY SERVE") && !before.contains("RECORDS"), "{before}");
    let query = "/plugins/downcase/shadow?min_calls=1000";
    assert_eq!(host.admin_request("PUT", query, Some(&bytes("upcase"))).status, 201);
    let capture = host.admin_request("POST", "/capture", None).json();
    for _ in 0..3 {
        assert_eq!(host.get("/downcase/?param=A").status, 200);
    }
    wait_for("the calls to be compared", || (host.admin("/shadows").json()[0]["compared"] == 3).then_some(()));
    let records = |captures: &Value| captures.as_array().unwrap().iter().all(|one| one["records"] == 3);
    wait_for("the calls to be written", || records(&host.admin("/captures").json()).then_some(()));

    let json: Value = serde_json::from_str(&told(&host, &["--once", "--json"])).unwrap();
    let row = &json["shadows"][0];
    let of = |keys: &[&str]| json!(keys.iter().map(|key| row[*key].clone()).collect::<Vec<_>>());
    let keys = ["plugin", "state", "compared", "differing", "differ_percent", "dropped", "may_serve"];
    assert_eq!(of(&keys), json!(["downcase", "running", 3, 3, 100.0, 0, "no"]), "{json}");
    assert_eq!(row["why"], "3 of 3 inputs differ, over 0");
    let captures = &json["captures"];
    assert_eq!((&captures[0]["capture"], &captures[0]["records"]), (&json!("1"), &json!(3)), "{json}");
    assert_eq!(captures[0]["file"], capture["file"]);
    let text = told(&host, &["--once"]);
    let row = text.lines().find(|line| line.starts_with("downcase") && line.contains("running")).expect(&text);
    assert!(row.contains("100 %"), "{row}");

    // One that has ended is still to be read; a capture is not in the way any more.
    assert_eq!(host.admin_request("DELETE", "/plugins/downcase/shadow", None).status, 200);
    assert_eq!(host.admin_request("DELETE", "/capture/1", None).status, 200);
    let json: Value = serde_json::from_str(&told(&host, &["--once", "--json"])).unwrap();
    assert_eq!((&json["shadows"][0]["state"], &json["captures"]), (&json!("stopped"), &json!([])), "{json}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_flow_that_answers_the_frontend_is_one_of_the_flows() {
    let config = "[flows.asked]\nfrom = ['frontend']\nthrough = ['downcase']\n";
    let host = Setup::new().committed("downcase").config(config).start();
    assert_eq!(crate::changes::overview(&host)["frontend"]["flow"], "asked");
    let client = zmq::Context::new().socket(zmq::DEALER).unwrap();
    client.connect(host.surface("frontend")).unwrap();
    client.send("A", 0).unwrap();
    assert_eq!(client.recv_bytes(0).unwrap(), b"lower case of A is a");
    let json: Value = serde_json::from_str(&told(&host, &["--once", "--json"])).unwrap();
    let row = &json["flows"][0];
    let found = json!(["flow", "path", "in_flight", "in_per_second"].map(|key| &row[key]));
    assert_eq!(found, json!(["flows.asked", "frontend → downcase → frontend", 0, 0.0]), "{json}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_script_gets_a_line_for_each_look() {
    let host = Setup::new().committed("downcase").start();
    let mut process = Process::start(&mut top(&host, &["--json"]));
    let looks = wait_for("two looks", || Some(process.stdout()).filter(|text| text.matches('\n').count() >= 2));
    for line in looks.lines().take(2) {
        let look: Value = serde_json::from_str(line).unwrap();
        assert_eq!(look["plugins"][0]["plugin"], "downcase");
    }
    process.signal("TERM");
    assert!(process.wait().success());
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_makes_no_sense_is_told() {
    let host = Setup::new().committed("downcase").start();
    for (arguments, words) in [
        (&["--sort", "colour"][..], "no table has a column `colour`: sort by one of address, bytes,"),
        (&[], "stdout is no terminal: use --once for tables, or --json for programs"),
        (&["--interval", "10ms"], "`10ms` is less than 1s"),
        (&["--admin", "127.0.0.1:1", "--once"], "no host answers at http://127.0.0.1:1"),
    ] {
        let mut command = tidegate();
        command.arg("top").args(arguments);
        if !arguments.contains(&"--admin") {
            command.args(["--admin", host.surface("admin").trim_start_matches("http://")]);
        }
        let (code, stdout, stderr) = output(command);
        assert!(code != Some(0) && stdout.is_empty() && stderr.contains(words), "{arguments:?}: {stderr}");
    }
    assert_eq!(host.stop(), 0);
}

/// Whether what is typed is shown, and comes line by line: as a terminal is before anyone has changed it.
fn is_as_before(terminal: &Terminal) -> bool {
    let modes = tcgetattr(&terminal.keyboard).unwrap().local_modes;
    modes.contains(LocalModes::ECHO | LocalModes::ICANON)
}

/// Whether the last that a screen was sent shows the cursor and what stood there before.
fn given_back(screen: &str) -> bool {
    const SHOW_CURSOR: &str = "\u{1b}[?25h";
    screen.trim_end_matches(SHOW_CURSOR).ends_with(&format!("{SHOW_CURSOR}\u{1b}[?1049l"))
}

fn press(terminal: &mut Terminal, keys: &str) {
    terminal.keyboard.write_all(keys.as_bytes()).unwrap();
}

#[test]
fn a_terminal_shows_it_and_is_as_it_was_afterwards() {
    let host = Setup::new().committed("downcase").start();
    // However narrow it is.
    for columns in [80, 30, 10, 1] {
        let mut terminal = Terminal::start(&mut top(&host, &[]), columns, true);
        terminal.wait_for("\u{1b}[?1049h");
        wait_for("the keyboard to be taken", || (!is_as_before(&terminal)).then_some(()));
        if columns == 80 {
            terminal.wait_for("downcase");
            press(&mut terminal, "2");
            terminal.wait_for("DROPPED/S");
            // The next table, the way back, another column, the other way round; then a key that says nothing.
            press(&mut terminal, "\t\u{1b}[Zsr~");
        }
        press(&mut terminal, "q");
        let (status, screen) = terminal.ended();
        assert!(status.success(), "{status}");
        assert!(given_back(&screen), "{screen:?}");
        assert!(is_as_before(&terminal));
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let host = Setup::new().committed("downcase").start();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
        let mut terminal = Terminal::start(&mut top(&host, &[]), 80, true);
        terminal.wait_for("downcase");
        send(signal, &terminal);
        let (status, screen) = terminal.ended();
        assert!(status.success() && given_back(&screen), "{status} {screen:?}");
        assert!(is_as_before(&terminal));
    }
    assert_eq!(host.stop(), 0);
}

fn send(signal: Signal, terminal: &Terminal) {
    kill_process(Pid::from_child(&terminal.child), signal).unwrap();
}

/// Whether the process of a terminal is stopped, as `/proc` has it.
fn is_stopped(terminal: &Terminal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/stat", terminal.child.id())).unwrap();
    status.rsplit(')').next().unwrap().trim_start().starts_with('T')
}

#[test]
fn a_terminal_is_given_back_for_as_long_as_it_is_stopped() {
    let host = Setup::new().committed("downcase").start();
    let mut command = top(&host, &[]);
    // Ctrl-Z is for all of a process group, of which the tests are not to be.
    let mut terminal = Terminal::start(command.process_group(0), 80, true);
    for round in 1..=4 {
        wait_for("the screen", || (terminal.screen().matches("downcase").count() >= round).then_some(()));
        match round % 2 {
            1 => press(&mut terminal, "\u{1a}"),
            _ => send(Signal::TSTP, &terminal),
        }
        wait_for("the stop", || is_stopped(&terminal).then_some(()));
        assert!(is_as_before(&terminal));
        wait_for("the screen before", || given_back(&terminal.screen()).then_some(()));
        send(Signal::CONT, &terminal);
        wait_for("the keyboard to be taken", || (!is_as_before(&terminal)).then_some(()));
    }
    press(&mut terminal, "q");
    let (status, screen) = terminal.ended();
    assert!(status.success() && given_back(&screen), "{status} {screen:?}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_host_that_is_silent_is_told_of() {
    let host = Setup::new().committed("downcase").start();
    let mut terminal = Terminal::start(&mut top(&host, &[]), 120, true);
    let mut script = Process::start(&mut top(&host, &["--json"]));
    terminal.wait_for("downcase");
    wait_for("a look", || script.stdout().contains("downcase").then_some(()));
    host.process.signal("STOP");
    wait_up_to(2 * PATIENCE, "what is said", || terminal.screen().contains("the host is silent").then_some(()));
    script.wait_for_line_up_to(2 * PATIENCE, &["the host is silent: it has told nothing for 5 s; waiting for it"]);
    let (told, looks) = (terminal.screen().len(), script.stdout().len());
    host.process.signal("CONT");
    wait_up_to(2 * PATIENCE, "another look", || {
        (terminal.screen()[told..].contains("q quit") && script.stdout().len() > looks).then_some(())
    });
    press(&mut terminal, "q");
    assert!(terminal.ended().0.success());
    script.signal("TERM");
    assert!(script.wait().success());
    assert_eq!(host.stop(), 0);
}

#[test]
fn one_look_that_is_interrupted_fails() {
    let host = Setup::new().committed("downcase").start();
    // The look would be that of an hour.
    let mut process = Process::start(&mut top(&host, &["--once", "--interval", "1h"]));
    let tasks = format!("/proc/{}/task", process.id());
    wait_for("it to listen to signals", || {
        let mut tasks = std::fs::read_dir(&tasks).unwrap();
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        tasks.any(|task| name(task.unwrap()) == "signals\n").then_some(())
    });
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(1));
    assert!(process.stderr().contains("ended before there was a look"), "{}", process.stderr());
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_host_that_goes_and_comes_again_is_waited_for() {
    let mut host = Setup::new().committed("downcase").start();
    let address = host.surface("admin").trim_start_matches("http://").to_owned();
    let mut terminal = Terminal::start(&mut top(&host, &[]), 80, true);
    terminal.wait_for("downcase");
    assert_eq!(host.stop_and_tell().0, 0);
    terminal.wait_for("waiting for it");
    let again = Setup::after(&mut host).committed("upcase").with(&[&format!("--admin={address}")]).start();
    terminal.wait_for("upcase");
    press(&mut terminal, "q");
    assert!(terminal.ended().0.success());
    assert_eq!(again.stop(), 0);
}
