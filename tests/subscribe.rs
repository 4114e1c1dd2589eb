//! `tidegate subscribe`: one log line per message, and no received message is lost.

use crate::harness::{Process, tidegate, wait_for};
use std::path::Path;

struct Publishing {
    socket: zmq::Socket,
    endpoint: String,
}

impl Publishing {
    fn new() -> Self {
        let socket = zmq::Context::new().socket(zmq::XPUB).unwrap();
        socket.set_rcvtimeo(60_000).unwrap();
        socket.set_sndhwm(0).unwrap();
        socket.bind("tcp://127.0.0.1:*").unwrap();
        let endpoint = socket.get_last_endpoint().unwrap().unwrap();
        Self { socket, endpoint }
    }

    /// Starts a subscriber and waits until its subscription has arrived.
    fn subscriber(&self, directory: &Path, arguments: &[&str]) -> Process {
        let mut command = tidegate();
        command.current_dir(directory).args(["subscribe", "--connect", &self.endpoint]).args(arguments);
        let process = Process::start(&mut command);
        self.socket.recv_bytes(0).expect("a subscription");
        process
    }
}

fn log(directory: &Path, name: &str) -> String {
    std::fs::read_to_string(directory.join(name)).unwrap_or_default()
}

#[test]
fn messages_are_printed_and_logged_line_by_line() {
    let directory = tempfile::tempdir().unwrap();
    let publishing = Publishing::new();
    let mut process = publishing.subscriber(directory.path(), &[]);
    publishing.socket.send("lower case of É is é", 0).unwrap();
    publishing.socket.send_multipart(["a\\b\tc\nd\re".as_bytes(), b"\xff\x1b"], 0).unwrap();
    wait_for("two lines", || (process.stdout().lines().count() == 2).then_some(()));
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0));
    let stdout = process.stdout();
    assert_eq!(log(directory.path(), "subscriber.log"), stdout);
    let texts: Vec<_> = stdout.lines().map(|line| line.split_once(' ').unwrap()).collect();
    assert_eq!(texts[0].1, "lower case of É is é");
    assert_eq!(texts[1].1, "a\\\\b\\tc\\nd\\re\t\\xff\\x1b");
    let (date, time) = texts[0].0.split_once('T').unwrap();
    assert_eq!((date.len(), time.len(), &time[8..9], &time[12..]), (10, 13, ".", "Z"), "{}", texts[0].0);
    assert!(process.stderr().contains("received=2 logged=2 lost=0"), "{}", process.stderr());
}

#[test]
fn a_rotation_and_a_stop_lose_no_line() {
    const MESSAGES: usize = 50_000;
    let directory = tempfile::tempdir().unwrap();
    let publishing = Publishing::new();
    let mut process = publishing.subscriber(directory.path(), &["--quiet", "--log=x.log"]);
    for number in 0..MESSAGES {
        publishing.socket.send(&number.to_string(), 0).unwrap();
        if number == MESSAGES / 2 {
            wait_for("the log", || directory.path().join("x.log").exists().then_some(()));
            std::fs::rename(directory.path().join("x.log"), directory.path().join("x.log.1")).unwrap();
            process.signal("HUP");
        }
    }
    wait_for("the new log", || {
        let lines = log(directory.path(), "x.log").lines().count() + log(directory.path(), "x.log.1").lines().count();
        (lines == MESSAGES).then_some(())
    });
    process.signal("INT");
    assert_eq!(process.wait().code(), Some(0));
    assert_eq!(process.stdout(), "");
    let both = log(directory.path(), "x.log.1") + &log(directory.path(), "x.log");
    for (number, line) in both.lines().enumerate() {
        assert_eq!(line.split_once(' ').unwrap().1, number.to_string());
    }
    assert!(!log(directory.path(), "x.log").is_empty(), "the log was not opened anew");
}

#[test]
fn topics_are_prefixes() {
    let directory = tempfile::tempdir().unwrap();
    let publishing = Publishing::new();
    let process = publishing.subscriber(directory.path(), &["--topic=weather", "--topic=news"]);
    publishing.socket.recv_bytes(0).expect("the second subscription");
    for topic in ["sport", "weather", "news.local"] {
        publishing.socket.send_multipart([topic, "x"], 0).unwrap();
    }
    wait_for("two lines", || (process.stdout().lines().count() == 2).then_some(()));
    assert!(process.stdout().contains(" weather\tx\n") && process.stdout().contains(" news.local\tx\n"));
}

