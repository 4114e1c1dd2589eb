//! Plugins in OCI registries: pushed, pulled, run by tag or digest, and swapped when a tag moves.

mod access;
mod condemned;
mod failures;
mod fleet;
mod identity;
mod images;
mod private_authority;
mod proxy;
mod raw;
mod registry;
mod slow;

use crate::harness::{
    Answer, Client, DOWN, Host, LONG_PATIENCE, Process, Setup, UP, bytes, component, tidegate, wait_up_to,
    write_program,
};
use registry::registry;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// An environment without credentials and without a proxy for loopback.
const ENVIRONMENT: [(&str, &str); 3] =
    [("DOCKER_CONFIG", "/nonexistent"), ("NO_PROXY", "127.0.0.1,127.1"), ("no_proxy", "127.0.0.1,127.1")];

fn setup() -> Setup {
    ENVIRONMENT.into_iter().fold(Setup::new(), |setup, (name, value)| setup.env(name, value))
}

/// A host whose plugin `x` is this reference, and which polls it often.
fn host_of(reference: &str) -> Setup {
    setup().with(&[&format!("--plugin={reference}")]).config("[oci]\npoll_ms = 50")
}

/// Runs `tidegate plugin`: exit code, stdout, stderr.
fn plugin(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = tidegate();
    command.arg("plugin").args(arguments).envs(ENVIRONMENT).envs(environment.iter().copied());
    let mut process = Process::start(&mut command);
    let code = process.wait().code().expect("an exit code");
    (code, process.stdout(), process.stderr())
}

/// The stdout of a command that must succeed.
#[track_caller]
fn stdout_of(arguments: &[&str]) -> String {
    let (code, stdout, stderr) = plugin(arguments, &[]);
    assert_eq!(code, 0, "{arguments:?}: {stderr}");
    stdout.trim_end().to_owned()
}

/// Asserts that a command exits with 1 and that its stderr, which is returned, contains these words.
#[track_caller]
fn refused(arguments: &[&str], environment: &[(&str, &str)], words: &[&str]) -> String {
    let (code, stdout, stderr) = plugin(arguments, environment);
    assert_eq!((code, stdout.as_str()), (1, ""), "{arguments:?}: {stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word:?} is not in: {stderr}");
    }
    stderr
}

/// Pushes a committed component. Returns its reference by digest.
#[track_caller]
fn push(name: &str, reference: &str) -> String {
    stdout_of(&["push", &component(name).display().to_string(), reference])
}

fn path(directory: &Path, name: &str) -> (PathBuf, String) {
    let path = directory.join(name);
    let text = path.display().to_string();
    (path, text)
}

