//! Commands that run once for each message: those that answer, and each way to fail.

use super::host::{CALM, Hosting};
use crate::harness::wait_for;
use rustix::process::{Pid, test_kill_process};
use std::fs;

/// Whether there is no process of this number.
pub fn is_gone(pid: i32) -> bool {
    test_kill_process(Pid::from_raw(pid).unwrap()).is_err()
}

#[test]
fn large_messages_go_through_whole() {
    let host = Hosting::new();
    let process = host.worker(&[CALM], &["cat"]);
    let worker = host.ready();
    let body: Vec<u8> = (0..1 << 20).map(|index: u32| (index % 251) as u8).collect();
    assert!(host.ask(&worker, "T", &body) == body, "the answer is another one");
    host.end(process, &worker);
}

#[test]
fn the_frames_before_the_last_are_in_the_environment() {
    let host = Hosting::new();
    let script = "cat; echo \" $TIDEGATE_FRAMES $TIDEGATE_FRAME_0,$TIDEGATE_FRAME_1,$TIDEGATE_FRAME_2\"";
    let process = host.scripted(&[CALM], script);
    let worker = host.ready();
    host.request(&worker, "T", &[br#"{"path": "/a"}"#, b"\xff", b"c", b"body"]);
    assert_eq!(host.answer(&worker, "T"), b"body 3 {\"path\": \"/a\"},,c\n");
    assert_eq!(host.ask(&worker, "T", b"alone"), b"alone 0 ,,\n");
    host.end(process, &worker);
}

#[test]
fn one_that_fails_gives_its_message_back_and_comes_again_later_and_later() {
    let host = Hosting::new();
    let script = "[ $(cat) = good ] && echo well || { echo oh dear >&2; exit 3; }";
    let process = host.scripted(&[CALM], script);
    let mut worker = host.ready();
    let mut pauses = Vec::new();
    for _ in 0..2 {
        host.request(&worker, "T", &[b"bad"]);
        host.left_by(&worker);
        let left = std::time::Instant::now();
        worker = host.ready();
        pauses.push(left.elapsed().as_secs_f64());
    }
    assert!((0.7..10.0).contains(&pauses[0]) && (1.4..10.0).contains(&pauses[1]), "{pauses:?}");
    assert_eq!(host.ask(&worker, "T", b"good"), b"well\n");
    let told = host.end(process, &worker);
    assert!(told.contains(": it ended with exit status: 3; the end of its stderr:\noh dear\n"), "{told}");
    assert!(told.ends_with("answered=1 failed=2 late=0 malformed=0\n"), "{told}");
}

#[test]
fn whatever_way_it_fails_it_is_said() {
    let host = Hosting::new();
    for (flags, script, words) in [
        (&[CALM][..], "kill -9 $$", "it ended with signal: 9"),
        (&[CALM, "--answer-bytes-max=3"], "echo abc; exec cat", "its answer has more than --answer-bytes-max 3"),
        (&[CALM, "--deadline=200ms"], "exec sleep 600", "it has not answered within --deadline 200ms, and is killed"),
    ] {
        let process = host.scripted(flags, script);
        let worker = host.ready();
        host.request(&worker, "T", &[&[b'x'; 1 << 20]]);
        host.left_by(&worker);
        process.wait_for_line(&["the command gets no messages for ", words]);
        assert!(!process.stderr().contains("panicked"), "{}", process.stderr());
    }
    // What is there at the start need not be there later.
    let program = host.directory.path().join("program");
    fs::write(&program, "x").unwrap();
    let process = host.worker(&[CALM], &["./program"]);
    let worker = host.ready();
    host.request(&worker, "T", &[b""]);
    host.left_by(&worker);
    process.wait_for_line(&["the command gets no messages for ", "it cannot be started: Permission denied"]);
}

#[test]
fn what_a_killed_command_has_started_is_killed_too() {
    let host = Hosting::new();
    let process = host.scripted(&[CALM, "--deadline=500ms"], "sleep 600 & echo $! > pid; wait");
    let worker = host.ready();
    host.request(&worker, "T", &[b""]);
    host.left_by(&worker);
    let pid: i32 = fs::read_to_string(host.directory.path().join("pid")).unwrap().trim().parse().unwrap();
    wait_for("the end of the sleep", || is_gone(pid).then_some(()));
    drop(process);
}
