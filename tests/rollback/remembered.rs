//! What was taken out of service stays so after a restart, what served before serves in its place, and it is said until
//! somebody puts something else there.

use super::{assert_serves, put};
use crate::fixtures;
use crate::harness::{DOWN, Host, LONG_PATIENCE, Process, Setup, UP, bytes, tidegate, wait_up_to};
use std::path::{Path, PathBuf};

const RULES: &str = "[rollback]\nfailures = 3\npause_ms = 60000";
pub const SERVES_AGAIN: &str = "what the source holds was taken out of service; what served in its place serves again";

/// A plugin that traps at a body of 3.
pub fn bad() -> Vec<u8> {
    fixtures::trapping_on(b'3')
}

/// The directory of hosts that are started one after the other, with their cache and the file of the plugin `x`.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn with(component: &[u8]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write(component);
        place
    }

    pub fn write(&self, component: &[u8]) {
        let file = self.0.path().join("x.wasm");
        std::fs::write(file.with_extension("new"), component).unwrap();
        std::fs::rename(file.with_extension("new"), file).unwrap();
    }

    pub fn cache(&self) -> PathBuf {
        self.0.path().join("cache")
    }

    pub fn setup(&self) -> Setup {
        let (path, cache) = (self.0.path().display(), self.cache());
        Setup::new()
            .with(&[&format!("--plugin=x={path}/x.wasm"), &format!("--cache={}", cache.display())])
            .config(RULES)
    }

    pub fn start(&self) -> Host {
        self.setup().start()
    }

    /// A host that went back from the bad file to downcase by itself, and has ended.
    pub fn after_a_rollback() -> Self {
        let place = Self::with(&bytes("downcase"));
        let host = place.start();
        place.write(&bad());
        wait_for_generation(&host, 2);
        fail(&host);
        assert_eq!(host.stop(), 0);
        place
    }
}

#[track_caller]
pub fn wait_for_generation(host: &Host, generation: u64) {
    wait_up_to(LONG_PATIENCE, "the generation", || (host.status("x")["generation"] == generation).then_some(()));
}

/// Makes the newcomer trap until it is rolled back.
#[track_caller]
fn fail(host: &Host) {
    for _ in 0..3 {
        assert_eq!(host.post("/x/", b"3").status, 502);
    }
    assert_eq!(host.status("x")["state"], "rolled-back");
}

