//! The committed components: current, small, without imports, and described correctly by `plugin check`.

use crate::fixtures;
use crate::harness::{PATIENCE, Process, bytes, component, root, tidegate};
use tidegate::cli::plugin::{embedded_digest, source_digest};

const GUESTS: [&str; 4] = ["downcase", "upcase", "random-replies", "echo"];
const TRANSFORM_0_1_0: &str = "6c1baf9199aed88446f1cfb044a198b4198ac9aafc70a3201d0c1af1ac38d509";
const POLICY_0_1_0: &str = "283bb547e35f21210a842168b85be01152e2ebc362bac3155651ea1e5c31b976";

#[test]
fn components_are_built_from_the_sources_beside_them() {
    let guests = GUESTS.map(|guest| (format!("plugins/{guest}.wasm"), format!("plugins/{guest}")));
    let processor = ("tests/fixtures/contract-0.2.0.wasm".to_owned(), "tests/guests/processor".to_owned());
    for (component, folder) in guests.into_iter().chain([processor]) {
        let built_from = embedded_digest(&std::fs::read(root().join(&component)).unwrap());
        let sources = source_digest(&root().join(&folder)).unwrap();
        let stale = format!("{component} is stale: run `tidegate plugin build {folder} -o {component}`");
        assert_eq!(built_from, Some(sources), "{stale}");
    }
}

#[test]
fn components_are_small() {
    for guest in GUESTS {
        let bytes = std::fs::metadata(component(guest)).unwrap().len();
        assert!(bytes < 64 << 10, "{guest}: {bytes} bytes");
    }
}

/// `plugin build` enables these instructions; without them, large bodies take many times as long.
#[test]
fn vector_instructions_are_used() {
    use wasmparser::{Operator, Parser, Payload};
    let bytes = bytes("downcase");
    let functions = Parser::new(0).parse_all(&bytes).filter_map(|payload| match payload.unwrap() {
        Payload::CodeSectionEntry(function) => Some(function),
        _ => None,
    });
    let vectors = functions
        .flat_map(|function| function.get_operators_reader().unwrap())
        .filter(|operator| matches!(operator, Ok(Operator::V128Load { .. } | Operator::V128Store { .. })))
        .count();
    assert!(vectors > 0, "build it with `tidegate plugin build plugins/downcase`");
}

/// Exit code, stdout and stderr of `plugin check`.
fn check(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut process = Process::start(tidegate().args(["plugin", "check"]).args(arguments));
    (process.wait().code(), process.stdout(), process.stderr())
}

#[test]
fn a_check_tells_what_a_component_is() {
    for (guest, role, imports) in [
        ("downcase", "processor", "none"),
        ("upcase", "processor", "none"),
        ("echo", "reply-policy", "none"),
        ("random-replies", "reply-policy", "wasi:random/random@0.2.12"),
    ] {
        let path = component(guest).display().to_string();
        let (code, stdout, stderr) = check(&[&path]);
        assert_eq!(code, Some(0), "{stderr}");
        for line in [format!("name: {guest}"), format!("roles: {role}"), format!("imports: {imports}")] {
            assert!(stdout.lines().any(|found| found == line), "{line} is not in\n{stdout}");
        }
        let (_, json, _) = check(&[&path, "--json"]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["name"], &json["contract"]), (&guest.into(), &"0.2.0".into()));
        assert_eq!(json["roles"], serde_json::json!([role]));
    }
}

#[test]
fn a_check_refuses_what_the_host_would_refuse() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.wasm");
    let file = path.display().to_string();
    assert!(check(&[&file]).2.contains("No such file"));
    for (content, reason) in [
        (b"garbage".to_vec(), "compile: neither a WebAssembly component"),
        (wat::parse_str("(module)").unwrap(), "compile: a core module"),
        (fixtures::wrong_world(), "type-check: exports neither"),
        (fixtures::importing_unknown(), "evil:host/files"),
        (
            fixtures::other_version(),
            "in version `9.9.9`, and this host speaks the contract in 0.1.0 and 0.2.0: upgrade the host",
        ),
        (fixtures::starting("(unreachable)"), "probe: the plugin trapped"),
    ] {
        std::fs::write(&path, content).unwrap();
        let (code, stdout, stderr) = check(&[&file]);
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
        assert!(stderr.contains(&format!("{file} is refused")) && stderr.contains(reason), "{reason}: {stderr}");
    }
}

#[test]
fn a_build_says_what_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let guest = directory.path().join("guest");
    let build = |words: &[&str]| {
        let mut process = Process::start(tidegate().args(["plugin", "build"]).arg(&guest));
        assert_eq!(process.wait().code(), Some(1));
        for word in words {
            assert!(process.stderr().contains(word), "{word:?} is not in: {}", process.stderr());
        }
    };
    build(&["is no guest", "Cargo.toml", "app.py", "package.json", "Makefile", "tidegate plugin new"]);
    std::fs::create_dir_all(guest.join("src")).unwrap();
    std::fs::write(guest.join("src/lib.rs"), "").unwrap();
    std::fs::write(guest.join("Cargo.toml"), "[package]\nname = 'guest'\nedition = '2024'\n").unwrap();
    build(&["builds no module", "crate-type = [\"cdylib\"]"]);
    std::fs::write(guest.join("Cargo.toml"), "[package\n").unwrap();
    build(&["Cargo.toml"]);
    std::fs::remove_file(guest.join("Cargo.toml")).unwrap();
    std::fs::write(guest.join("app.c"), "").unwrap();
    build(&["no Makefile", "--lang c"]);
    std::fs::write(guest.join("Makefile"), "").unwrap();
    build(&["the one world of", "guest/wit"]);
}

/// What was built against the published version 0.1.0 of the contract must load for ever: these files never change.
#[test]
fn the_components_of_every_published_contract_version_serve() {
    let kept = |name: &str| std::fs::read(root().join(format!("tests/fixtures/{name}.wasm"))).unwrap();
    let (transform, policy) = (kept("contract-0.1.0"), kept("contract-0.1.0-reply-policy"));
    let directory = tempfile::tempdir().unwrap();
    // No plugin has a dot in its name.
    let path = directory.path().join("old.wasm");
    for (component, role, digest) in
        [(&transform, "transform", TRANSFORM_0_1_0), (&policy, "reply-policy", POLICY_0_1_0)]
    {
        std::fs::write(&path, component).unwrap();
        let (code, json, stderr) = check(&[&path.display().to_string(), "--json"]);
        assert_eq!(code, Some(0), "{stderr}");
        let told: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&told["contract"], &told["digest"]), (&"0.1.0".into(), &digest.into()), "{role}");
        assert_eq!(told["roles"], serde_json::json!([role]));
    }
    let setup = crate::harness::Setup::new().plugin("old", &transform);
    let host = setup.plugin("policy", &policy).start();
    assert_eq!(host.get("/old/?param=HeLLo").text(), "lower case of HeLLo is hello");
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    socket.connect(host.surface("frontend")).unwrap();
    socket.send_multipart(["one", "", "three"], 0).unwrap();
    assert_eq!(socket.recv_multipart(0).unwrap(), [&b"one"[..], b"", b"three"]);
    assert_eq!(host.stop(), 0);
}
