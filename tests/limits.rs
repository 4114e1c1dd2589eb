//! Whatever a plugin does, it harms only its own request.

use crate::fixtures;
use crate::harness::{Client, Host, Setup, wait_for};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[track_caller]
fn assert_failure(host: &Host, plugin: &str, status: u16, log: &str) {
    // On a busy machine the call may be starved instead.
    let answer = wait_for("time for it", || {
        Some(host.get(&format!("/{plugin}/?param=x"))).filter(|answer| !answer.text().contains("the host is too busy"))
    });
    assert_eq!(answer.status, status, "{plugin}: {}", answer.text());
    assert_eq!(answer.header("tidegate-plugin"), plugin);
    host.process.wait_for_line(&["call failed", &format!("plugin=\"{plugin}\""), log]);
    assert_eq!(host.get("/downcase/?param=OK").text(), "lower case of OK is ok", "after {plugin}");
}

#[test]
fn hostile_plugins_have_their_status_and_their_line() {
    let host = Setup::new()
        .committed("downcase")
        .plugin("loop", &fixtures::looping())
        .plugin("recurse", &fixtures::recursing())
        .plugin("grow", &fixtures::growing())
        .plugin("trap", &fixtures::trapping())
        .plugin("gigabyte", &fixtures::gigabyte())
        .plugin("wait", &fixtures::waiting())
        .start();
    assert_failure(&host, "loop", 504, "the call ran longer than call_deadline_ms 1000");
    assert_failure(&host, "wait", 504, "the call ran longer than call_deadline_ms 1000");
    assert_failure(&host, "recurse", 502, "used up its stack of stack_bytes_max 524288");
    assert_failure(&host, "grow", 502, "more memory than memory_bytes_max 67108864 was refused");
    assert_failure(&host, "trap", 502, "wasm `unreachable` instruction executed");
    assert_failure(&host, "gigabyte", 502, "output is over output_bytes_max 16777216");
    assert_eq!(host.stop(), 0);
}

#[test]
fn limits_are_per_plugin() {
    let host = Setup::new()
        .plugin("short", &fixtures::waiting())
        .plugin("small", &fixtures::growing())
        .plugin("wide", &fixtures::repeating_ten_mebibytes(2))
        .plugin("tight", &fixtures::answering("", None))
        .config("[limits]\ncall_deadline_ms = 60000\n[plugins.short.limits]\ncall_deadline_ms = 50\n[plugins.wide.limits]\noutput_bytes_max = 24000000")
        .config("[plugins.tight.limits]\noutput_bytes_max = 100\n[plugins.small.limits]\nmemory_bytes_max = 4194304")
        .start();
    let started = Instant::now();
    assert_eq!(host.get("/short/?param=x").status, 504);
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert_eq!(host.get("/small/?param=x").status, 502);
    assert_eq!(host.get("/wide/?param=x").status, 200);
    assert_eq!(host.get(&format!("/tight/?param={}", "x".repeat(50))).status, 200);
    assert_eq!(host.get(&format!("/tight/?param={}", "x".repeat(101))).status, 502);
    assert_eq!(host.stop(), 0);
}

#[test]
fn as_many_calls_as_may_be_run_at_once() {
    let host = Setup::new()
        .plugin("wait", &fixtures::waiting())
        .config("[plugins.wait.limits]\ncalls_max = 2\ncall_deadline_ms = 2000")
        .start();
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..4).map(|_| scope.spawn(|| host.get("/wait/?param=x").status)).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [503, 503, 504, 504]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_loop_under_sixteen_connections_starves_nobody() {
    let host = Setup::new()
        .committed("downcase")
        .plugin("loop", &fixtures::looping())
        .config("[rollback]\nfailures = 0")
        .start();
    let enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let client = Client::new(&host);
                while !enough.load(Ordering::Relaxed) {
                    let status = client.request("GET", "/loop/?param=x", None).unwrap().status;
                    assert!([503, 504].contains(&status), "{status}");
                }
            });
        }
        let client = Client::new(&host);
        let mut times = Vec::new();
        for _ in 0..20 {
            let started = Instant::now();
            assert_eq!(client.request("GET", "/downcase/?param=A", None).unwrap().status, 200);
            times.push(started.elapsed());
            let started = Instant::now();
            assert_eq!(host.admin("/livez").status, 200);
            times.push(started.elapsed());
        }
        enough.store(true, Ordering::Relaxed);
        // This does not measure speed: if guests blocked a thread, many answers would take the whole deadline, while a
        // single slow answer may come from the machine.
        times.sort_unstable();
        assert!(times[38] < Duration::from_secs(1), "{times:?}");
    });
    assert_eq!(host.stop(), 0);
}