/// The only file in a directory.
#[track_caller]
fn only(directory: &Path) -> PathBuf {
    let files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

/// Runs `tidegate plugin` on this host: exit code, and what it printed.
pub fn plugin(host: &Host, arguments: &[&str]) -> (Option<i32>, String) {
    let admin = host.surface("admin").trim_start_matches("http://");
    let mut process = Process::start(tidegate().arg("plugin").args(arguments).args(["--admin", admin]));
    (process.wait().code(), process.stdout() + &process.stderr())
}

/// What the source holds is condemned, and everybody who asks is told so.
#[track_caller]
fn assert_told(host: &Host) {
    let status = host.status("x");
    assert_eq!((&status["state"], &status["condemned"]["by"]), (&"rolled-back".into(), &"host".into()), "{status}");
    let notice = status["notice"].as_str().unwrap();
    assert!(notice.contains("calls failed, and rollback.failures is 3"), "{notice}");
    assert_eq!(host.readiness(), ["ready".to_owned(), format!("plugin x: {notice}")]);
    let (_, list) = plugin(host, &["list"]);
    assert!(list.contains("rolled-back") && list.contains(&format!("x: {notice}\n")), "{list}");
    assert!(host.admin("/metrics").text().contains("tidegate_plugin_source_condemned{plugin=\"x\"} 1\n"));
}

#[track_caller]
fn assert_well(host: &Host) {
    let status = host.status("x");
    assert_eq!((&status["state"], status["condemned"].is_null()), (&"serving".into(), true), "{status}");
    assert_eq!(host.readiness(), ["ready"]);
    assert!(host.admin("/metrics").text().contains("tidegate_plugin_source_condemned{plugin=\"x\"} 0\n"));
}

#[test]
fn a_bad_file_does_not_survive_its_rollback() {
    let place = Place::after_a_rollback();
    for _ in 0..2 {
        let host = place.start();
        host.process.wait_for_line(&["WARN", SERVES_AGAIN, "plugin=\"x\"", "3 of its first 3 calls failed"]);
        assert_serves(&host, 1, DOWN);
        assert_told(&host);
        // Neither another look nor the same bytes again change that.
        place.write(&bad());
        host.process.signal("HUP");
        host.process.wait_for_line(&["SIGHUP"]);
        assert_serves(&host, 1, DOWN);
        assert_eq!(host.stop(), 0);
    }
    let host = place.start();
    place.write(&bytes("upcase"));
    wait_for_generation(&host, 2);
    assert_serves(&host, 2, UP);
    assert_well(&host);
    assert_eq!(host.stop(), 0);

    let host = place.start();
    assert_serves(&host, 1, UP);
    assert_well(&host);
    // It is refused in whatever run it comes back, until somebody asks for it.
    place.write(&bad());
    host.process
        .wait_for_line_up_to(LONG_PATIENCE, &["not loaded", "probation: these bytes were taken out of service"]);
    assert_serves(&host, 1, UP);
    assert_told(&host);
    assert_eq!(plugin(&host, &["load", "x"]).0, Some(0));
    host.process.wait_for_line(&["condemned bytes serve again, since they were asked for"]);
    assert_eq!(host.stop(), 0);
    let host = place.start();
    assert_eq!(host.post("/x/", b"1").text(), "1");
    assert_well(&host);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_host_that_is_killed_after_a_rollback_remembers_it() {
    let place = Place::with(&bytes("downcase"));
    let mut host = place.start();
    place.write(&bad());
    wait_for_generation(&host, 2);
    fail(&host);
    wait_up_to(LONG_PATIENCE, "the record", || {
        let mut records = std::fs::read_dir(place.cache().join("condemned")).ok()?.flatten();
        records.any(|record| record.path().extension().is_some_and(|extension| extension == "json")).then_some(())
    });
    host.process.signal("KILL");
    host.process.wait();
    let host = place.start();
    assert_serves(&host, 1, DOWN);
    assert_told(&host);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_cache_that_is_gone_or_damaged_brings_nothing_back_in_silence() {
    let place = Place::after_a_rollback();
    std::fs::write(only(&place.cache().join("condemned")), "{").unwrap();
    let host = place.start();
    host.process.wait_for_line(&["WARN", "a record of condemned bytes is ignored", "condemned/x."]);
    assert_eq!(host.post("/x/", b"1").text(), "1");
    assert_eq!(host.stop(), 0);

    let place = Place::after_a_rollback();
    std::fs::remove_dir_all(place.cache()).unwrap();
    let host = place.start();
    assert_eq!(host.post("/x/", b"1").text(), "1");
    assert_well(&host);
    assert_eq!(host.stop(), 0);
}

#[test]
fn without_what_served_before_nothing_serves_and_the_others_do() {
    for (damage, told) in [(Some("garbage"), "not what its name says"), (None, "is not in the cache")] {
        let place = Place::after_a_rollback();
        for entry in std::fs::read_dir(place.cache().join("components")).unwrap() {
            let copy = entry.unwrap().path();
            damage.map_or_else(|| std::fs::remove_file(&copy), |bytes| std::fs::write(&copy, bytes)).unwrap();
        }
        let host = place.setup().plugin("y", &bytes("upcase")).start();
        host.process.wait_for_line(&[told]);
        host.process.wait_for_line(&["ERROR", "not loaded, and nothing serves", "is not in the cache"]);
        assert_eq!((host.get("/x/?param=a").status, host.get("/y/?param=a").status), (503, 200));
        assert_eq!(host.status("x")["state"], "empty");
        let ready = host.admin("/readyz");
        assert!(
            ready.status == 200 && ready.text().contains("plugin x: nothing serves: probation"),
            "{}",
            ready.text()
        );
        assert_eq!(plugin(&host, &["load", "x"]).0, Some(0));
        assert_eq!(host.post("/x/", b"1").text(), "1");
        assert_well(&host);
        assert_eq!(host.stop(), 0);
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_told_of_once_and_stops_nothing() {
    let place = Place::with(&bytes("downcase"));
    std::fs::create_dir(place.cache()).unwrap();
    for name in ["condemned", "components"] {
        std::fs::write(place.cache().join(name), "in the way").unwrap();
    }
    let host = place.start();
    host.process.wait_for_line(&["WARN", "what serves is not kept, and cannot serve again after a restart"]);
    for (generation, newcomer) in [(2, bad()), (4, fixtures::trapping_on(b'3').into_iter().chain(section()).collect())]
    {
        place.write(&newcomer);
        wait_for_generation(&host, generation);
        fail(&host);
        assert_serves(&host, generation + 1, DOWN);
    }
    host.process.wait_for_line(&["WARN", "what is condemned is not remembered across restarts", "condemned"]);
    let (code, told) = plugin(&host, &["rollback", "x", "--persist"]);
    assert!(code == Some(1) && told.contains("no earlier generation"), "{told}");
    put(&host, &bytes("upcase"));
    put(&host, &fixtures::answering("", None));
    let (code, told) = plugin(&host, &["rollback", "x", "--persist"]);
    assert!(code == Some(1) && told.contains("the next start may load again what was rolled back"), "{told}");
    assert_serves(&host, 8, UP);
    let log = host.process.stderr();
    for once in ["what is condemned is not remembered", "what serves is not kept"] {
        assert_eq!(log.matches(once).count(), 1, "{log}");
    }
    assert_eq!(host.stop(), 0);
}

/// Makes other bytes of a component that does the same.
fn section() -> Vec<u8> {
    fixtures::custom_section("other", b"bytes")
}

#[test]
fn two_hosts_share_a_cache() {
    let place = Place::with(&bytes("downcase"));
    let (one, other) = (place.start(), place.start());
    place.write(&bad());
    wait_for_generation(&one, 2);
    wait_for_generation(&other, 2);
    fail(&one);
    // The other one has made no bad experience yet.
    assert_eq!(other.post("/x/", b"1").text(), "1");
    assert_eq!(one.stop(), 0);
    fail(&other);
    assert_eq!(other.stop(), 0);
    let hosts = [place.start(), place.start()];
    for host in &hosts {
        assert_serves(host, 1, DOWN);
        assert_told(host);
    }
    // A plugin of the same name and bytes, from elsewhere, is another one.
    let elsewhere = Setup::new().plugin("x", &bad()).with(&[&format!("--cache={}", place.cache().display())]).start();
    assert_eq!(elsewhere.post("/x/", b"1").text(), "1");
    assert_eq!(elsewhere.stop(), 0);
    assert_eq!(hosts.map(Host::stop), [0, 0]);
}

#[test]
fn a_file_that_was_found_is_remembered_too() {
    let setup = Setup::new().config(RULES);
    let file = setup.path().join("plugins/x.wasm");
    std::fs::create_dir(setup.path().join("plugins")).unwrap();
    std::fs::write(&file, bytes("downcase")).unwrap();
    let mut host = setup.start();
    std::fs::write(&file, bad()).unwrap();
    wait_for_generation(&host, 2);
    fail(&host);
    assert_eq!(host.stop_and_tell().0, 0);
    let host = Setup::after(&mut host).config(RULES).start();
    host.process.wait_for_line(&[SERVES_AGAIN]);
    assert_serves(&host, 1, DOWN);
    assert_told(&host);
    assert_eq!(host.stop(), 0);
}
