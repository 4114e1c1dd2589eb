//! `tidegate worker` makes any program a worker: what it says to its host, and how it comes back and ends.

mod commands;
pub mod host;
mod lines;

use crate::harness::{END_PATIENCE, Process, tidegate, wait_for};
use crate::keygen::Pair;
use host::{CALM, Hosting, disconnect, heartbeat, start};
use std::fs;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn a_message_is_answered_byte_for_byte_and_the_end_is_in_order() {
    let host = Hosting::new();
    let process = host.worker(&[CALM], &["tr", "a-z", "A-Z"]);
    let worker = host.ready();
    wait_for("a line", || (process.stdout() == format!("worker of score at {}\n", host.endpoint)).then_some(()));
    host.request(&worker, "T-1", &[b"hello"]);
    let final_answer = [&b"MDPW02"[..], b"\x04", b"T-1", b"", b"HELLO"].map(<[u8]>::to_vec).to_vec();
    assert_eq!(host.receive(), (worker.clone(), final_answer));
    assert_eq!(host.ask(&worker, "T-2", b""), b"");
    // The host may give several at a time, if it was told to.
    host.request(&worker, "T-3", &[b"three"]);
    host.request(&worker, "T-4", &[b"four"]);
    assert_eq!((host.answer(&worker, "T-3"), host.answer(&worker, "T-4")), (b"THREE".to_vec(), b"FOUR".to_vec()));
    assert_eq!(host.end(process, &worker), "answered=4 failed=0 late=0 malformed=0\n");
}

#[test]
fn both_sides_hear_from_the_other_while_the_command_runs() {
    let host = Hosting::new();
    let process = host.scripted(&["--heartbeat=1s"], "while ! [ -e go ]; do sleep 0.01; done; echo done");
    let worker = host.ready();
    host.request(&worker, "T", &[b""]);
    for _ in 0..3 {
        let heard = host.receive_within(Duration::from_secs(20));
        assert_eq!(heard, Some((worker.clone(), heartbeat())));
        host.send(&worker, &heartbeat());
    }
    fs::write(host.directory.path().join("go"), "").unwrap();
    let answer = loop {
        match host.receive_within(END_PATIENCE).unwrap() {
            (_, frames) if frames == heartbeat() => host.send(&worker, &heartbeat()),
            (_, frames) => break frames,
        }
    };
    assert_eq!(answer.last().unwrap(), b"done\n");
    assert!(!process.stderr().contains("silent"), "{}", process.stderr());
}

#[test]
fn a_silent_host_is_left_and_tried_again() {
    let host = Hosting::new();
    let process = host.worker(&["--heartbeat=1s"], &["cat"]);
    let first = host.ready();
    let started = Instant::now();
    let second = host.ready();
    assert_ne!(first, second, "the same socket");
    assert!(started.elapsed() > Duration::from_millis(3_000 + 700), "{:?}", started.elapsed());
    assert_eq!(host.ask(&second, "T", b"back"), b"back");
    process.wait_for_line(&["the host at ", &host.endpoint, "silent for three heartbeats; trying again, first in "]);
    process.wait_for_line(&["worker of score at ", " again"]);
    assert_eq!(process.stdout().lines().count(), 1);
}

#[test]
fn the_answer_for_a_lost_host_is_counted_and_not_sent() {
    let host = Hosting::new();
    let script = "[ $(cat) = now ] || while ! [ -e go ]; do sleep 0.01; done; echo done";
    let process = host.scripted(&[CALM], script);
    let worker = host.ready();
    host.request(&worker, "T-1", &[b"later"]);
    host.send(&worker, &disconnect());
    process.wait_for_line(&["the host at ", "it has sent DISCONNECT; trying again"]);
    // While the command has a message the worker takes no other.
    assert_eq!(host.receive_within(Duration::from_millis(1_500)), None);
    fs::write(host.directory.path().join("go"), "").unwrap();
    let again = host.ready();
    assert_eq!(host.ask(&again, "T-2", b"now"), b"done\n");
    let told = host.end(process, &again);
    assert!(told.ends_with("answered=1 failed=0 late=1 malformed=0\n"), "{told}");
}

