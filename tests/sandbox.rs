//! A guest keeps no state, sees nothing of other guests, and gets its random numbers and its time from the host.

use crate::fixtures;
use crate::harness::{Client, Host, LONG_PATIENCE, Setup, wait_up_to};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

#[test]
fn nothing_outlives_a_call() {
    let host = Setup::new().plugin("count", &fixtures::counting()).start();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let client = Client::new(&host);
                for _ in 0..100 {
                    assert_eq!(client.request("GET", "/count/?param=x", None).unwrap().text(), "1");
                }
            });
        }
    });
    assert_eq!(host.stop(), 0);
}

#[test]
fn memory_of_others_is_never_seen() {
    // Both grow by the same amount of memory, so that they use the same slots of the pool.
    let host = Setup::new().plugin("hoard", &fixtures::hoarding()).plugin("search", &fixtures::searching()).start();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let host = &host;
            scope.spawn(move || {
                let client = Client::new(host);
                for call in 0..50 {
                    let plugin = if (thread + call) % 2 == 0 { "hoard" } else { "search" };
                    let answer = client.request("GET", &format!("/{plugin}/?param=x"), None).unwrap();
                    assert_eq!((answer.status, answer.text()), (200, "0"), "{plugin}");
                }
            });
        }
    });
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_instance_is_reused_only_where_asked_and_as_often() {
    let host = Setup::new().plugin("x", &fixtures::counting()).config("[plugins.x]\nreuse = 3").start();
    let answers = |host: &Host, calls: usize| -> String {
        let client = Client::new(host);
        (0..calls).map(|_| client.request("GET", "/x/?param=x", None).unwrap().text().to_owned()).collect()
    };
    assert_eq!(answers(&host, 7), "1231231");
    // Another generation begins with new instances.
    std::fs::write(
        host.plugin_path("x"),
        [&fixtures::counting()[..], &fixtures::custom_section("note", b"2")].concat(),
    )
    .unwrap();
    wait_up_to(LONG_PATIENCE, "the next generation", || (host.status("x")["generation"] == 2).then_some(()));
    assert_eq!(answers(&host, 4), "1231");
    assert_eq!(host.admin_request("POST", "/plugins/x/rollback", Some(b"")).status, 200);
    assert_eq!(answers(&host, 4), "1231");
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_a_call_in_flight_remembers_goes_with_its_generation() {
    let host = Setup::new().plugin("x", &fixtures::counting_slowly()).config("[plugins.x]\nreuse = 10").start();
    assert_eq!(host.post("/x/", b"n").text(), "1");
    std::thread::scope(|scope| {
        let call = scope.spawn(|| host.post("/x/", b"w").text().to_owned());
        wait_up_to(LONG_PATIENCE, "the call", || (host.status("x")["calls_in_flight"] == 1).then_some(()));
        assert_eq!(host.admin_request("PUT", "/plugins/x", Some(&fixtures::counting())).json()["generation"], 2);
        assert_eq!(call.join().unwrap(), "2");
    });
    // The code of the first generation serves again, without its state.
    assert_eq!(host.admin_request("POST", "/plugins/x/rollback", Some(b"")).status, 200);
    assert_eq!(host.post("/x/", b"n").text(), "1");
    assert_eq!(host.stop(), 0);
}

#[test]
fn stacks_of_any_size_fit_beside_each_other() {
    let mut setup = Setup::new();
    for index in 1..=24 {
        let limits = format!("[plugins.p{index}.limits]\nstack_bytes_max = {}", 65_536 * index + 1);
        setup = setup.plugin(&format!("p{index}"), &fixtures::filtering()).config(&limits);
    }
    let host = setup.plugin("deep", &fixtures::recursing()).start();
    for index in 1..=24 {
        assert_eq!(host.get(&format!("/p{index}/?param=x")).status, 204, "{index}");
    }
    assert_eq!(host.get("/deep/?param=x").status, 502);
    // A single thread advances the epoch for all guests.
    let threads = std::fs::read_dir(format!("/proc/{}/task", host.process.id())).unwrap();
    let names = threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap_or_default());
    assert_eq!(names.filter(|name| name.trim() == "epoch").count(), 1);
    assert_eq!(host.stop(), 0);
}

