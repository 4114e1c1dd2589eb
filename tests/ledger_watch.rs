//! Differences of the ledger: by `GET /ledger?since=`, and by `tidegate ledger` once and every second.

use crate::fixtures;
use crate::harness::{Client, Host, Process, Setup, tidegate, wait_for};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

/// Asserts in = out + dropped + the change of what is in flight, for every hop and plugin.
#[track_caller]
fn assert_balanced(difference: &Value) {
    for part in ["hops", "plugins"] {
        for (name, counts) in difference[part].as_object().unwrap() {
            let number = |key: &str| counts[key].as_i64().unwrap_or_else(|| panic!("{name} lacks {key}: {counts}"));
            let dropped: i64 =
                counts["dropped"].as_object().unwrap().values().map(|count| count.as_i64().unwrap()).sum();
            assert_eq!(number("in"), number("out") + dropped + number("in_flight_change"), "{name}: {counts}");
        }
    }
}

fn since(host: &Host, mark: &Value) -> Value {
    let answer = host.admin(&format!("/ledger?since={}", mark.as_str().unwrap()));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let difference = answer.json();
    assert_eq!(difference["since"], *mark);
    assert_balanced(&difference);
    difference
}

fn admin_of(host: &Host) -> &str {
    host.surface("admin").trim_start_matches("http://")
}

#[test]
fn differences_have_what_came_since_a_mark() {
    let host = Setup::new().committed("downcase").plugin("reject", &fixtures::erring(false, "no")).start();
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    let start = host.ledger()["mark"].clone();
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    assert_eq!(host.get("/reject/?param=A").status, 422);
    let first = since(&host, &start);
    let transform = json!({"in": 2, "out": 1, "in_flight": 0, "in_flight_change": 0, "dropped": {"rejected": 1}});
    assert_eq!(first["hops"]["transform"], transform);
    assert_eq!(first["plugins"]["downcase"]["in"], 1);
    let nothing = since(&host, &first["mark"]);
    assert_eq!(
        (&nothing["hops"]["transform"]["in"], &nothing["hops"]["transform"]["dropped"]),
        (&0.into(), &json!({}))
    );
    // The earlier mark is as good as before.
    assert_eq!(since(&host, &start)["hops"]["transform"], transform);

    for (mark, status, words) in [("soon", 400, "is no mark"), ("0-1", 410, "begin again with the mark of GET /ledger")]
    {
        let answer = host.admin(&format!("/ledger?since={mark}"));
        assert!(answer.status == status && answer.text().contains(words), "{}", answer.text());
    }
    // A mark that is too old is told of, rather than that a wrong number is.
    (0..256).for_each(|_| drop(host.ledger()));
    assert_eq!(host.admin(&format!("/ledger?since={}", start.as_str().unwrap())).status, 410);
    assert_eq!(host.stop(), 0);
}

/// Differences that are read one after another under load add up to the whole.
#[test]
fn differences_add_up_under_load() {
    const CALLS: u64 = 200;
    let host = Setup::new().committed("downcase").plugin("reject", &fixtures::erring(false, "no")).start();
    let over = AtomicBool::new(false);
    let mut mark = host.ledger()["mark"].clone();
    let (mut came, mut in_flight) = (0, 0);
    std::thread::scope(|scope| {
        let clients: Vec<_> = ["/downcase/?param=x", "/reject/?param=x", "/downcase/?param=y"]
            .map(|path| {
                let client = Client::new(&host);
                scope.spawn(move || (0..CALLS).for_each(|_| drop(client.request("GET", path, None).unwrap())))
            })
            .into();
        let ended = scope.spawn(|| {
            clients.into_iter().for_each(|client| client.join().unwrap());
            over.store(true, Ordering::Relaxed);
        });
        let mut last = false;
        while !last {
            last = over.load(Ordering::Relaxed);
            let difference = since(&host, &mark);
            mark = difference["mark"].clone();
            came += difference["hops"]["transform"]["in"].as_u64().unwrap();
            in_flight += difference["hops"]["transform"]["in_flight_change"].as_i64().unwrap();
        }
        ended.join().unwrap();
    });
    assert_eq!((came, in_flight), (3 * CALLS, 0));
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_command_shows_totals_as_a_table_or_as_json() {
    let host = Setup::new().committed("downcase").start();
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    let run = |flags: &[&str]| {
        let mut process = Process::start(tidegate().args(["ledger", "--admin", admin_of(&host)]).args(flags));
        (process.wait().code(), process.stdout(), process.stderr())
    };
    let (code, stdout, stderr) = run(&[]);
    assert_eq!(code, Some(0), "{stderr}");
    let rows: Vec<Vec<&str>> = stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["HOP", "IN", "OUT", "DROPPED", "IN-FLIGHT", "REASONS"]);
    assert_eq!(rows[1], ["http", "1", "1", "0", "0"]);
    assert_eq!(rows.last().unwrap()[..2], ["downcase", "1"]);
    let (code, stdout, _) = run(&["--json"]);
    let ledger: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &ledger["hops"]["http"]["in"]), (Some(0), &1.into()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_watch_writes_lines_of_what_changes_and_ends_quietly() {
    let host = Setup::new().committed("downcase").start();
    for (flags, words) in [(&[][..], " hop=http in="), (&["--json"], "\"mark\":")] {
        let mut watch = Process::start(tidegate().args(["ledger", "--watch", "--admin", admin_of(&host)]).args(flags));
        wait_for("a line", || {
            assert_eq!(host.get("/downcase/?param=A").status, 200);
            watch.stdout().contains(words).then_some(())
        });
        watch.signal("INT");
        assert_eq!((watch.wait().code(), watch.stderr().as_str()), (Some(0), ""));
        for line in watch.stdout().lines().filter(|_| !flags.is_empty()) {
            assert_balanced(&serde_json::from_str(line).expect("a line of JSON"));
        }
    }
    assert_eq!(host.stop(), 0);
}

/// `script` gives it a terminal.
#[cfg(target_os = "linux")]
#[test]
fn a_watch_on_a_narrow_terminal_breaks_no_line() {
    if std::process::Command::new("script").arg("--version").output().is_err() {
        eprintln!("skipped: no program `script` here, which makes a terminal");
        return;
    }
    let host = Setup::new().committed("downcase").start();
    let command = format!(
        "stty cols 24 rows 8; exec {} ledger --watch --admin {}",
        tidegate().get_program().display(),
        admin_of(&host)
    );
    let mut script = std::process::Command::new("script");
    script.args(["-qfec", &command, "/dev/null"]).env("TERM", "xterm");
    let mut watch = Process::start(&mut script);
    wait_for("a screen", || watch.stdout().contains("\x1b[H\x1b[J").then_some(()));
    wait_for("a row", || watch.stdout().contains("http ").then_some(()));
    let stdout = watch.stdout();
    let screen = stdout.rsplit("\x1b[H\x1b[J").next().unwrap();
    assert!(screen.lines().all(|line| line.trim_end().chars().count() <= 24), "{screen}");
    assert!(screen.lines().count() <= 8, "{screen}");
    watch.signal("TERM");
    watch.wait();
    assert_eq!(host.stop(), 0);
}
