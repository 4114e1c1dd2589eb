//! Authentication at a registry: revoked tokens, credential files of podman and docker, missing helpers, and no proxy
//! for loopback.

use super::raw::RawRegistry;
use super::{host_of, plugin, setup};
use crate::harness::{DOWN, LONG_PATIENCE, UP, bytes, wait_up_to};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// The base64 of `tide:gate`, and of a wrong password.
const AUTH: &str = "dGlkZTpnYXRl";
const WRONG_AUTH: &str = "dGlkZTp3YXRlcg==";

/// Writes a file of credentials, and creates its parent directories.
fn write(directory: &Path, name: &str, key: &str, auth: &str) -> String {
    let file = directory.join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, json!({"auths": {(key): {"auth": auth}}}).to_string()).unwrap();
    file.display().to_string()
}

#[test]
fn a_revoked_token_is_replaced_by_one_new_one() {
    let registry = RawRegistry::start(&bytes("downcase"));
    registry.asks_for(AUTH);
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "config.json", &registry.address, AUTH);
    let host = host_of(&registry.reference("x")).env("DOCKER_CONFIG", directory.path().to_str().unwrap()).start();
    let looks = |authorization: &str| {
        registry.asked("/manifests/").iter().filter(|asked| asked.authorization == authorization).count()
    };
    wait_up_to(LONG_PATIENCE, "looks with the first token", || (looks("Bearer token-1") > 3).then_some(()));
    assert_eq!(registry.asked("/token").len(), 1);

    registry.revokes(true);
    let before = looks("Bearer token-1");
    wait_up_to(LONG_PATIENCE, "looks with the second token", || (looks("Bearer token-2") > 10).then_some(()));
    // One poll, which is two requests, and one that was under way.
    let late = looks("Bearer token-1") - before;
    assert!(late <= 3, "asked {late} times with a token that is revoked");
    assert_eq!(registry.asked("/token").len(), 2);
    assert!(!host.process.stderr().contains("denies access"), "{}", host.process.stderr());

    // If the registry gives no new token, the host asks less and less often, and logs the reason once.
    let tokens = registry.asked("/token").len();
    registry.revokes(false);
    wait_up_to(LONG_PATIENCE, "more refusals", || (registry.asked("/token").len() > tokens + 4).then_some(()));
    let address = &registry.address;
    let words = ["denies access to team/x", "no longer", file.as_str(), &format!("docker login {address}")];
    host.process.wait_for_line_up_to(LONG_PATIENCE, &words);
    assert_eq!(host.process.stderr().matches("denies access").count(), 1);
    let asked = registry.asked("/token");
    let pause = asked[tokens + 4].at - asked[tokens].at;
    assert!(pause >= Duration::from_millis(100 + 200 + 400 + 800), "asked five times in {pause:?}");
    assert_eq!(host.get("/x/?param=AbC").text(), DOWN);

    // A load on request is answered at once, and the next poll succeeds.
    registry.revokes(true);
    registry.moves_to(&bytes("upcase"));
    assert_eq!(host.admin_request("POST", "/plugins/x/load", None).status, 200);
    assert_eq!(host.get("/x/?param=AbC").text(), UP);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_denial_says_what_is_wrong() {
    let registry = RawRegistry::start(&bytes("downcase"));
    registry.asks_for(AUTH);
    let directory = tempfile::tempdir().unwrap();
    let wrong = write(directory.path(), "wrong.json", &registry.address, WRONG_AUTH);
    let pull = |environment: &[(&str, &str)]| {
        let home = [("HOME", directory.path().to_str().unwrap())];
        let (code, _, stderr) =
            plugin(&["pull", &registry.reference("x"), "-o", "/nonexistent/x"], &[&home, environment].concat());
        assert_eq!(code, 1);
        stderr
    };
    let stderr = pull(&[]);
    assert!(stderr.contains("there are no credentials for it in ") && stderr.contains("podman login"), "{stderr}");
    let stderr = pull(&[("REGISTRY_AUTH_FILE", &wrong)]);
    assert!(stderr.contains(&format!("the credentials of {wrong}")) && stderr.contains("who are you"), "{stderr}");
    assert!(!stderr.contains(WRONG_AUTH));
    std::fs::write(&wrong, "{").unwrap();
    let stderr = pull(&[("REGISTRY_AUTH_FILE", &wrong)]);
    assert!(stderr.contains("could not be used") && stderr.contains(&wrong), "{stderr}");
}

