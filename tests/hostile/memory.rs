//! The host's memory does not grow with the number of hostile calls.

use super::components::*;
use super::{NO_PAUSES, assert_good};
use crate::fixtures;
use crate::harness::{Client, LONG_PATIENCE, Process, Setup, assert_balanced, wait_up_to};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The plugins that are called in turn while memory is measured: name, component, limits, and status of the answer.
fn mixture() -> Vec<(&'static str, Vec<u8>, &'static str, u16)> {
    let quick = [
        ("trap", fixtures::trapping(), "", 502),
        ("grow", fixtures::growing(), "memory_bytes_max = 4194304", 502),
        ("text", returning(r"\ff\fe", &[(16, &[0, 1, 1024, 2])]), "", 502),
        ("outside", returning("", &[(16, &[0, 1, 0, 0, END, 1])]), "", 502),
        ("recurse", fixtures::recursing(), "", 502),
        ("alias", returning("", &[(16, &[0, 1, 0, 0, 0, 0, 0, END])]), "output_bytes_max = 65536", 502),
        ("exit", exiting(1), "", 502),
        ("realloc", allocating("(i32.const -16)"), "", 502),
        ("print", printing(Some(3), 1_024), "", 204),
        ("rejected", fixtures::erring(false, "no"), "", 422),
        ("filter", fixtures::filtering(), "", 204),
    ];
    // Calls that take milliseconds are made less often.
    let slow = [("loop", fixtures::looping(), "call_deadline_ms = 5", 504), ("leak", leaking_timers(), "", 502)];
    quick.iter().cycle().take(quick.len() * 4).chain(&slow).cloned().collect()
}

/// The `/proc` status file of the host: the child of this process whose working directory this is.
#[cfg(target_os = "linux")]
fn status_file(directory: &Path) -> std::path::PathBuf {
    let directory = directory.canonicalize().unwrap();
    let parent = format!("PPid:\t{}\n", std::process::id());
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let host = processes
        .filter(|process| std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == directory))
        .map(|process| process.join("status"))
        .find(|status| std::fs::read_to_string(status).is_ok_and(|status| status.contains(&parent)));
    host.expect("the host's process")
}

/// The resident memory of a process in KiB.
#[cfg(target_os = "linux")]
fn resident_kib(status_file: &Path) -> u64 {
    let status = std::fs::read_to_string(status_file).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a process that has not ended");
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn memory_stays_flat_over_hostile_calls() {
    const CALLS: usize = if cfg!(debug_assertions) { 6_000 } else { 100_000 };
    const THREADS: usize = 3;
    // All threads call the same plugin at a time, so that each plugin has used all its slots of the pool early on.
    const CALLS_IN_A_ROW: usize = 32;
    let calls = std::env::var("TIDEGATE_HOSTILE_CALLS").map_or(CALLS, |calls| calls.parse().expect("a number"));
    let mixture = mixture();
    let mut setup = Setup::new().with(&["--frontend=none"]).committed("downcase").config(NO_PAUSES);
    // No call is to be refused on a busy machine.
    setup = setup.config("[limits]\ncall_deadline_ms = 20000").config("[http]\nqueue_delay_ms_max = 0");
    let mut named = std::collections::BTreeSet::new();
    for (name, component, limits, _) in mixture.iter().filter(|(name, ..)| named.insert(*name)) {
        setup = setup.plugin(name, component).config(&format!("[plugins.{name}.limits]\n{limits}"));
    }
    // The log holds the ledger and errors only: a line for each failed call would be most of the work.
    let mut command = setup.command();
    command.env("TIDEGATE_LOG", "error,tidegate::app=info").env("RUST_BACKTRACE", "0");
    let mut process = Process::start(&mut command);
    let http = wait_up_to(LONG_PATIENCE, "the host", || {
        let lines = process.stdout();
        lines
            .ends_with("ready\n")
            .then(|| lines.lines().find_map(|line| line.strip_prefix("http ")).unwrap().to_owned())
    });

    let next = AtomicUsize::new(0);
    let call_on = |until| {
        let client = Client::at(&http);
        loop {
            let call = next.fetch_add(1, Ordering::Relaxed);
            if call >= until {
                return;
            }
            if call.is_multiple_of(8) {
                assert_good(&client);
            }
            let (name, _, _, status) = &mixture[call / CALLS_IN_A_ROW % mixture.len()];
            let answer = client.request("GET", &format!("/{name}/?param=HeLLo"), None).expect("an answer");
            // On a busy machine the call that loops may be starved instead.
            let is_busy = *status == 504 && answer.status == 503;
            assert!(answer.status == *status || is_busy, "{name}: {} {}", answer.status, answer.text());
        }
    };
    let mut samples = Vec::new();
    let status_file = status_file(setup.path());
    let mut call_by = |threads, until| {
        std::thread::scope(|scope| {
            let callers: Vec<_> = (0..threads).map(|_| scope.spawn(|| call_on(until))).collect();
            while callers.iter().any(|caller| !caller.is_finished()) {
                samples.push((next.load(Ordering::Relaxed), resident_kib(&status_file)));
                std::thread::sleep(Duration::from_millis(10));
            }
        });
    };
    // More threads at first, so that the pool has handed out more slots than it needs later.
    call_by(THREADS * 5, calls / 5);
    next.store(calls / 5, Ordering::Relaxed);
    call_by(THREADS, calls);
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0));
    assert_balanced(&process.stderr());

    // The median of each tenth, because a single sample may include the memory of calls in flight.
    let median = |tenth: usize| {
        let within = (calls / 10 * tenth)..(calls / 10 * (tenth + 1));
        let mut kib: Vec<_> = samples.iter().filter(|(call, _)| within.contains(call)).map(|(_, kib)| *kib).collect();
        kib.sort_unstable();
        kib[kib.len() / 2]
    };
    let medians: Vec<_> = (0..10).map(median).collect();
    println!("resident KiB by tenths of {calls} calls: {medians:?}");
    assert!(medians[9] < medians[2] + medians[2] / 20 + 4_096, "resident KiB by tenths: {medians:?}");
}
