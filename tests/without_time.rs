//! Calls that are starved on a busy machine are not counted against their plugin, and long calls get processor time
//! too.
//!
//! The name puts these tests last, because the load that they make would slow down the others.

use crate::fixtures;
use crate::harness::{Answer, Host, LONG_PATIENCE, Setup, wait_up_to};
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Programs that keep all processors busy until this is dropped.
struct Busy {
    programs: Vec<Child>,
    // These tests run one at a time, because they would starve each other.
    _alone: MutexGuard<'static, ()>,
}

impl Busy {
    fn with(each_processor: usize) -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let count = each_processor * std::thread::available_parallelism().map_or(1, usize::from);
        // `ulimit -t` ends the programs if the test is killed. They are a little nice, because tests that run at the
        // same time have deadlines too.
        let spin = ["-n", "3", "sh", "-c", "ulimit -t 60; while :; do :; done"];
        let spin = || Command::new("nice").args(spin).spawn().unwrap();
        Self { programs: (0..count).map(|_| spin()).collect(), _alone: alone }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.programs {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A host with a plugin that takes about 25 ms of processor time: well below the quarter of its deadline from which on
/// a late call counts as its own fault.
fn setup() -> Setup {
    Setup::new()
        .plugin("x", &fixtures::busy(25_000_000))
        .config("[rollback]\nwindow = 100\nfailures = 3\n[limits]\ncall_deadline_ms = 400")
}

fn call(host: &Host) -> Answer {
    host.get("/x/?param=x")
}

/// Calls until this many calls were starved; each of the others must succeed.
fn starve(host: &Host, calls: usize) {
    let mut starved = 0;
    wait_up_to(LONG_PATIENCE, "a machine that is too busy", || {
        let answer = call(host);
        if answer.status != 200 {
            assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{}", answer.text());
            assert!(answer.text().contains("the host is too busy: of call_deadline_ms"), "{}", answer.text());
            starved += 1;
        }
        (starved == calls).then_some(())
    });
}

#[test]
fn a_plugin_is_neither_paused_nor_rolled_back_for_what_the_host_had_no_time_for() {
    let host = setup().start();
    {
        let _busy = Busy::with(8);
        starve(&host, 4);
        // A new component is loaded meanwhile, and is not rolled back either.
        let newcomer = [&fixtures::busy(25_000_000)[..], &fixtures::custom_section("note", b"2")].concat();
        let loaded = wait_up_to(LONG_PATIENCE, "time for its probe", || {
            Some(host.admin_request("PUT", "/plugins/x", Some(&newcomer))).filter(|answer| answer.status != 503)
        });
        assert_eq!(loaded.json()["generation"], 2, "{}", loaded.text());
        starve(&host, 4);
    }
    wait_up_to(LONG_PATIENCE, "time for a call", || (call(&host).status == 200).then_some(()));
    let status = host.status("x");
    assert_eq!((&status["state"], &status["generation"]), (&"serving".into(), &2.into()), "{status}");
    let reasons = status["failures"].as_object().unwrap();
    assert!(reasons["starved"].as_u64() >= Some(8) && reasons.len() == 1, "{status}");
    assert!(!host.directory.path().join("dead-letters.jsonl").exists(), "a caller that was told may send it again");
    assert_eq!(host.stop(), 0);
}

#[test]
fn calls_that_are_starved_at_the_same_time_add_up_to_no_breakdown() {
    const CALLERS: usize = 16;
    // Each call needs more processor time than it gets here, and less than a quarter of its deadline.
    let host = Setup::new()
        .plugin("x", &fixtures::busy(100_000_000))
        .config("[rollback]\nwindow = 100\nfailures = 3\n[limits]\ncall_deadline_ms = 1000")
        .start();
    {
        let _busy = Busy::with(8);
        std::thread::scope(|scope| (0..CALLERS).for_each(|_| drop(scope.spawn(|| starve(&host, 2)))));
    }
    let status = host.status("x");
    assert_eq!((&status["state"], &status["pauses"]), (&"serving".into(), &0.into()), "{status}");
    let reasons = status["failures"].as_object().unwrap();
    assert!(reasons["starved"].as_u64() >= Some(2 * CALLERS as u64) && reasons.len() == 1, "{status}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn long_calls_end_on_a_busy_machine() {
    let host = Setup::new()
        // A few percent of its deadline, but more than threads of idle priority get on a busy machine.
        .plugin("x", &fixtures::busy(150_000_000))
        .config("[plugins.x.limits]\ncall_deadline_ms = 5000")
        .start();
    let _busy = Busy::with(1);
    let statuses: Vec<u16> = (0..10).map(|_| call(&host).status).collect();
    // Other programs on the machine may starve some of the calls, but nothing worse may happen.
    let ended = statuses.iter().filter(|status| **status == 200).count();
    assert!(ended >= 3 && statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
    let starved = &host.status("x")["failures"]["starved"];
    assert_eq!(starved.as_u64().unwrap_or(0), 10 - ended as u64);
    assert_eq!(host.stop(), 0);
}