#[test]
fn credentials_of_podman_are_found_where_it_writes_them() {
    let registry = RawRegistry::start(&bytes("downcase"));
    registry.asks_for(AUTH);
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name).display().to_string();
    let whole = registry.address.as_str();
    let part = format!("{whole}/team/x");
    for (file, key, name, value) in [
        ("auth.json", whole, "REGISTRY_AUTH_FILE", path("1/auth.json")),
        ("containers/auth.json", part.as_str(), "XDG_RUNTIME_DIR", path("2")),
        ("containers/auth.json", whole, "XDG_CONFIG_HOME", path("3")),
        (".config/containers/auth.json", whole, "HOME", path("4")),
        ("config.json", whole, "DOCKER_CONFIG", path("5")),
    ] {
        let folder = root.path().join(value.rsplit('/').find(|part| part.len() == 1).unwrap());
        write(&folder, file, key, AUTH);
        let pulled = path("x.wasm");
        let empty = path("empty");
        let mut environment = vec![("HOME", empty.as_str()), ("XDG_CONFIG_HOME", ""), ("XDG_RUNTIME_DIR", "")];
        environment.push((name, &value));
        let (code, _, stderr) = plugin(&["pull", &registry.reference("x"), "--force", "-o", &pulled], &environment);
        assert_eq!(code, 0, "{name}: {stderr}");
    }
    // Credentials for a path of a registry take precedence over those for the registry.
    let both = json!({"auths": {(whole): {"auth": WRONG_AUTH}, (format!("{whole}/team")): {"auth": AUTH}}});
    std::fs::write(path("both.json"), both.to_string()).unwrap();
    let host = host_of(&registry.reference("x")).env("REGISTRY_AUTH_FILE", &path("both.json")).start();
    assert_eq!(host.get("/x/?param=AbC").text(), DOWN);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_helper_that_is_missing_keeps_no_public_component_away() {
    let registry = RawRegistry::start(&bytes("downcase"));
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("config.json"), r#"{"credsStore": "nowhere"}"#).unwrap();
    let docker = directory.path().to_str().unwrap();
    let host = host_of(&registry.reference("x")).env("DOCKER_CONFIG", docker).start();
    assert_eq!(host.get("/x/?param=AbC").text(), DOWN);
    let looks = registry.asked("/manifests/").len();
    wait_up_to(LONG_PATIENCE, "more looks", || (registry.asked("/manifests/").len() > looks + 3).then_some(()));
    let warning = "docker-credential-nowhere is not installed";
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["the registry is asked without any", warning]);
    assert_eq!(host.process.stderr().matches(warning).count(), 1, "{}", host.process.stderr());
    assert_eq!(host.stop(), 0);
    // The helper is named where it would have been needed.
    registry.asks_for(AUTH);
    let (code, _, stderr) = plugin(&["pull", &registry.reference("x")], &[("DOCKER_CONFIG", docker)]);
    assert!(code == 1 && stderr.contains("denies access") && stderr.contains(warning), "{stderr}");
}

#[test]
fn this_machine_is_asked_without_a_proxy() {
    let registry = RawRegistry::start(&bytes("downcase"));
    let port = registry.address.rsplit(':').next().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.wasm").display().to_string();
    // Nothing listens at this address.
    let proxy = "http://127.0.0.1:1";
    let names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let mut environment: Vec<_> = names.iter().map(|&name| (name, proxy)).collect();
    environment.extend([("NO_PROXY", ""), ("no_proxy", "")]);
    for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}")] {
        let (code, _, stderr) = plugin(&["pull", &format!("{host}/team/x:1"), "--force", "-o", &file], &environment);
        assert_eq!(code, 0, "{host}: {stderr}");
    }
    let (code, _, stderr) =
        plugin(&["pull", "registry.invalid/team/x:1", "--force", "--plain-http", "-o", &file], &environment);
    assert!(code == 1 && stderr.contains("does not answer"), "{stderr}");
    let setup = environment.iter().fold(setup(), |setup, (name, value)| setup.env(name, value));
    let host = setup.with(&[&format!("--plugin={}", registry.reference("x"))]).start();
    assert_eq!(host.get("/x/?param=AbC").text(), DOWN);
    assert_eq!(host.stop(), 0);
}
