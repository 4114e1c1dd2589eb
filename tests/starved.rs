//! What the machine is too busy for is not held against a plugin, and long calls get a part of it all the same.

use crate::fixtures;
use crate::harness::{Answer, Host, Setup, wait_for};
use std::process::{Child, Command};

/// Programs that take all the time of all processors, for as long as this is there.
struct Busy(Vec<Child>);

impl Busy {
    fn with(each_processor: usize) -> Self {
        let count = each_processor * std::thread::available_parallelism().map_or(1, usize::from);
        // The bound, in seconds of a processor, is for a test that is killed. A little nice, for the tests beside this one
        // have deadlines too.
        let spin = ["-n", "3", "sh", "-c", "ulimit -t 60; while :; do :; done"];
        let spin = || Command::new("nice").args(spin).spawn().unwrap();
        Self((0..count).map(|_| spin()).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Takes some 25 ms of the processor, which is less of its deadline than would be held against it.
fn setup() -> Setup {
    Setup::new()
        .plugin("x", &fixtures::busy(25_000_000))
        .config("[rollback]\nwindow = 100\nfailures = 3\n[limits]\ncall_deadline_ms = 200")
}

fn call(host: &Host) -> Answer {
    host.get("/x/?param=x")
}

/// Calls until so many were left no time; each of the others is answered.
fn starve(host: &Host, calls: usize) {
    let mut starved = 0;
    wait_for("a machine that is too busy", || {
        let answer = call(host);
        if answer.status != 200 {
            assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{}", answer.text());
            assert!(answer.text().contains("the host is too busy: of call_deadline_ms 200"), "{}", answer.text());
            starved += 1;
        }
        (starved == calls).then_some(())
    });
}

#[test]
fn a_plugin_is_neither_paused_nor_rolled_back_for_what_the_host_had_no_time_for() {
    let host = setup().start();
    {
        let _busy = Busy::with(4);
        starve(&host, 4);
        // A newcomer loads meanwhile, and is not sent back either.
        let newcomer = [&fixtures::busy(25_000_000)[..], &fixtures::custom_section("note", b"2")].concat();
        assert_eq!(host.admin_request("PUT", "/plugins/x", Some(&newcomer)).json()["generation"], 2);
        starve(&host, 4);
    }
    wait_for("time for a call", || (call(&host).status == 200).then_some(()));
    let status = host.status("x");
    assert_eq!((&status["state"], &status["generation"]), (&"serving".into(), &2.into()), "{status}");
    let reasons = status["failures"].as_object().unwrap();
    assert!(reasons["starved"].as_u64() >= Some(8) && reasons.len() == 1, "{status}");
    assert!(!host.directory.path().join("dead-letters.jsonl").exists(), "a caller that was told may send it again");
    assert_eq!(host.stop(), 0);
}

#[test]
fn long_calls_end_on_a_busy_machine() {
    let host = Setup::new()
        .plugin("x", &fixtures::busy(20_000_000))
        .config("[plugins.x.limits]\ncall_deadline_ms = 5000")
        .start();
    let _busy = Busy::with(1);
    for _ in 0..10 {
        let answer = call(&host);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(host.status("x")["failures"], serde_json::json!({}));
    assert_eq!(host.stop(), 0);
}