#[test]
fn it_is_said_what_is_waited_for() {
    for (arguments, words) in [
        (&[] as &[&str], "waiting for all messages from "),
        (&["--topic=oven", "--topic=a"], "waiting for messages whose first frame begins with `oven` or `a` from "),
        (&["--topic=oven", "--exact"], "waiting for messages whose first frame is `oven` from "),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let publishing = Publishing::new();
        let mut process = publishing.subscriber(directory.path(), &[&["--log=x.log"], arguments].concat());
        process.wait_for_line(&[words, &publishing.endpoint, "appended to x.log"]);
        process.signal("INT");
        assert_eq!(process.wait().code(), Some(0));
    }
}

#[test]
fn it_ends_after_as_many_messages_as_it_was_to_have() {
    let directory = tempfile::tempdir().unwrap();
    let publishing = Publishing::new();
    let mut process = publishing.subscriber(directory.path(), &["--count=3"]);
    for number in 0..5 {
        publishing.socket.send(&number.to_string(), 0).unwrap();
    }
    assert_eq!(process.wait().code(), Some(0));
    let texts: Vec<_> = process.stdout().lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
    assert_eq!(texts, ["0", "1", "2"]);
    assert_eq!(log(directory.path(), "subscriber.log"), process.stdout());
    assert!(process.stderr().ends_with("received=3 logged=3 lost=0\n"), "{}", process.stderr());
}

#[test]
fn exact_topics_are_whole_first_frames() {
    let directory = tempfile::tempdir().unwrap();
    let publishing = Publishing::new();
    let mut process = publishing.subscriber(directory.path(), &["--topic=oven", "--exact", "--count=2"]);
    for topic in ["oven2", "oven", "oven ", "oven"] {
        publishing.socket.send_multipart([topic, "x"], 0).unwrap();
    }
    assert_eq!(process.wait().code(), Some(0));
    let texts: Vec<_> = process.stdout().lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
    assert_eq!(texts, ["oven\tx", "oven\tx"]);
    assert!(process.stderr().ends_with("received=2 logged=2 lost=0 skipped=2\n"), "{}", process.stderr());
    let mut process = Process::start(tidegate().current_dir(&directory).args(["subscribe", "--exact"]));
    assert_eq!(process.wait().code(), Some(2), "without a topic there is nothing to compare");
}

#[test]
fn programs_get_an_object_per_message() {
    let directory = tempfile::tempdir().unwrap();
    let publishing = Publishing::new();
    let mut process = publishing.subscriber(directory.path(), &["--json", "--count=2"]);
    publishing.socket.send_multipart(["oven".as_bytes(), b"\xff\0", b""], 0).unwrap();
    publishing.socket.send("a \"b\"\n", 0).unwrap();
    assert_eq!(process.wait().code(), Some(0));
    let stdout = process.stdout();
    assert_eq!(log(directory.path(), "subscriber.log"), stdout);
    let objects: Vec<serde_json::Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects[0]["frames"], serde_json::json!(["oven", {"base64": "/wA="}, ""]));
    assert_eq!(objects[1]["frames"], serde_json::json!(["a \"b\"\n"]));
    assert_eq!(objects[0]["time"].as_str().unwrap().len(), "2026-11-24T01:40:29.453Z".len());
}

#[test]
fn what_cannot_be_done_is_said_at_start() {
    for (arguments, code, words) in [
        (["--log=/nowhere/x.log", "--quiet"], 1, "/nowhere/x.log"),
        (["--connect=4444", "--quiet"], 2, "4444"),
        (["--connect=tcp://127.0.0.1:*", "--quiet"], 2, "tcp://127.0.0.1:*"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut process = Process::start(tidegate().current_dir(&directory).arg("subscribe").args(arguments));
        assert_eq!(process.wait().code(), Some(code), "{}", process.stderr());
        assert!(process.stderr().contains(words), "{}", process.stderr());
    }
}
