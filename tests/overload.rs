//! Overload: some requests are refused at once, the others are answered, and afterwards all are answered again.

use crate::fixtures;
use crate::harness::{Client, LONG_PATIENCE, Setup, wait_up_to};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// So many clients that, with calls of some milliseconds, no machine answers them all within the queue's delay bound.
const CLIENTS: usize = 300;
/// A deadline that no call exceeds, even if all of them wait for a slow machine.
const PATIENCE: &str = "[limits]\ncall_deadline_ms = 60000";

#[test]
fn an_overload_is_shed_and_forgotten() {
    let host = Setup::new().plugin("busy", &fixtures::busy(3_000_000)).committed("downcase").config(PATIENCE).start();
    let (enough, answered, shed) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let client = Client::new(&host);
                while !enough.load(Ordering::Relaxed) {
                    let answer = client.request("GET", "/busy/?param=x", None).unwrap();
                    match answer.status {
                        200 => answered.fetch_add(1, Ordering::Relaxed),
                        503 if answer.text().contains("more requests come in than can be answered soon") => {
                            assert_eq!(answer.header("retry-after"), "1");
                            assert_eq!(answer.header("content-type"), "application/problem+json");
                            assert_ne!(answer.header("tidegate-request"), "");
                            shed.fetch_add(1, Ordering::Relaxed)
                        }
                        // The bound on calls of one plugin at a time.
                        503 => 0,
                        status => panic!("{status}: {}", answer.text()),
                    };
                }
            });
        }
        wait_up_to(LONG_PATIENCE, "some to be turned away, and some to be answered all the same", || {
            let before = answered.load(Ordering::Relaxed);
            (shed.load(Ordering::Relaxed) > 100 && before > 100).then_some(())
        });
        enough.store(true, Ordering::Relaxed);
    });
    let client = Client::new(&host);
    let mut in_a_row = 0;
    wait_up_to(LONG_PATIENCE, "every request to be answered again", || {
        let status = client.request("GET", "/downcase/?param=x", None).unwrap().status;
        in_a_row = if status == 200 { in_a_row + 1 } else { 0 };
        (in_a_row == 100).then_some(())
    });
    assert_eq!(host.stop(), 0);
}

#[test]
fn shedding_can_be_switched_off() {
    let setup = Setup::new().plugin("busy", &fixtures::busy(3_000_000)).config(PATIENCE);
    let host = setup.config("[http]\nqueue_delay_ms_max = 0").start();
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let client = Client::new(&host);
                for _ in 0..5 {
                    let answer = client.request("GET", "/busy/?param=x", None).unwrap();
                    assert!(answer.status == 200 || answer.text().contains("calls_max"), "{}", answer.text());
                }
            });
        }
    });
    assert_eq!(host.stop(), 0);
}
