//! A plugin goes on serving whatever happens to its registry, and an artifact that is not valid is refused.

use super::proxy::Proxy;
use super::registry::{Registry, registry};
use super::{answer, host_of, plugin, push, refused, setup, stdout_of, wait_for_generation};
use crate::harness::{DOWN, LONG_PATIENCE, Process, Setup, UP, bytes, component, wait_up_to, write_program};
use serde_json::json;

/// `tide:gate`, hashed by bcrypt.
const HTPASSWD: &str = "tide:$2b$04$qkynkL5llIBDViTBVHqNtu7ddXrysmJXJlz69svP4QjobYCBQCTGu\n";
/// The base64 of `tide:gate`, and of a wrong password.
const AUTH: &str = "dGlkZTpnYXRl";
const WRONG_AUTH: &str = "dGlkZTp3YXRlcg==";

/// Asserts that the host does not start, and that its error contains these words.
#[track_caller]
fn assert_no_start(setup: &Setup, words: &[&str]) {
    let mut process = Process::start(&mut setup.command());
    let code = process.wait().code();
    let log = process.stderr();
    assert_eq!(code, Some(1), "{log}");
    for word in words {
        assert!(log.contains(word), "{word:?} is not in: {log}");
    }
}

#[test]
fn a_registry_that_is_down_keeps_what_serves_and_a_start_uses_the_copy() {
    let Some(mut registry) = registry() else { return };
    let reference = registry.reference("1");
    let pinned = push("downcase", &reference);
    let cache = tempfile::tempdir().unwrap();
    let cached = format!("--cache={}", cache.path().display());
    let host = host_of(&reference).with(&[&cached]).start();
    registry.kill();
    host.process.wait_for_line_up_to(
        LONG_PATIENCE,
        &["not loaded; what served before serves on", "does not answer", &registry.address],
    );
    // After some more polls the log still has the line only once.
    for _ in 0..3 {
        let refused_at = host.status("x")["last_refused"]["at"].clone();
        wait_up_to(LONG_PATIENCE, "another look", || {
            (host.status("x")["last_refused"]["at"] != refused_at).then_some(())
        });
    }
    assert_eq!(host.process.stderr().matches("does not answer").count(), 1);
    assert_eq!(answer(&host).text(), DOWN);
    assert_eq!(host.stop(), 0);

    let host = host_of(&reference).with(&[&cached]).start();
    host.process.wait_for_line_up_to(
        LONG_PATIENCE,
        &["a copy from the cache is used", "does not answer", pinned.split_once('@').unwrap().1],
    );
    assert_eq!(answer(&host).text(), DOWN);
    // The host logs that the registry answers again only after it has logged that it does not.
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["not loaded; what served before serves on", "does not answer"]);
    registry.run();
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["the registry answers again"]);
    push("upcase", &reference);
    wait_for_generation(&host, 2, UP);
    assert_eq!(host.stop(), 0);

    registry.kill();
    let words =
        ["loading plugin x from", &reference, "does not answer", "start it, or check its name", "no copy of it"];
    assert_no_start(&host_of(&reference), &words);
    assert_no_start(&host_of(&reference).with(&["--cache=none"]), &["no copies are kept"]);
    // A reference by digest that is cached needs no registry.
    let host = host_of(&pinned).with(&[&cached]).start();
    assert_eq!(answer(&host).text(), DOWN);
    assert!(!host.process.stderr().contains("a copy from the cache"), "{}", host.process.stderr());
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_registry_that_dies_within_a_pull_changes_nothing() {
    let Some(registry) = registry() else { return };
    push("downcase", &registry.reference("1"));
    let proxy = Proxy::to(&registry.address);
    let reference = format!("oci://{}/team/x:1", proxy.address);
    // Larger than a manifest, smaller than a component.
    const CUT: usize = 8 << 10;
    assert!(bytes("downcase").len() > 2 * CUT && bytes("upcase").len() > 2 * CUT);
    proxy.cut_after(CUT);
    assert_no_start(&host_of(&reference), &["does not answer", &proxy.address, "no copy of it"]);
    assert!(proxy.cuts() > 0);

    proxy.cut_after(usize::MAX);
    let host = host_of(&reference).start();
    proxy.cut_after(CUT);
    let cuts = proxy.cuts();
    push("upcase", &registry.reference("1"));
    wait_up_to(LONG_PATIENCE, "two pulls that are cut", || (proxy.cuts() > cuts + 1).then_some(()));
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["not loaded; what served before serves on", "does not answer"]);
    assert_eq!(answer(&host).text(), DOWN);
    proxy.cut_after(usize::MAX);
    wait_for_generation(&host, 2, UP);
    assert_eq!(host.stop(), 0);
}

#[test]
fn bytes_that_are_not_what_the_digest_says_are_refused() {
    let Some(registry) = registry() else { return };
    let reference = registry.reference("1");
    push("downcase", &reference);
    let host = host_of(&reference).start();

    push("upcase", &registry.reference("2"));
    let digest = registry.manifest("2")["layers"][0]["digest"].as_str().unwrap().replace("sha256:", "");
    let mut tampered = bytes("upcase");
    *tampered.last_mut().unwrap() ^= 1;
    std::fs::write(registry.blob(&digest), tampered).unwrap();
    registry.put_manifest("1", &registry.manifest("2"));
    host.process
        .wait_for_line_up_to(LONG_PATIENCE, &["not loaded; what served before serves on", "Invalid digest", &digest]);
    assert_eq!(answer(&host).text(), DOWN);
    assert_eq!(host.stop(), 0);
    assert_no_start(&host_of(&reference), &["pull: ", "Invalid digest", &digest]);
    refused(&["pull", &reference, "-o", "/nonexistent/x"], &[], &["Invalid digest", &digest]);
}

