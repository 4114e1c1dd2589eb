//! A registry that is slow, or stalls within a component, holds up only those who wait for it.

use super::host_of;
use super::raw::RawRegistry;
use crate::fixtures::custom_section;
use crate::harness::{DOWN, Host, LONG_PATIENCE, UP, bytes, tidegate, wait_up_to};
use crate::process::Process;
use std::time::{Duration, Instant};

/// The longest that a fix may take on a busy machine. A pull that stalls would take ten minutes.
const AT_ONCE: Duration = Duration::from_secs(20);

/// The component upcase with another digest.
fn fix(note: u8) -> Vec<u8> {
    [bytes("upcase"), custom_section("note", &[note])].concat()
}

#[track_caller]
fn put(host: &Host, name: &str, component: &[u8]) -> u64 {
    let began = Instant::now();
    let answer = host.admin_request("PUT", &format!("/plugins/{name}"), Some(component));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    answer.json()["generation"].as_u64().unwrap()
}

/// Waits until the host has polled the tag several more times.
#[track_caller]
fn wait_for_looks(registry: &RawRegistry) {
    let before = registry.asked("/manifests/").len();
    wait_up_to(LONG_PATIENCE, "more looks at the tag", || {
        (registry.asked("/manifests/").len() > before + 3).then_some(())
    });
}

/// Makes the host begin a pull that stalls.
#[track_caller]
fn stall(registry: &RawRegistry, component: &[u8]) {
    let before = registry.asked("/blobs/").len();
    registry.holds_back(true);
    registry.moves_to(component);
    wait_up_to(LONG_PATIENCE, "a pull", || (registry.asked("/blobs/").len() > before).then_some(()));
}

#[test]
fn a_fix_waits_for_no_registry_and_is_not_undone_by_it() {
    let registry = RawRegistry::start(&bytes("downcase"));
    let host = host_of(&registry.reference("x")).start();
    assert_eq!(host.get("/x/?param=AbC").text(), DOWN);
    stall(&registry, &fix(1));
    assert_eq!(put(&host, "x", &bytes("upcase")), 2);
    assert_eq!(host.get("/x/?param=AbC").text(), UP);
    let digest = host.status("x")["digest"].clone();
    // The component arrives after all, and is not used, neither now nor at the next polls.
    registry.holds_back(false);
    host.process.wait_for_line_up_to(
        LONG_PATIENCE,
        &["not used: what was asked for later has taken effect", &registry.address],
    );
    wait_for_looks(&registry);
    assert_eq!((host.status("x")["generation"].as_u64(), &host.status("x")["digest"]), (Some(2), &digest));
    // A tag that moves again is followed again.
    registry.moves_to(&bytes("downcase"));
    wait_up_to(LONG_PATIENCE, "the next tag", || (host.get("/x/?param=AbC").text() == DOWN).then_some(()));

    // A rollback stays in the same way.
    stall(&registry, &fix(2));
    assert_eq!(host.admin_request("POST", "/plugins/x/rollback", None).status, 200);
    let generation = host.status("x")["generation"].clone();
    registry.holds_back(false);
    let late = || host.process.stderr().matches("not used: what was asked for later").count();
    wait_up_to(LONG_PATIENCE, "the component that is too late", || (late() == 2).then_some(()));
    wait_for_looks(&registry);
    assert_eq!(host.status("x")["generation"], generation);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_tag_that_moves_after_a_fix_is_news_though_it_was_asked_about_before() {
    let registry = RawRegistry::start(&bytes("downcase"));
    let host = host_of(&registry.reference("x")).start();
    registry.holds_tags(true);
    let before = registry.asked("/manifests/").len();
    wait_up_to(LONG_PATIENCE, "a look at the tag", || (registry.asked("/manifests/").len() > before).then_some(()));
    assert_eq!(put(&host, "x", &fix(1)), 2);
    let moved = fix(2);
    registry.moves_to(&moved);
    registry.holds_tags(false);
    let digest = tidegate::plugin::digest(&moved);
    wait_up_to(LONG_PATIENCE, "what the tag stands for", || {
        (host.status("x")["digest"] == digest.as_str()).then_some(())
    });
    assert_eq!(host.stop(), 0);
}

#[test]
fn whoever_asked_for_what_comes_too_late_is_told() {
    let registry = RawRegistry::start(&bytes("downcase"));
    let host = host_of(&registry.reference("x")).config("[plugins.x]\npoll_ms = 0").start();
    registry.holds_back(true);
    registry.moves_to(&fix(1));
    std::thread::scope(|scope| {
        let load = scope.spawn(|| host.admin_request("POST", "/plugins/x/load", None));
        wait_up_to(LONG_PATIENCE, "a pull", || (registry.asked("/blobs/").len() > 1).then_some(()));
        assert_eq!(put(&host, "x", &fix(2)), 2);
        registry.holds_back(false);
        let answer = load.join().unwrap();
        assert!(answer.status == 409 && answer.text().contains("superseded: "), "{}", answer.text());
    });
    assert_eq!(host.status("x")["generation"], 2);
    assert_eq!(host.stop(), 0);
}

#[test]
fn registries_take_no_places_of_each_other() {
    const PLUGINS: usize = 6;
    let (slow, quick) = (RawRegistry::start(&bytes("downcase")), RawRegistry::start(&bytes("downcase")));
    let mut setup = host_of(&quick.reference("x"));
    for number in 0..PLUGINS {
        setup = setup.with(&[&format!("--plugin={}", slow.reference(&format!("slow-{number}")))]);
    }
    // Without a cache each plugin pulls its own copy.
    let host = setup.with(&["--cache=none"]).start();
    let before = slow.asked("/blobs/").len();
    slow.holds_back(true);
    slow.moves_to(&bytes("upcase"));
    wait_up_to(LONG_PATIENCE, "as many pulls as may be", || (slow.asked("/blobs/").len() >= before + 4).then_some(()));
    quick.moves_to(&bytes("upcase"));
    wait_up_to(LONG_PATIENCE, "the other registry's component", || {
        (host.get("/x/?param=AbC").text() == UP).then_some(())
    });
    assert_eq!(host.get("/slow-0/?param=AbC").text(), DOWN);
    slow.holds_back(false);
    for number in 0..PLUGINS {
        let path = format!("/slow-{number}/?param=AbC");
        wait_up_to(LONG_PATIENCE, "what was held back", || (host.get(&path).text() == UP).then_some(()));
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn who_pulls_reads_what_takes_so_long() {
    let registry = RawRegistry::start(&bytes("downcase"));
    registry.holds_back(true);
    let directory = tempfile::tempdir().unwrap();
    let (file, reference) = (directory.path().join("x.wasm"), registry.reference("x"));
    let mut pull = Process::start(tidegate().args(["plugin", "pull", &reference, "-o"]).arg(&file));
    pull.wait_for_line(&["pulling", reference.trim_start_matches("oci://"), " ..."]);
    registry.holds_back(false);
    assert!(pull.wait().success(), "{}", pull.stderr());
    assert_eq!(std::fs::read(&file).unwrap(), bytes("downcase"));
}
