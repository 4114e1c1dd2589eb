//! To a guest, an instance that is reset is the same as a new one, whatever earlier calls did and however they ended.

mod guests;

use crate::fixtures;
use crate::harness::{Answer, Client, Host, Setup, bytes, root};
use guests::Kind::{InPlace, New};
use guests::{Call, Guest, guests};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::{BTreeMap, BTreeSet};

/// With a seed, all calls with the same number get the same random numbers.
const SEED: &[&str] = &["--seed=7"];

/// A host with these plugins, each with the same setting.
fn host<'a>(plugins: impl IntoIterator<Item = (&'a str, &'a [u8])>, setting: &str) -> Host {
    let mut setup = Setup::new().with(SEED).config("[rollback]\nfailures = 0");
    for (name, component) in plugins {
        setup = setup.plugin(name, component).config(&format!(
            "[plugins.{name}]\n{setting}\n[plugins.{name}.limits]\ncall_deadline_ms = 300\nlog_lines_per_second_max = 100000"
        ));
    }
    setup.start()
}

/// The result of a call, as its client sees it.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    status: u16,
    body: Vec<u8>,
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        match answer.status {
            // On a busy machine a call that exceeds its deadline may be starved instead.
            503 | 504 => Self { status: 504, body: Vec::new() },
            status => Self { status, body: answer.body },
        }
    }
}

/// The outcomes of each guest's calls, by name. The calls are made one after the other, because a guest's random
/// numbers depend on the number of the call.
fn outcomes(host: &Host, guests: &[Guest]) -> BTreeMap<&'static str, Vec<Outcome>> {
    let of = |guest: &Guest| guest.calls.iter().map(|call| call.make(host, guest.name)).collect();
    guests.iter().map(|guest| (guest.name, of(guest))).collect()
}

/// The normalized log lines of each guest's failed calls, except those that exceeded their deadline.
fn lines(host: &Host, guests: &[Guest]) -> BTreeMap<&'static str, Vec<String>> {
    let log = host.process.stderr();
    let of = |name: &str| {
        let plugin = format!("plugin=\"{name}\"");
        let is_late = |line: &str| line.contains("call_deadline_ms");
        let is_failure = |line: &&str| line.contains(&plugin) && line.contains("call failed") && !is_late(line);
        log.lines().filter(is_failure).map(normalized).collect()
    };
    guests.iter().map(|guest| (guest.name, of(guest.name))).collect()
}

/// A log line without what differs from run to run (time, request id, hexadecimal numbers) and without the stack frame
/// that a reset adds to a backtrace.
fn normalized(line: &str) -> String {
    let line = line.find("plugin=").map_or(line, |at| &line[at..]);
    let mut words: Vec<String> = Vec::new();
    for word in line.split(' ').filter(|word| !word.is_empty() && !word.starts_with("request_id=")) {
        words.push(match word.find("0x") {
            Some(at) => {
                word[..at].to_owned() + word[at + 2..].trim_start_matches(|letter: char| letter.is_ascii_hexdigit())
            }
            None => word.to_owned(),
        });
    }
    words.join(" ").replace("\\n 1:  - tidegate!reset", "")
}

#[test]
fn no_guest_leaves_a_mark_in_an_instance_that_is_reset() {
    let guests = guests();
    let plugins = || guests.iter().map(|guest| (guest.name, &guest.component[..]));
    let [reset, fresh, reused] =
        [r#"isolation = "reset""#, r#"isolation = "fresh""#, "reuse = 1000"].map(|setting| host(plugins(), setting));
    for guest in &guests {
        let instances = reset.status(guest.name)["instances"].clone();
        match guest.kind {
            InPlace => assert_eq!(instances, "reset in place", "{}", guest.name),
            New(why) => {
                assert!(instances.as_str().is_some_and(|text| text.contains(why)), "{}: {instances}", guest.name)
            }
        }
        assert_eq!(fresh.status(guest.name)["instances"], "fresh (isolation = \"fresh\")");
    }
    let [found, expected, marked] = std::thread::scope(|scope| {
        let threads = [&reset, &fresh, &reused].map(|host| scope.spawn(|| outcomes(host, &guests)));
        threads.map(|thread| thread.join().expect("all calls are made"))
    });
    for guest in &guests {
        assert_eq!(found[guest.name], expected[guest.name], "{}", guest.name);
        // Where instances are reused, the marks must be seen; otherwise the guest tests nothing. Only the first three
        // calls count, because later ones see where the allocator is.
        let is_seen = marked[guest.name][..3] != expected[guest.name][..3];
        assert_eq!(is_seen, guest.is_seen, "{}", guest.name);
    }
    let (found, expected) = (lines(&reset, &guests), lines(&fresh, &guests));
    for guest in &guests {
        assert_eq!(found[guest.name], expected[guest.name], "{}", guest.name);
    }
    for host in [reset, fresh, reused] {
        assert_eq!(host.stop(), 0);
    }
}

/// Random bodies, some of them longer than a guest's initial memory, some of them not UTF-8.
fn bodies(count: usize) -> Vec<Vec<u8>> {
    let repeated = prop_oneof![4 => Just(1_usize), 2 => 1..50_usize, 1 => 1..4_000_usize];
    let body = ("[ -~é]{0,40}", repeated, any::<[bool; 4]>()).prop_map(|(text, times, is_text)| {
        [text.repeat(times).as_bytes(), if is_text.contains(&true) { &b""[..] } else { b"\xff" }].concat()
    });
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| body.new_tree(&mut runner).expect("a body").current()).collect()
}