/// The answer of `x`, which must have status 200.
#[track_caller]
fn answer(host: &Host) -> Answer {
    let answer = host.get("/x/?param=AbC");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

#[track_caller]
fn wait_for_generation(host: &Host, generation: u64, text: &str) {
    wait_up_to(LONG_PATIENCE, &format!("generation {generation}"), || {
        let answer = answer(host);
        (answer.header("tidegate-generation") == generation.to_string()).then(|| assert_eq!(answer.text(), text))
    });
}

#[test]
fn a_component_is_pushed_and_pulled_as_the_layout_says() {
    let Some(registry) = registry() else { return };
    let pinned = push("downcase", &registry.reference("1"));
    assert!(pinned.starts_with(&format!("oci://{}/team/x@sha256:", registry.address)), "{pinned}");
    // The same file gives the same artifact.
    assert_eq!(push("downcase", &registry.reference("2")), pinned);

    let manifest = registry.manifest("1");
    let (config, layer) = (&manifest["config"], &manifest["layers"][0]);
    assert_eq!(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(config["mediaType"], "application/vnd.wasm.config.v0+json");
    assert_eq!((&layer["mediaType"], &manifest["layers"].as_array().unwrap().len()), (&json!("application/wasm"), &1));
    let config = config["digest"].as_str().unwrap();
    let config = registry.client().request("GET", &format!("/blobs/{config}"), None).unwrap().json();
    assert_eq!((&config["os"], &config["architecture"]), (&json!("wasip2"), &json!("wasm")));
    assert_eq!(config["layerDigests"], json!([layer["digest"]]));
    assert_eq!(config["component"]["exports"], json!(["tidegate:plugin/processor@0.2.0"]));

    let directory = tempfile::tempdir().unwrap();
    let (file, text) = path(directory.path(), "pulled.wasm");
    for reference in [&registry.reference("1"), &pinned] {
        assert_eq!(&stdout_of(&["pull", reference, "-o", &text]), &pinned);
        assert_eq!(std::fs::read(&file).unwrap(), bytes("downcase"));
        std::fs::remove_file(&file).unwrap();
    }

    let (module, text) = path(directory.path(), "module.wasm");
    std::fs::write(module, wat::parse_str("(module)").unwrap()).unwrap();
    refused(&["push", &text, &registry.reference("3")], &[], &["no component", "plugin build"]);
    refused(&["push", &text, &pinned], &[], &["names a digest", "name a tag"]);
    refused(&["pull", &registry.reference("none")], &[], &["no such repository, tag or digest", &registry.address]);
}

#[test]
fn a_host_runs_by_tag_and_by_digest_and_says_so() {
    let Some(registry) = registry() else { return };
    let (reference, pinned) = (registry.reference("1"), push("downcase", &registry.reference("1")));
    let artifact = pinned.split_once('@').unwrap().1;

    let host = host_of(&reference).start();
    let by_tag = answer(&host);
    assert_eq!((by_tag.text(), by_tag.header("tidegate-artifact")), (DOWN, artifact));
    let digest = by_tag.header("tidegate-digest");
    assert_eq!(registry.manifest("1")["layers"][0]["digest"], format!("sha256:{digest}"));
    let status = host.status("x");
    assert_eq!((&status["source"], &status["artifact"]), (&json!(reference), &json!(artifact)));
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["loaded", &reference, artifact, digest]);
    let admin = host.surface("admin").trim_start_matches("http://");
    let list = stdout_of(&["list", "--admin", admin]);
    assert!(list.contains(&format!("{reference}@{}", &artifact[..19])), "{list}");
    // A component that is put has no artifact, and cannot be persisted, because only a push writes to a registry.
    let refused = host.admin_request("PUT", "/plugins/x?persist=true", Some(&bytes("upcase")));
    assert!(refused.status == 400 && refused.text().contains("plugin push"), "{}", refused.text());
    assert_eq!(host.admin_request("PUT", "/plugins/x", Some(&bytes("upcase"))).status, 200);
    assert_eq!((answer(&host).text(), answer(&host).header("tidegate-artifact")), (UP, ""));
    // A load on request asks the registry.
    assert_eq!(host.admin_request("POST", "/plugins/x/load", None).status, 200);
    assert_eq!((answer(&host).text(), answer(&host).header("tidegate-artifact")), (DOWN, artifact));
    assert_eq!(host.stop(), 0);

    let host = host_of(&format!("y={pinned}")).start();
    let by_digest = host.get("/y/?param=AbC");
    assert_eq!((by_digest.text(), by_digest.header("tidegate-artifact")), (DOWN, artifact));
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_other_tools_push_is_read() {
    let Some(registry) = registry() else { return };
    push("downcase", &registry.reference("1"));
    let manifest = registry.manifest("1");
    let directory = tempfile::tempdir().unwrap();
    let (file, text) = path(directory.path(), "pulled.wasm");
    for (number, media_type) in [
        "application/vnd.wasm.content.layer.v1+wasm",
        "application/vnd.module.wasm.content.layer.v1+wasm",
        "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
    ]
    .into_iter()
    .enumerate()
    {
        let mut other = manifest.clone();
        other["config"]["mediaType"] = json!("application/vnd.wasm.config.v1+json");
        other["layers"][0]["mediaType"] = json!(media_type);
        let tag = format!("other-{number}");
        registry.put_manifest(&tag, &other);
        stdout_of(&["pull", &registry.reference(&tag), "-o", &text]);
        assert_eq!(std::fs::read(&file).unwrap(), bytes("downcase"), "{media_type}");
        std::fs::remove_file(&file).unwrap();
    }

    // An image index names a manifest for each platform.
    let pinned = push("downcase", &registry.reference("1"));
    let entry = json!({
        "mediaType": manifest["mediaType"], "digest": pinned.split_once('@').unwrap().1,
        "size": registry.manifest("1").to_string().len(), "platform": {"architecture": "wasm", "os": "wasip2"},
    });
    let mut index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry],
    });
    registry.put_manifest("index", &index);
    assert_eq!(stdout_of(&["pull", &registry.reference("index"), "-o", &text]), pinned);
    index["manifests"][0]["platform"]["architecture"] = json!("amd64");
    registry.put_manifest("amd64", &index);
    std::fs::remove_file(&file).unwrap();
    refused(&["pull", &registry.reference("amd64"), "-o", &text], &[], &["architecture wasm"]);

    let mut other = manifest;
    other["layers"][0]["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar");
    registry.put_manifest("other", &other);
    let words = ["holds no WebAssembly", "application/vnd.oci.image.layer.v1.tar", "plugin push"];
    refused(&["pull", &registry.reference("other"), "-o", &text], &[], &words);
}