#[test]
fn a_worker_that_is_sent_away_comes_back_unless_it_is_to_end() {
    let host = Hosting::new();
    let process = host.worker(&[CALM], &["cat"]);
    let worker = host.ready();
    host.send(&worker, &disconnect());
    let again = host.ready();
    assert_ne!(worker, again);
    host.end(process, &again);

    let mut process = host.worker(&[CALM, "--end-on-disconnect"], &["cat"]);
    let worker = host.ready();
    host.send(&worker, &disconnect());
    assert_eq!(process.wait().code(), Some(0));
    assert_eq!(host.receive_within(Duration::from_millis(300)), None);
}

#[test]
fn a_host_that_refuses_the_service_is_told_with_what_to_do() {
    let host = Hosting::new();
    let process = host.worker(&[CALM], &["cat"]);
    let (worker, _) = host.receive();
    host.send(&worker, &disconnect());
    process.wait_for_line(&["it refuses this worker: is --service the name of the pool there?"]);
    assert_eq!(process.stdout(), "");
}

#[test]
fn what_is_no_command_is_ignored_and_counted() {
    let host = Hosting::new();
    let process = host.worker(&[CALM], &["cat"]);
    let worker = host.ready();
    for frames in [&[b"" as &[u8]][..], &[b"MDPW01", b"\x05"], &[b"MDPW02", b"\x02", b"T"], &[b"MDPW02", b"\x01"]] {
        host.send(&worker, &frames.iter().map(|frame| frame.to_vec()).collect::<Vec<_>>());
    }
    assert_eq!(host.ask(&worker, "T", b"fine"), b"fine");
    let told = host.end(process, &worker);
    assert_eq!(told.matches("none of the commands of Majordomo 0.2").count(), 1, "{told}");
    assert!(told.ends_with("answered=1 failed=0 late=0 malformed=4\n"), "{told}");
}

#[test]
fn a_signal_lets_it_finish_and_a_second_one_does_not() {
    for signal in ["TERM", "INT"] {
        let host = Hosting::new();
        let script = "touch begun; while ! [ -e go ]; do sleep 0.01; done; echo done";
        let mut process = host.scripted(&[CALM], script);
        let worker = host.ready();
        host.request(&worker, "T", &[b""]);
        wait_for("the command", || host.directory.path().join("begun").exists().then_some(()));
        process.signal(signal);
        assert_eq!(host.receive_within(Duration::from_millis(300)), None, "it has ended already");
        fs::write(host.directory.path().join("go"), "").unwrap();
        assert_eq!(host.answer(&worker, "T"), b"done\n");
        host.left_by(&worker);
        assert_eq!(process.wait().code(), Some(0));
    }
    let host = Hosting::new();
    let mut process = host.scripted(&[CALM], "echo $$ > pid; sleep 600");
    let worker = host.ready();
    host.request(&worker, "T", &[b""]);
    let pid = wait_for("the command", || {
        let text = fs::read_to_string(host.directory.path().join("pid")).ok()?;
        text.trim().parse().ok()
    });
    process.signal("TERM");
    // The two are told apart by who takes them: the second one is sent until it ends.
    wait_for("its end", || {
        process.signal("TERM");
        process.has_ended().then_some(())
    });
    assert_eq!(process.wait().code(), Some(143));
    wait_for("the end of the command", || commands::is_gone(pid).then_some(()));
}

#[test]
fn where_nobody_listens_it_says_so_and_ends_when_it_is_told_to() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let endpoint = format!("tcp://{free}");
    let mut process = start(directory.path(), &endpoint, &["--heartbeat=50ms"], &["cat"]);
    process.wait_for_line(&["the host at ", &endpoint, "nothing is heard from it", "trying again, first in "]);
    process.signal("TERM");
    let started = Instant::now();
    assert_eq!(process.wait().code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(4), "it waits to be heard: {:?}", started.elapsed());
    assert_eq!(process.stdout(), "");
}

