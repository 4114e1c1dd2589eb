//! Nothing is lost in silence, for as long as it runs: the ledger agrees to the message with every client that lives.

mod books;
mod callers;
mod clients;
mod course;
mod listeners;
mod memory;
mod pace;
mod plugins;
mod requesters;
mod sequence;
mod trouble;

use crate::fixtures;
use crate::harness::{Client, Host, Setup};
use books::Books;
use clients::{Clients, Strangers};
use course::Course;
use memory::Memory;
use std::time::{Duration, Instant};
use trouble::Trouble;

/// What part of what the host can do it has to do.
const SHARE: f64 = 0.7;
/// Low enough for the queue of a subscriber that does not read to fill in seconds.
const QUEUE_MESSAGES_MAX: u64 = 2_000;
/// How often the ledger and the memory are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// How long the load lasts; the promise is made for 600.
fn time() -> Duration {
    let seconds =
        std::env::var("TIDEGATE_ENDURE_SECONDS").map_or(15, |text| text.parse().expect("a number of seconds"));
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
        // What the load does to the machine must not fail a call; and a plugin that traps is to go on.
        .config("[limits]\ncall_deadline_ms = 30000\n[rollback]\nfailures = 0")
        .config(&format!("[messaging]\nqueue_messages_max = {QUEUE_MESSAGES_MAX}"))
        .start()
}

/// Looks at the host until the course is over: its ledger has to add up every time.
fn watch(course: &Course, host: &Host) -> (Memory, u64) {
    let _guard = course.end_with_me();
    let admin = Client::at(host.surface("admin"));
    let (mut memory, mut looks) = (Memory::of(host.process.id()), 0);
    while !course.is_over() {
        memory.watch();
        Books::read(&admin);
        looks += 1;
        std::thread::sleep(LOOK);
    }
    (memory, looks)
}

/// Memory at the end is what it was early on.
fn assert_flat(memory: &Memory, time: Duration) {
    const MINUTE: Duration = Duration::from_secs(60);
    let (early, late, allowance) = if time >= 3 * MINUTE {
        (memory.median_kib(MINUTE, 2 * MINUTE), memory.median_kib(time - MINUTE, time), 0.05)
    } else {
        // By then not all that will ever be used has been used once: the queue of a subscriber that does not read, say.
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
    let (memory, looks, strangers) = clients.load(paces, false, |course| {
        let host = &host;
        std::thread::scope(|scope| {
            let watching = scope.spawn(move || watch(course, host));
            let _guard = course.end_with_me();
            let mut trouble = Trouble::new(host, &address, (time / 4).min(Duration::from_secs(20)));
            let (started, rounds) = (Instant::now(), (time.as_secs() / 2).max(1) as u32);
            for round in 1..=rounds {
                trouble.round();
                let until_next = (time / rounds * round).saturating_sub(started.elapsed());
                if started.elapsed() >= time || course.is_over() {
                    break;
                }
                std::thread::sleep(until_next);
            }
            trouble.end();
            course.end();
            let (memory, looks) = watching.join().expect("the ledger adds up");
            (memory, looks, trouble.strangers())
        })
    });
    println!("{}; {strangers:?}; {looks} looks at the ledger", clients.summary());

    host.process.signal("TERM");
    assert_eq!(host.process.wait().code(), Some(0), "{}", host.process.stderr());
    let books = Books::at_exit(&host.process.stderr());
    clients.assert_nothing_lacks(&books);
    clients.settle(&books, &strangers);
    assert_flat(&memory, time);
}

#[test]
fn whatever_was_accepted_before_a_stop_is_answered_or_accounted_for() {
    let mut host = host();
    let mut clients = Clients::start(&host);
    let paces = clients.calibrate(Duration::from_secs(2), SHARE);
    let replies_before = clients.replies();
    let (code, books) = clients.load(paces, true, |course| {
        std::thread::sleep(Duration::from_secs(2));
        host.process.signal("TERM");
        let code = host.process.wait().code();
        let books = Books::at_exit(&host.process.stderr());
        course.end();
        course.expect_replies(books.hop("reply").out - replies_before);
        (code, books)
    });
    println!("{}", clients.summary());
    let abandoned: u64 =
        ["publish", "policy", "schedule", "reply"].map(|name| books.hop(name).dropped("abandoned")).iter().sum();
    assert_eq!(code, Some(if abandoned == 0 { 0 } else { 3 }), "{books:?}");
    clients.settle(&books, &Strangers::default());
}
