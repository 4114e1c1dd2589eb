//! Nothing is lost in silence, however long the host runs: the ledger agrees, to the message, with what every client
//! that stays has counted.

mod callers;
mod clients;
mod faults;
mod ledger;
mod listeners;
mod memory;
mod pace;
mod plugins;
mod requesters;
mod run;
mod sequence;

use crate::fixtures;
use crate::harness::{Client, Host, Setup};
use clients::{Clients, Unawaited};
use faults::Faults;
use ledger::Ledger;
use memory::Memory;
use run::Run;
use std::time::{Duration, Instant};

/// The load, as a share of the rate that the host was measured to sustain.
const SHARE: f64 = 0.7;
/// Low enough for the queue of a subscriber that does not read to fill in seconds.
const QUEUE_MESSAGES_MAX: u64 = 2_000;
/// The interval at which the ledger and the memory are read.
const READ_INTERVAL: Duration = Duration::from_millis(50);

/// How long the load lasts. The promise is made for 600 seconds.
fn time() -> Duration {
    let seconds = std::env::var("TIDEGATE_ENDURE_SECONDS").map_or(8, |text| text.parse().expect("a number of seconds"));
    Duration::from_secs(seconds)
}

fn host() -> Host {
    Setup::new()
        .plugin("x", &plugins::transform(0))
        .plugin("trap", &plugins::trapping(0))
        .plugin("gone", &fixtures::filtering())
        .plugin("policy", &plugins::policy(0))
        .env("TIDEGATE_FAULTS", "1")
        .env("TIDEGATE_LOG", "error,tidegate::app=info")
        .env("RUST_BACKTRACE", "0")
        // No call may exceed its deadline because of the load, and the plugin that traps must not be paused.
        .config("[limits]\ncall_deadline_ms = 30000\n[rollback]\nfailures = 0")
        .config(&format!("[messaging]\nqueue_messages_max = {QUEUE_MESSAGES_MAX}"))
        .start()
}

/// Reads the ledger, which must always add up, and the memory until the run is over. Returns the number of readings.
fn watch(run: &Run, host: &Host) -> (Memory, u64) {
    let _guard = run.end_on_panic();
    let admin = Client::at(host.surface("admin"));
    let (mut memory, mut readings) = (Memory::of(host.process.id()), 0);
    while !run.is_over() {
        memory.watch();
        Ledger::read(&admin);
        readings += 1;
        std::thread::sleep(READ_INTERVAL);
    }
    (memory, readings)
}

/// Asserts that memory does not grow.
fn assert_flat(memory: &Memory, time: Duration) {
    const MINUTE: Duration = Duration::from_secs(60);
    let (early, late, allowance) = if time >= 3 * MINUTE {
        (memory.median_kib(MINUTE, 2 * MINUTE), memory.median_kib(time - MINUTE, time), 0.05)
    } else {
        // After so short a time not every buffer has been used once: the queue of a subscriber that does not read, say.
        (memory.median_kib(time / 3, time * 2 / 3), memory.median_kib(time * 2 / 3, time), 1.0)
    };
    let tenths = memory.tenths_kib();
    println!("resident KiB: {early} early on, {late} at the end; by tenths {tenths:?}");
    assert!(late as f64 <= early as f64 * (1.0 + allowance), "resident KiB: {early}, then {late}; {tenths:?}");
}

#[test]
fn nothing_is_lost_in_silence_whatever_goes_wrong_meanwhile() {
    let time = time();
    let mut host = host();
    let mut clients = Clients::start(&host);
    let paces = clients.calibrate((time / 5).min(Duration::from_secs(5)), SHARE);
    println!("{paces:?}");

    let address = clients.address().to_owned();
    let (memory, readings, unawaited) = clients.load(paces, false, |run| {
        let host = &host;
        std::thread::scope(|scope| {
            let watching = scope.spawn(move || watch(run, host));
            let _guard = run.end_on_panic();
            let mut faults = Faults::new(host, &address, (time / 4).min(Duration::from_secs(20)));
            let (started, rounds) = (Instant::now(), (time.as_secs() / 2).max(1) as u32);
            for round in 1..=rounds {
                faults.round();
                let until_next = (time / rounds * round).saturating_sub(started.elapsed());
                if started.elapsed() >= time || run.is_over() {
                    break;
                }
                std::thread::sleep(until_next);
            }
            faults.end();
            run.end();
            let (memory, readings) = watching.join().expect("the ledger adds up");
            (memory, readings, faults.unawaited())
        })
    });
    println!("{}; {unawaited:?}; {readings} readings of the ledger", clients.summary());

    host.process.signal("TERM");
    assert_eq!(host.process.wait().code(), Some(0), "{}", host.process.stderr());
    let ledger = Ledger::at_exit(&host.process.stderr());
    clients.assert_all_replied(&ledger);
    clients.compare(&ledger, &unawaited);
    assert_flat(&memory, time);
}

#[test]
fn whatever_was_accepted_before_a_stop_is_answered_or_accounted_for() {
    let mut host = host();
    let mut clients = Clients::start(&host);
    let paces = clients.calibrate(Duration::from_secs(2), SHARE);
    let replies_before = clients.replies();
    let (code, ledger) = clients.load(paces, true, |run| {
        std::thread::sleep(Duration::from_secs(2));
        host.process.signal("TERM");
        let code = host.process.wait().code();
        let ledger = Ledger::at_exit(&host.process.stderr());
        run.end();
        run.expect_replies(ledger.hop("reply").out - replies_before);
        (code, ledger)
    });
    println!("{}", clients.summary());
    let abandoned: u64 =
        ["publish", "policy", "schedule", "reply"].map(|name| ledger.hop(name).dropped("abandoned")).iter().sum();
    assert_eq!(code, Some(if abandoned == 0 { 0 } else { 3 }), "{ledger:?}");
    clients.compare(&ledger, &Unawaited::default());
}