/// The answers of a host with these flags: of a guest that returns random bytes, and of one that reads its clock twice.
fn chance_and_time(flags: &[&str]) -> Vec<Vec<u8>> {
    let host = Setup::new()
        .plugin("draw", &fixtures::drawing())
        .plugin("clock", &fixtures::telling_time())
        .with(flags)
        .start();
    let answers = (0..5).flat_map(|_| [host.get("/draw/?param=x").body, host.get("/clock/?param=x").body]).collect();
    assert_eq!(host.stop(), 0);
    answers
}

#[test]
fn under_a_seed_the_same_messages_give_the_same_answers() {
    let seeded = chance_and_time(&["--seed=7"]);
    assert_eq!(chance_and_time(&["--seed=7"]), seeded);
    let draws: Vec<_> = seeded.iter().step_by(2).collect();
    assert!(draws.iter().enumerate().all(|(index, draw)| !draws[..index].contains(draw)), "{draws:?}");
    // The two readings are a millisecond apart, and the same in every call.
    assert!(
        seeded.iter().skip(1).step_by(2).all(|times| times[..] == [0, 0, 0, 0, 0, 0, 0, 0, 64, 66, 15, 0, 0, 0, 0, 0])
    );
    let other = chance_and_time(&["--seed=8"]);
    assert_ne!(other[0], seeded[0]);
    assert_eq!(other[1], seeded[1]);
    let unseeded = chance_and_time(&[]);
    assert_ne!(unseeded[0], chance_and_time(&[])[0]);
    assert_ne!(unseeded[1], seeded[1]);
}

#[test]
fn a_trial_never_tells_what_a_message_draws() {
    let host = Setup::new().plugin("x", &fixtures::drawing()).with(&["--seed=7"]).start();
    let mut drawn = std::collections::BTreeSet::new();
    for _ in 0..5 {
        drawn.insert(host.get("/x/?param=x").body);
        let answer = host.admin_request("POST", "/plugins/x/call", Some(br#"{"message": {"body": "x"}}"#)).json();
        let message = &answer["message"];
        drawn.insert(match message["body"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => BASE64_STANDARD.decode(message["body_base64"].as_str().unwrap()).unwrap(),
        });
    }
    assert_eq!(drawn.len(), 10, "{drawn:?}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn chance_depends_on_the_code_as_well() {
    let with_note = [&fixtures::drawing()[..], &fixtures::custom_section("note", b"other")].concat();
    let host = Setup::new().plugin("x", &with_note).with(&["--seed=7"]).start();
    let drawn = host.get("/x/?param=x").body;
    assert_eq!(host.stop(), 0);
    assert_ne!(drawn, chance_and_time(&["--seed=7"])[0]);
}

#[test]
fn under_a_seed_a_policy_answers_the_same_requests_alike() {
    let replies = |seed: &str| -> Vec<serde_json::Value> {
        let host = Setup::new().committed("random-replies").with(&[seed]).start();
        let call = br#"{"request": {"frames": ["request"]}}"#;
        let path = "/plugins/random-replies/call";
        let answers = (0..10).map(|_| host.admin_request("POST", path, Some(call)).json()["replies"].clone()).collect();
        assert_eq!(host.stop(), 0);
        answers
    };
    let seeded = replies("--seed=1");
    assert_eq!(replies("--seed=1"), seeded);
    assert_ne!(replies("--seed=2"), seeded);
    assert!(seeded.iter().any(|replies| *replies != seeded[0]), "{seeded:?}");
}

#[test]
fn log_lines_over_the_bound_are_counted() {
    let host = Setup::new()
        .plugin("x", &fixtures::logging(1_000))
        .config("[plugins.x.limits]\nlog_lines_per_second_max = 10")
        .start();
    assert_eq!(host.get("/x/?param=x").status, 200);
    let dropped = host.status("x")["log_lines_dropped"].as_u64().unwrap();
    assert!((900..=990).contains(&dropped), "{dropped}");
    let written = host.process.stderr().lines().filter(|line| line.contains("a line of a guest")).count() as u64;
    assert_eq!(written + dropped, 1_000);
    assert_eq!(host.stop(), 0);
}
