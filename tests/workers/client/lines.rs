//! `tidegate worker --lines`: one program answers line by line, and is started again when it ends.

use super::commands::is_gone;
use super::host::{CALM, Hosting};
use crate::harness::wait_for;
use std::fs;

/// Answers each line with it and the process's number; ends at `die`.
const PROGRAM: &str = "while read -r line; do [ \"$line\" = die ] && exit 7; echo \"$line $$\"; done; touch ended";

fn pid(answer: &[u8]) -> i32 {
    std::str::from_utf8(answer).unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

/// What the program wrote into the file `pid`.
fn pid_in(host: &Hosting) -> i32 {
    let file = host.directory.path().join("pid");
    wait_for("its number", || fs::read_to_string(&file).ok()?.trim().parse().ok())
}

#[test]
fn one_program_answers_line_by_line_and_is_started_again_when_it_ends() {
    let host = Hosting::new();
    let process = host.scripted(&[CALM, "--lines"], PROGRAM);
    let worker = host.ready();
    let first = host.ask(&worker, "T-1", b"one");
    assert!(first.starts_with(b"one "), "{}", first.escape_ascii());
    assert_eq!(pid(&host.ask(&worker, "T-2", b"two")), pid(&first));
    host.request(&worker, "T-3", &[b"die"]);
    host.left_by(&worker);
    process.wait_for_line(&["the command gets no messages for ", "it ended with exit status: 7"]);
    let again = host.ready();
    let second = host.ask(&again, "T-4", b"back");
    assert_ne!(pid(&second), pid(&first));
    // One that dies while nothing is asked of it gives back nothing, and is started again.
    crate::process::signal(u32::try_from(pid(&second)).unwrap(), "KILL");
    host.left_by(&again);
    let third = host.ready();
    assert_ne!(pid(&host.ask(&third, "T-5", b"")), pid(&second));
    let told = host.end(process, &third);
    assert!(told.ends_with("answered=4 failed=1 late=0 malformed=0\n"), "{told}");
    assert!(host.directory.path().join("ended").exists(), "its stdin did not end");
}

#[test]
fn a_message_that_is_no_line_is_given_back() {
    let host = Hosting::new();
    let process = host.scripted(&[CALM, "--lines"], PROGRAM);
    let worker = host.ready();
    host.request(&worker, "T", &[b"a\nb"]);
    host.left_by(&worker);
    process.wait_for_line(&["the message has more than one line, which --lines cannot pass on"]);
    let again = host.ready();
    host.end(process, &again);
}

#[test]
fn a_long_line_comes_back_and_one_that_is_too_long_does_not() {
    let host = Hosting::new();
    let process = host.worker(&[CALM, "--lines", "--answer-bytes-max=1048576"], &["cat"]);
    let worker = host.ready();
    let body = vec![b'x'; 1 << 20];
    assert!(host.ask(&worker, "T", &body) == body, "the answer is another one");
    host.request(&worker, "T", &[&vec![b'x'; (1 << 20) + 1]]);
    host.left_by(&worker);
    process.wait_for_line(&["its answer has more than --answer-bytes-max 1048576"]);
}

#[test]
fn a_program_that_speaks_unasked_is_ended() {
    let host = Hosting::new();
    // Whether the worker says READY before it hears of that is chance.
    let process = host.scripted(&[CALM, "--lines"], "echo $$ > pid; echo hello; exec cat");
    process.wait_for_line(&["it says `hello\\n` before it is asked"]);
    let first = pid_in(&host);
    wait_for("its end", || is_gone(first).then_some(()));
    wait_for("another one", || (pid_in(&host) != first).then_some(()));
}

#[test]
fn a_program_that_hangs_is_killed() {
    let host = Hosting::new();
    let process = host.scripted(&[CALM, "--lines", "--deadline=300ms"], "echo $$ > pid; exec sleep 600");
    let worker = host.ready();
    host.request(&worker, "T", &[b""]);
    host.left_by(&worker);
    process.wait_for_line(&["it has not answered within --deadline 300ms, and is killed"]);
    let pid = pid_in(&host);
    wait_for("its end", || is_gone(pid).then_some(()));
}

#[test]
fn its_stderr_is_that_of_the_worker() {
    let host = Hosting::new();
    let process = host.scripted(&[CALM, "--lines"], "echo loading >&2; exec cat");
    let worker = host.ready();
    process.wait_for_line(&["loading"]);
    host.end(process, &worker);
}
