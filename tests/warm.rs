//! Warm instances are new ones, as many as are configured, and are dropped with their generation.

use crate::fixtures;
use crate::harness::{Client, Host, LONG_PATIENCE, Setup, bytes, root, wait_up_to};

fn warm(host: &Host, name: &str) -> u64 {
    host.status(name)["instances_warm"].as_u64().unwrap()
}

fn wait_until_warm(host: &Host, name: &str, count: u64) {
    wait_up_to(LONG_PATIENCE, "instances that wait", || (warm(host, name) == count).then_some(()));
}

#[test]
fn calls_find_instances_that_were_made_before_and_remember_nothing() {
    let host =
        Setup::new().plugin("x", &fixtures::counting()).config("[plugins.x]\nisolation = \"fresh\"\nwarm = 3").start();
    assert_eq!(host.status("x")["warm"], 3);
    wait_until_warm(&host, "x", 3);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let client = Client::new(&host);
                for _ in 0..50 {
                    assert_eq!(client.request("GET", "/x/?param=x", None).unwrap().text(), "1");
                }
            });
        }
    });
    wait_until_warm(&host, "x", 3);
    // Each call had its own instance, warm or not; one more was made for the probe.
    assert_eq!(host.status("x")["instances_made"], 204);
    let metrics = host.admin("/metrics").text().to_owned();
    for line in
        ["tidegate_plugin_instances_warm{plugin=\"x\"} 3", "tidegate_plugin_instances_made_total{plugin=\"x\"} 204"]
    {
        assert!(metrics.contains(line), "{line}");
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn those_of_a_generation_go_with_it() {
    let host =
        Setup::new().plugin("x", &fixtures::counting()).config("[plugins.x]\nisolation = \"fresh\"\nwarm = 2").start();
    wait_until_warm(&host, "x", 2);
    let other = [&fixtures::answering("t", None)[..], &fixtures::custom_section("note", b"2")].concat();
    assert_eq!(host.admin_request("PUT", "/plugins/x", Some(&other)).json()["generation"], 2);
    assert_eq!(host.post("/x/", b"new").text(), "new");
    wait_until_warm(&host, "x", 2);
    assert_eq!(host.admin_request("POST", "/plugins/x/rollback", Some(b"")).status, 200);
    assert_eq!(host.post("/x/", b"new").text(), "1");
    assert_eq!(host.stop(), 0);
}

#[test]
fn chance_and_time_are_those_of_the_call_and_not_of_the_wait() {
    let answers = |config: &str, count: u64| -> Vec<Vec<u8>> {
        let setup = Setup::new().plugin("draw", &fixtures::drawing()).plugin("clock", &fixtures::telling_time());
        let host = setup.config(config).with(&["--seed=7"]).start();
        (0..4)
            .flat_map(|_| {
                ["draw", "clock"].map(|name| {
                    wait_until_warm(&host, name, count);
                    host.get(&format!("/{name}/?param=x")).body
                })
            })
            .collect()
    };
    assert_eq!(
        answers("[plugins.draw]\nisolation = \"fresh\"\nwarm = 2\n[plugins.clock]\nisolation = \"fresh\"\nwarm = 2", 2),
        answers("", 0)
    );
}

#[test]
fn what_asks_the_host_as_it_starts_is_made_when_it_is_called() {
    let asking = fixtures::transform(
        r#"(import "wasi:random/random@0.2.12" "get-random-u64" (func $draw (result i64)))
           (func $start (drop (call $draw))) (start $start)"#,
        "(i32.const 16)",
    );
    let host = Setup::new().plugin("x", &asking).config("[plugins.x]\nisolation = \"fresh\"\nwarm = 2").start();
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["not kept warm", "plugin=\"x\""]);
    assert_eq!((host.get("/x/?param=x").status, warm(&host, "x")), (204, 0));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_handler_is_kept_warm_too() {
    let handler = std::fs::read(root().join("tests/fixtures/handler.wasm")).unwrap();
    let setup = Setup::new().plugin("h", &handler).plugin("x", &bytes("downcase"));
    let host = setup.config("[plugins.h]\nwarm = 2").start();
    for _ in 0..5 {
        wait_until_warm(&host, "h", 2);
        let status = host.get("/h/").status;
        assert!(status < 500, "{status}");
    }
    assert_eq!(host.stop(), 0);
}

/// Writes to each page of its memory, which is 8 MiB.
#[cfg(target_os = "linux")]
fn writing_all_over() -> Vec<u8> {
    use fixtures::{SET, TRANSFORM, component};
    let fields = format!(
        "{SET} {TRANSFORM} (local $at i32)
            (local.set $at (i32.const 65536))
            (loop
                (i32.store (local.get $at) (i32.const 1))
                (local.set $at (i32.add (local.get $at) (i32.const 4096)))
                (br_if 0 (i32.lt_u (local.get $at) (i32.const 8388608))))
            (i32.const 16))"
    );
    component("transform-plugin", 128, 4096, &fields)
}

/// The first write to a page is a page fault, which the system counts.
#[test]
#[cfg(target_os = "linux")]
fn a_call_finds_the_memory_of_its_instance_in_place() {
    const CALLS: u64 = 10;
    let faults = |host: &Host| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", host.process.id())).unwrap();
        stat.rsplit_once(')').unwrap().1.split_whitespace().nth(7).unwrap().parse::<u64>().unwrap()
    };
    let faults_per_call = |config: &str, count| {
        let host = Setup::new().plugin("x", &writing_all_over()).config(config).start();
        let call = || {
            wait_until_warm(&host, "x", count);
            assert_eq!(host.get("/x/?param=x").status, 204);
        };
        // These calls touch the memories of the pool that are used at the same time.
        (0..CALLS).for_each(|_| call());
        let before = faults(&host);
        (0..CALLS).for_each(|_| call());
        let taken = faults(&host) - before;
        assert_eq!(host.stop(), 0);
        taken / CALLS
    };
    let (cold, warm) = (faults_per_call("", 0), faults_per_call("[plugins.x]\nwarm = 1", 1));
    assert!(cold > 1_000 && warm < 500, "{cold} page faults a call, {warm} where an instance waits");
}
