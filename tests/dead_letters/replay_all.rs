//! Many dead letters are chosen, replayed at a rate and marked, so that no replay sends one a second time.

use super::{FILE, dead_letters, dealer, json, lines, wait_for_letters};
use crate::fixtures;
use crate::harness::{Host, LONG_PATIENCE, Process, Setup, bytes, tidegate, wait_for};
use serde_json::Value;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;

/// A host whose plugin `p` traps, and which has `count` letters of it.
fn host_with_letters(count: usize) -> Host {
    let setup = Setup::new().plugin("p", &fixtures::trapping()).committed("downcase");
    let host = setup.config("[rollback]\nfailures = 0").start();
    for number in 1..=count {
        assert_eq!(host.get(&format!("/p/?param={number}")).status, 502);
    }
    wait_for_letters(&host, count);
    host
}

#[track_caller]
fn mend(host: &Host, component: &[u8]) {
    std::fs::write(host.plugin_path("p"), component).unwrap();
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["loaded", "plugin=\"p\"", "generation=2"]);
}

fn ids(directory: &Path, flags: &[&str]) -> Vec<String> {
    let (code, process) = dead_letters(directory, &[&["list", "--json"], flags].concat());
    assert_eq!(code, 0, "{}", process.stderr());
    let letters = json(&process);
    letters.as_array().unwrap().iter().map(|letter| letter["id"].as_str().unwrap().to_owned()).collect()
}

/// Replays all letters: the exit code, and the counts.
fn replay_all(host: &Host, flags: &[&str]) -> (i32, Value, Process) {
    let arguments = ["replay", "--all", "--rate=1000", "--json", "--send", "--http", host.surface("http")];
    let (code, process) = dead_letters(host.directory.path(), &[&arguments, flags].concat());
    let counts = json(&process);
    (code, counts, process)
}

#[test]
fn what_was_sent_is_marked_and_sent_once() {
    const LETTERS: usize = 30;
    let host = host_with_letters(LETTERS);
    mend(&host, &bytes("downcase"));
    let (code, counts, process) = replay_all(&host, &[]);
    assert_eq!((code, &counts["sent"]), (0, &LETTERS.into()), "{}", process.stderr());
    assert!(process.stderr().contains("30 of 30 letters sent, 0 failed, 0 left out, 0 to go"), "{}", process.stderr());
    let served = host.status("p")["calls"].clone();

    let (code, counts, _) = replay_all(&host, &[]);
    assert_eq!((code, &counts["letters"]), (0, &0.into()));
    assert_eq!(host.status("p")["calls"], served, "nothing was sent again");
    let directory = host.directory.path();
    assert_eq!(ids(directory, &[]).len(), 0);
    assert_eq!((ids(directory, &["--dealt-with"]).len(), ids(directory, &["--all"]).len()), (LETTERS, LETTERS));
    let (_, process) = dead_letters(directory, &["list", "--dealt-with"]);
    assert!(process.stdout().lines().nth(1).unwrap().contains("  sent 20"), "{}", process.stdout());
    assert_eq!(host.stop(), 0);
}

/// Each letter that fails again makes a new one: a hundred must not become two hundred, and then four.
#[test]
fn what_fails_again_stays_one_letter() {
    let host = host_with_letters(3);
    let before = ids(host.directory.path(), &[]);
    for round in 1..=2 {
        let (code, counts, process) = replay_all(&host, &[]);
        assert_eq!((code, &counts["failed"]), (1, &3.into()), "{}", process.stderr());
        assert!(process.stderr().contains("status: 502"), "{}", process.stderr());
        wait_for_letters(&host, 3 + 3 * round);
        assert_eq!(ids(host.directory.path(), &[]), before);
    }
    mend(&host, &bytes("downcase"));
    let (code, counts, _) = replay_all(&host, &[]);
    assert_eq!((code, &counts["sent"], &counts["letters"]), (0, &3.into(), &3.into()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn letters_are_chosen_by_reason_route_plugin_and_time() {
    let host =
        Setup::new().plugin("trap", &fixtures::trapping()).plugin("fail", &fixtures::erring(true, "mine")).start();
    assert_eq!(host.get("/trap/?param=a").status, 502);
    assert_eq!(host.get("/fail/?param=b").status, 502);
    let letters = wait_for_letters(&host, 2);
    let id = |at: usize| letters[at]["id"].as_str().unwrap().to_owned();
    let directory = host.directory.path();
    for (flags, expected) in [
        (&["--reason=trapped"][..], vec![id(0)]),
        (&["--reason=trapped", "--reason", "failed"], vec![id(0), id(1)]),
        (&["--route", "fail"], vec![id(1)]),
        (&["--plugin", "trap", "--reason=failed"], vec![]),
        (&["--since", "2h"], vec![id(0), id(1)]),
        (&["--since", letters[1]["time"].as_str().unwrap(), "--route=fail"], vec![id(1)]),
        (&["--since", "2999-01-01T00:00:00Z"], vec![]),
    ] {
        assert_eq!(ids(directory, flags), expected, "{flags:?}");
    }
    let (code, process) = dead_letters(directory, &["list", "--since", "yesterday"]);
    assert!(code == 2 && process.stderr().contains("neither a duration such as 250ms"), "{}", process.stderr());
    let (code, process) = dead_letters(directory, &["show", "--route=fail"]);
    assert_eq!(code, 0);
    assert!(process.stdout().starts_with(&format!("id: {}\n", id(1))), "{}", process.stdout());
    let (code, _) = dead_letters(directory, &["show", &id(0), "--route=fail"]);
    assert_eq!(code, 2, "an id chooses by itself");
    assert_eq!(host.stop(), 0);
}

/// Where a replay died between sending and marking, the next one says so, and leaves the choice to the user.
#[test]
fn a_letter_that_may_have_been_sent_is_left_out_and_told() {
    let host = host_with_letters(2);
    mend(&host, &bytes("downcase"));
    let directory = host.directory.path().to_owned();
    let first = ids(&directory, &[])[0].clone();
    // It takes the request and never answers, so the replay is in the midst of it.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut killed = Process::start(tidegate().current_dir(&directory).args([
        "dead-letters",
        "replay",
        "--all",
        "--send",
        "--http",
        &url,
    ]));
    let _connection = silent.accept().unwrap();
    let other = dead_letters(&directory, &["replay", "--all", "--send", "--http", &url]);
    assert!(other.0 == 1 && other.1.stderr().contains("replayed by somebody else"), "{}", other.1.stderr());
    killed.signal("KILL");
    killed.wait();
    let (code, counts, process) = replay_all(&host, &[]);
    assert_eq!((code, &counts["sent"], &counts["left_out"]), (1, &1.into(), &1.into()));
    assert!(process.stderr().contains(&format!("{first} is left out: a replay ended while it sent")));
    assert_eq!(ids(&directory, &[]), [first.as_str()]);

    let (code, process) = dead_letters(&directory, &["replay", &first, "--send", "--http", host.surface("http")]);
    assert_eq!(code, 0, "{}", process.stderr());
    assert_eq!(ids(&directory, &[]).len(), 0);
    assert_eq!(host.stop(), 0);
}