#[test]
fn a_host_that_comes_later_is_found() {
    let host = Hosting::new();
    let endpoint = host.endpoint.clone();
    drop(host);
    let directory = tempfile::tempdir().unwrap();
    let process = start(directory.path(), &endpoint, &["--heartbeat=50ms"], &["cat"]);
    process.wait_for_line(&["nothing is heard from it"]);
    let host = Hosting::with(|_| {});
    // At the place of the first.
    host.move_to(&endpoint);
    let worker = host.ready();
    host.send(&worker, &heartbeat());
    wait_for("a line", || (process.stdout() == format!("worker of score at {endpoint}\n")).then_some(()));
}

#[test]
fn curve_and_names_are_as_for_the_other_clients() {
    let server = zmq::CurveKeyPair::new().unwrap();
    let host = Hosting::with(|socket| {
        socket.set_curve_server(true).unwrap();
        socket.set_curve_secretkey(&server.secret_key).unwrap();
    });
    let pair = Pair::new(host.directory.path().join("keys"));
    let public = zmq::z85_encode(&server.public_key).unwrap();
    let keys = ["--server-key", &public, "--key", &pair.file("secret.key"), CALM];
    let endpoint = host.endpoint.replace("127.0.0.1", "localhost");
    let process = start(host.directory.path(), &endpoint, &keys, &["cat"]);
    let worker = host.ready();
    assert_eq!(host.ask(&worker, "T", b"secret"), b"secret");
    host.end(process, &worker);
    let without = host.worker(&[CALM], &["cat"]);
    without.wait_for_line(&["the server lets in nobody without keys", "--server-key"]);
}

#[test]
fn it_works_on_when_nobody_reads_its_output() {
    let host = Hosting::new();
    for (stdout, stderr) in [(true, false), (true, true)] {
        let closed = |is_closed: bool| match is_closed {
            true => Stdio::from(std::io::pipe().unwrap().1),
            false => Stdio::piped(),
        };
        let mut command = tidegate();
        command.args(["worker", "--connect", &host.endpoint, "--service=score", CALM, "--", "sh", "-c", "cat; exit 0"]);
        let mut child = command.stdin(Stdio::null()).stdout(closed(stdout)).stderr(closed(stderr)).spawn().unwrap();
        let worker = host.ready();
        assert_eq!(host.ask(&worker, "T", b"on"), b"on");
        crate::process::signal(child.id(), "TERM");
        host.left_by(&worker);
        assert_eq!(wait_for("its end", || child.try_wait().unwrap()).code(), Some(0));
    }
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut process = Process::start(tidegate().current_dir(&directory).arg("worker").args(arguments));
        (process.wait().code(), process.stderr())
    };
    let to = ["--connect=tcp://127.0.0.1:9", "--service=score"];
    for (arguments, code, words) in [
        (&["--service=score", "--", "cat"][..], 2, "--connect <ENDPOINT>"),
        (&["--connect=tcp://127.0.0.1:9", "--", "cat"], 2, "--service <NAME>"),
        (&to, 2, "COMMAND"),
        (&[&to[..], &["--heartbeat=0s", "--", "cat"]].concat(), 2, "`0s` is not between"),
        (&["--connect=tcp://*:9", "--service=score", "--", "cat"], 2, "names no host to connect to"),
        (&["--connect=tcp://127.0.0.1:9", "--service=", "--", "cat"], 2, "no name of a pool"),
        (
            &[&to[..], &["--", "no-such-program"]].concat(),
            1,
            "the command no-such-program: it is not in PATH; give its path",
        ),
        (&[&to[..], &["--", "./no-such"]].concat(), 1, "the command ./no-such: there is no such file"),
    ] {
        let (ended, stderr) = run(arguments);
        assert!(ended == Some(code) && stderr.contains(words), "{arguments:?}: {ended:?} {stderr}");
    }
}