#[test]
fn a_component_over_its_bound_is_not_pulled() {
    let Some(registry) = registry() else { return };
    push("downcase", &registry.reference("1"));
    let bound = "[limits]\ncomponent_bytes_max = 1000";
    let words = ["pull: ", "larger than component_bytes_max 1000", &registry.address];
    assert_no_start(&host_of(&registry.reference("1")).config(bound), &words);
    // A manifest may declare a wrong size.
    let mut manifest = registry.manifest("1");
    manifest["layers"][0]["size"] = json!(1);
    registry.put_manifest("lie", &manifest);
    assert_no_start(&host_of(&registry.reference("lie")).config(bound), &words);
}

#[test]
fn credentials_come_from_the_configuration_of_docker() {
    let Some(registry) = Registry::start(Some(HTPASSWD)) else { return };
    let (reference, file) = (registry.reference("1"), component("downcase").display().to_string());
    let docker = |auth: &str| {
        let directory = tempfile::tempdir().unwrap();
        let config = json!({"auths": {(registry.address.clone()): {"auth": auth}}});
        std::fs::write(directory.path().join("config.json"), config.to_string()).unwrap();
        directory
    };
    let (right, wrong) = (docker(AUTH), docker(WRONG_AUTH));
    let (right, wrong) = (right.path().to_str().unwrap(), wrong.path().to_str().unwrap());
    let words = ["denies access", &registry.address, "docker login"];
    refused(&["push", &file, &reference], &[], &words);
    refused(&["push", &file, &reference], &[("DOCKER_CONFIG", wrong)], &words);
    let (code, pinned, stderr) = plugin(&["push", &file, &reference], &[("DOCKER_CONFIG", right)]);
    assert_eq!(code, 0, "{stderr}");
    refused(&["pull", pinned.trim_end(), "-o", "/nonexistent/x"], &[], &words);

    assert_no_start(&host_of(&reference), &words);
    let host = host_of(&reference).env("DOCKER_CONFIG", right).start();
    assert_eq!(answer(&host).text(), DOWN);
    assert!(!host.process.stderr().contains(AUTH) && !host.status("x").to_string().contains(AUTH));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_credential_helper_is_asked_where_docker_would_ask_it() {
    let Some(registry) = Registry::start(Some(HTPASSWD)) else { return };
    let directory = tempfile::tempdir().unwrap();
    let helper = directory.path().join("docker-credential-test");
    // The helper has credentials for this registry only.
    let script = format!(
        "#!/bin/sh\nread -r registry\n[ \"$1 $registry\" = 'get {}' ] || {{ echo credentials not found; exit 1; }}\n\
         echo '{{\"ServerURL\": \"x\", \"Username\": \"tide\", \"Secret\": \"gate\"}}'\n",
        registry.address
    );
    write_program(&helper, &script);
    std::fs::write(directory.path().join("config.json"), r#"{"credsStore": "test"}"#).unwrap();
    let directory = directory.path().to_str().unwrap();
    let programs = format!("{directory}:{}", std::env::var("PATH").unwrap());
    let environment = [("DOCKER_CONFIG", directory), ("PATH", programs.as_str())];
    let file = component("downcase").display().to_string();
    let (code, _, stderr) = plugin(&["push", &file, &registry.reference("1")], &environment);
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn plain_http_is_for_this_machine_and_for_whom_it_is_told_of() {
    let Some(registry) = registry() else { return };
    // An address of this machine in another notation.
    let elsewhere = registry.address.replace("127.0.0.1", "127.1");
    let (reference, file) = (format!("oci://{elsewhere}/team/x:1"), component("downcase").display().to_string());
    refused(&["push", &file, &reference], &[], &[&elsewhere, "does not answer", "oci.plain_http", "--plain-http"]);
    stdout_of(&["push", &file, &reference, "--plain-http"]);
    assert_no_start(&host_of(&reference), &[&elsewhere, "oci.plain_http"]);
    let config = format!("[oci]\nplain_http = ['{elsewhere}']");
    let host = setup().with(&[&format!("--plugin={reference}")]).config(&config).start();
    assert_eq!(answer(&host).text(), DOWN);
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_end_of_who_looks_at_a_tag_is_told_and_ends_the_host() {
    let Some(registry) = registry() else { return };
    push("downcase", &registry.reference("x"));
    let setup = host_of(&registry.reference("x"));
    let fail = setup.path().join("fail");
    std::fs::create_dir(&fail).unwrap();
    let mut host = setup.env("TIDEGATE_FAIL_POINTS", fail.to_str().unwrap()).start();
    std::fs::write(fail.join("poll-x"), "panic").unwrap();
    host.process.wait_for_line(&["a part of the host has died", "poll-x", "it panicked"]);
    assert_eq!(host.wait(), 4);
}