#[test]
fn a_moved_tag_is_picked_up_under_traffic_with_nothing_lost() {
    let Some(registry) = registry() else { return };
    let reference = registry.reference("1");
    push("downcase", &reference);
    // The clients ask without a pause, which would be shed as overload on a busy machine; overload has its own tests.
    let mut host = host_of(&reference).config("[http]\nqueue_delay_ms_max = 0").start();
    let (enough, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let client = Client::new(&host);
                while !enough.load(Ordering::Relaxed) {
                    let answer = client.request("GET", "/x/?param=AbC", None).expect("an answer");
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    assert!([DOWN, UP].contains(&answer.text()), "{}", answer.text());
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for generation in 2..=5 {
            let (name, text) = if generation % 2 == 0 { ("upcase", UP) } else { ("downcase", DOWN) };
            push(name, &reference);
            wait_for_generation(&host, generation, text);
        }
        enough.store(true, Ordering::Relaxed);
    });
    assert!(answers.load(Ordering::Relaxed) > 0);

    // An artifact that is not a plugin changes nothing, and is logged once.
    let directory = tempfile::tempdir().unwrap();
    let (bad, text) = path(directory.path(), "bad.wasm");
    std::fs::write(bad, wat::parse_str("(component)").unwrap()).unwrap();
    stdout_of(&["push", &text, &reference]);
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["not loaded", "type-check"]);
    push("upcase", &reference);
    wait_for_generation(&host, 6, UP);
    let (code, log) = host.stop_and_tell();
    assert_eq!((code, log.matches("not loaded").count()), (0, 1), "{log}");
}

#[test]
fn a_plugin_may_be_looked_for_never() {
    let Some(registry) = registry() else { return };
    let reference = registry.reference("1");
    push("downcase", &reference);
    let config = format!(
        "[oci]\npoll_ms = 50\n[plugins.x]\npath = '{reference}'\npoll_ms = 0\n[plugins.y]\npath = '{reference}'"
    );
    let host = setup().config(&config).start();
    push("upcase", &reference);
    wait_up_to(LONG_PATIENCE, "y to move", || (host.get("/y/?param=AbC").text() == UP).then_some(()));
    assert_eq!(answer(&host).text(), DOWN);
    host.process.signal("HUP");
    wait_for_generation(&host, 2, UP);
    assert_eq!(host.stop(), 0);
}