#[test]
fn a_random_sequence_of_calls_comes_to_the_same_in_both() {
    const PLUGINS: [&str; 3] = ["downcase", "upcase", "contract"];
    const CALLS: usize = 2_000;
    let contract = std::fs::read(root().join("tests/fixtures/contract-0.1.0.wasm")).unwrap();
    let components = [bytes("downcase"), bytes("upcase"), contract];
    let policies = [("random-replies", bytes("random-replies")), ("echo", bytes("echo"))];
    let plugins = || {
        let transforms = PLUGINS.into_iter().zip(components.iter().map(Vec::as_slice));
        transforms.chain(policies.iter().map(|(name, component)| (*name, &component[..])))
    };
    let [reset, fresh] = ["reset", "fresh"].map(|isolation| host(plugins(), &format!("isolation = \"{isolation}\"")));
    let bodies = bodies(CALLS);
    let answers = |host: &Host| {
        let client = Client::new(host);
        let mut outcomes = Vec::new();
        for (number, body) in bodies.iter().enumerate() {
            let path = format!("/{}/", PLUGINS[number % PLUGINS.len()]);
            outcomes.push(Outcome::from(client.request("POST", &path, Some(body)).unwrap()));
            if number % 5 == 0 {
                let (name, _) = policies[number % policies.len()];
                outcomes.push(Call::Policy.make(host, name));
            }
        }
        outcomes
    };
    let [found, expected] = std::thread::scope(|scope| {
        [&reset, &fresh]
            .map(|host| scope.spawn(|| answers(host)))
            .map(|thread| thread.join().expect("all calls are made"))
    });
    for (number, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(found, expected, "call {number}");
    }
    let statuses: BTreeSet<_> = found.iter().map(|outcome| outcome.status).collect();
    assert!(statuses.len() > 1, "no call failed: {statuses:?}");
    for name in PLUGINS {
        let made = |host: &Host| host.status(name)["instances_made"].as_u64().unwrap();
        assert!(made(&reset) * 2 < made(&fresh), "{name}: {} {}", made(&reset), made(&fresh));
    }
    assert_eq!((reset.stop(), fresh.stop()), (0, 0));
}

#[test]
fn what_was_reset_serves_the_next_call() {
    let guests = guests();
    let host = host(guests.iter().map(|guest| (guest.name, &guest.component[..])), "");
    let made = |name| host.status(name)["instances_made"].as_u64().unwrap();
    let made_for_ten_calls = |name| {
        let before = made(name);
        (0..10).for_each(|_| drop(host.post(&format!("/{name}/"), b"a")));
        made(name) - before
    };
    for name in ["global", "own-data", "stack", "chance", "clock", "start", "post-return"] {
        assert_eq!(made_for_ten_calls(name), 1, "{name}");
    }
    // The first four change state that a reset does not undo; the last two are never reset.
    for name in ["grown", "refused-growth", "resource", "resource-returned", "table", "segment"] {
        assert_eq!(made_for_ten_calls(name), 10, "{name}");
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn no_mark_goes_from_one_generation_to_another_nor_back() {
    let host = Setup::new().plugin("x", &fixtures::counting_in_place()).start();
    let ask = || host.post("/x/", b"a").text().to_owned();
    assert_eq!(host.status("x")["instances"], "reset in place");
    assert_eq!([ask(), ask()], ["1", "1"]);
    let other = [&fixtures::counting_in_place()[..], &fixtures::custom_section("note", b"2")].concat();
    assert_eq!(host.admin_request("PUT", "/plugins/x", Some(&other)).json()["generation"], 2);
    assert_eq!([ask(), ask()], ["1", "1"]);
    assert_eq!(host.admin_request("POST", "/plugins/x/rollback", Some(b"")).status, 200);
    assert_eq!([ask(), ask()], ["1", "1"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_setting_that_is_none_is_refused() {
    let setup = Setup::new().plugin("x", &fixtures::counting_in_place()).config("[plugins.x]\nisolation = \"none\"");
    let output = setup.command().output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("isolation") && text.contains("reset"), "{text}");
}