#[test]
fn where_nobody_answers_the_run_ends_and_nothing_is_lost() {
    let host = host_with_letters(3);
    let directory = host.directory.path();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}");
    let (code, process) = dead_letters(directory, &["replay", "--all", "--send", "--http", &url]);
    assert_eq!(code, 1);
    assert!(process.stderr().contains("0 of 3 letters sent, 1 failed, 0 left out, 2 to go"), "{}", process.stderr());
    assert_eq!(ids(directory, &[]).len(), 3);
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_interrupt_ends_a_run_between_two_letters() {
    let host = host_with_letters(3);
    mend(&host, &bytes("downcase"));
    let directory = host.directory.path().to_owned();
    // The second letter would have its turn after a second.
    let arguments = ["dead-letters", "replay", "--all", "--rate=1", "--send", "--http", host.surface("http")];
    let mut run = Process::start(tidegate().current_dir(&directory).args(arguments));
    wait_for("the first letter to be sent", || (lines(&directory).1.len() == 2).then_some(()));
    run.signal("INT");
    assert_eq!(run.wait().code(), Some(1));
    assert!(run.stderr().contains("1 of 3 letters sent, 0 failed, 0 left out, 2 to go"), "{}", run.stderr());
    assert_eq!(ids(&directory, &[]).len(), 2);
    assert_eq!(host.stop(), 0);
}

/// The host rotates the file and writes on while letters are listed and marked.
#[test]
fn marks_and_letters_are_whole_while_the_host_rotates_the_file() {
    let host = Setup::new()
        .plugin("p", &fixtures::trapping())
        .config("[dead_letters]\nbytes_max = 4096\nfiles_max = 1000\n[rollback]\nfailures = 0")
        .start();
    let directory = host.directory.path().to_owned();
    std::thread::scope(|scope| {
        let failing = scope.spawn(|| (0..60).for_each(|_| assert_eq!(host.get("/p/?param=x").status, 502)));
        wait_for("a letter", || directory.join(FILE).exists().then_some(()));
        while !failing.is_finished() {
            let (_, counts, process) = replay_all(&host, &[]);
            assert_eq!((&counts["sent"], &counts["left_out"]), (&0.into(), &0.into()), "{}", process.stderr());
            assert!(!process.stderr().contains("no letter"), "{}", process.stderr());
        }
    });
    // Whatever was replayed failed again, and each letter of that stands for none of its own.
    wait_for("the last letter", || (host.ledger()["hops"]["dead-letter"]["in_flight"] == 0).then_some(()));
    assert_eq!(ids(&directory, &[]).len(), 60);
    assert_eq!(host.stop(), 0);
}

#[test]
fn replies_have_no_call_and_keep_no_run_from_its_end() {
    let host = Setup::new().plugin("p", &fixtures::reply_policy("", "(unreachable)")).start();
    let socket = dealer(&host);
    socket.send("x", 0).unwrap();
    let mut reply = wait_for_letters(&host, 1)[0].clone();
    // As the letter of a reply that its client did not wait for.
    (reply["id"], reply["hop"]) = ("0-0".into(), "reply".into());
    reply["reply"] = serde_json::json!({"identity_base64": "", "frames_base64": []});
    reply.as_object_mut().unwrap().remove("request");
    let mut file = std::fs::OpenOptions::new().append(true).open(host.directory.path().join(FILE)).unwrap();
    file.write_all(format!("{reply}\n").as_bytes()).unwrap();
    mend(&host, &bytes("echo"));
    let (code, counts, process) = replay_all(&host, &["--frontend", host.surface("frontend"), "--timeout=1s"]);
    assert_eq!((code, &counts["sent"], &counts["replies"]), (0, &1.into(), &1.into()), "{}", process.stderr());
    assert!(process.stderr().contains("1 more are letters of replies"), "{}", process.stderr());
    assert_eq!(ids(host.directory.path(), &[]), ["0-0"]);
    assert_eq!(host.stop(), 0);
}
