//! Compilation is bounded, runs apart from the traffic, and is done once.

use crate::fixtures;
use crate::harness::{LONG_PATIENCE, Setup, bytes, tidegate, wait_up_to};
use crate::hostile::components::doubling;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A host with `x` and a cache in `directory`. Unless it `compiles`, its time limit is too short for any compilation.
fn with_cache(directory: &Path, compiles: bool) -> Setup {
    let setup = Setup::new().plugin("x", &bytes("downcase")).with(&[&format!("--cache={}", directory.display())]);
    if compiles { setup } else { setup.config("[limits]\ncompile_ms_max = 1") }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|extension| extension == "cwasm")).collect()
}

#[test]
fn what_takes_too_long_to_compile_is_refused_and_holds_up_nothing() {
    let host = Setup::new()
        .plugin("x", &bytes("downcase"))
        .config("[plugins.slow.limits]\ncompile_ms_max = 300\n[plugins.fat.limits]\ncomponent_bytes_max = 1000")
        .start();
    let bomb = fixtures::long_to_compile(200_000);
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| host.admin_request("PUT", "/plugins/slow", Some(&bomb)));
        assert_eq!(host.admin_request("PUT", "/plugins/y", Some(&bytes("downcase"))).status, 200);
        assert_eq!(host.get("/y/?param=A").status, 200);
        let refused = slow.join().unwrap();
        assert_eq!((refused.status, &refused.json()["stage"]), (422, &"compile".into()));
        assert!(refused.text().contains("longer than compile_ms_max 300"), "{}", refused.text());
    });
    // A name whose first component was refused has no route, and does not affect readiness.
    assert_eq!(host.get("/slow/?param=A").status, 404);
    assert_eq!(host.admin("/readyz").status, 200);
    let fat = host.admin_request("PUT", "/plugins/fat", Some(&bytes("downcase")));
    assert_eq!(fat.status, 413, "{}", fat.text());
    assert_eq!(host.stop(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn what_somebody_asked_for_waits_for_no_compiler_of_what_was_found() {
    const FOUND: usize = 6;
    let setup = Setup::new();
    let plugins = setup.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    std::fs::write(plugins.join("x.wasm"), bytes("downcase")).unwrap();
    // Made only once, because a debug build takes as long to make it as to compile it.
    let long = fixtures::long_to_compile(60_000);
    let host = setup.start();
    for number in 0..FOUND {
        let bomb = [long.clone(), fixtures::custom_section("note", &[number as u8])].concat();
        let file = plugins.join(format!("bomb-{number}.wasm"));
        std::fs::write(file.with_extension("new"), bomb).unwrap();
        std::fs::rename(file.with_extension("new"), file).unwrap();
    }
    let compilers = || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", host.process.id())).unwrap().flatten();
        let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        children.map(|children| children.split_whitespace().count()).sum::<usize>()
    };
    let serves = |number: &usize| {
        let answer = host.admin(&format!("/plugins/bomb-{number}"));
        // A file that was not found yet has no status.
        answer.status == 200 && answer.json()["state"] == "serving"
    };
    let serve = || (0..FOUND).filter(serves).count();
    wait_up_to(LONG_PATIENCE, "as many compilers as may be", || (compilers() >= 4).then_some(()));
    let before = serve();
    assert_eq!(host.admin_request("PUT", "/plugins/x", Some(&bytes("upcase"))).status, 200);
    // If it had waited in their queue, at least three of them would have been compiled first.
    let since = serve() - before;
    assert!(since < 3, "{since} of the files came before it");
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_takes_too_much_memory_to_compile_is_refused() {
    let host = Setup::new()
        .plugin("x", &bytes("downcase"))
        .config("[plugins.x.limits]\ncompile_memory_bytes_max = 268435456")
        .start();
    let refused = host.admin_request("PUT", "/plugins/x", Some(doubling(22).as_bytes()));
    assert_eq!((refused.status, &refused.json()["stage"]), (422, &"compile".into()), "{}", refused.text());
    assert!(refused.text().contains("more memory than compile_memory_bytes_max 268435456"), "{}", refused.text());
    assert_eq!(host.get("/x/?param=A").header("tidegate-generation"), "1");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_second_start_compiles_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    assert_eq!(with_cache(&cache, true).start().stop(), 0);
    assert_eq!(entries(&cache).len(), 1);
    let host = with_cache(&cache, false).start();
    assert_eq!(host.get("/x/?param=A").text(), "lower case of A is a");
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_entry_that_is_not_as_it_was_written_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(with_cache(directory.path(), true).start().stop(), 0);
    let entry = entries(directory.path()).remove(0);
    let sound = std::fs::read(&entry).unwrap();
    let mut flipped = sound.clone();
    flipped[sound.len() / 2] ^= 1;
    for broken in [&flipped[..], &sound[..sound.len() - 1], &sound[..10], b""] {
        std::fs::write(&entry, broken).unwrap();
        let host = with_cache(directory.path(), true).start();
        host.process.wait_for_line_up_to(LONG_PATIENCE, &["compile cache: an unusable entry is made anew"]);
        assert_eq!(host.get("/x/?param=A").status, 200);
        assert_eq!(host.stop(), 0);
        assert_eq!(std::fs::read(&entry).unwrap(), sound);
    }
    // An entry that another user could have written.
    std::fs::set_permissions(&entry, std::fs::Permissions::from_mode(0o666)).unwrap();
    let host = with_cache(directory.path(), true).start();
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["somebody else may have written it"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_directory_that_others_may_write_to_is_not_trusted() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(with_cache(directory.path(), true).start().stop(), 0);
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let host = with_cache(directory.path(), true).start();
    host.process.wait_for_line_up_to(
        LONG_PATIENCE,
        &["may be written to by others", "chmod go-w", "compiling without a cache"],
    );
    assert_eq!(host.get("/x/?param=A").status, 200);
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_cache_keeps_to_its_size() {
    let directory = tempfile::tempdir().unwrap();
    let size = {
        assert_eq!(with_cache(directory.path(), true).start().stop(), 0);
        std::fs::metadata(&entries(directory.path())[0]).unwrap().len()
    };
    let host = with_cache(directory.path(), true).config(&format!("[cache]\nbytes_max = {}", size * 2)).start();
    for note in 0..5 {
        let component = [&bytes("downcase")[..], &fixtures::custom_section("note", &[note])].concat();
        assert_eq!(host.admin_request("PUT", "/plugins/x", Some(&component)).status, 200);
        assert_eq!(host.get("/x/?param=A").status, 200);
    }
    wait_up_to(LONG_PATIENCE, "room", || (entries(directory.path()).len() <= 2).then_some(()));
    assert_eq!(host.stop(), 0);
}

/// What `tidegate plugin` writes, with a cache in `directory`, and what it says meanwhile.
fn author(directory: &Path, arguments: &[&str]) -> (String, String) {
    let output = tidegate().arg("plugin").args(arguments).env("TIDEGATE_CACHE", directory).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn what_an_author_tries_is_compiled_once() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, file) = (directory.path().join("cache"), directory.path().join("x.wasm"));
    let path = file.to_str().unwrap();
    let from_cache = || {
        let report: serde_json::Value = serde_json::from_str(&author(&cache, &["check", path, "--json"]).0).unwrap();
        report["from_cache"].as_bool().unwrap()
    };
    // Its code is that of the host, which compiles nothing either.
    std::fs::write(&file, bytes("downcase")).unwrap();
    author(&cache, &["test", path]);
    assert!(from_cache());
    assert_eq!(author(&cache, &["call", path, "A"]).0, "lower case of A is a");
    assert_eq!(entries(&cache).len(), 1);
    let host = with_cache(&cache, false).start();
    assert_eq!(host.get("/x/?param=A").status, 200);
    assert_eq!(host.stop(), 0);
    // With debug info an author's code tells lines, which that of the host does not.
    let with_lines = [bytes("downcase"), fixtures::custom_section(".debug_line", b"")].concat();
    std::fs::write(&file, &with_lines).unwrap();
    assert!(!from_cache());
    assert!(from_cache());
    assert_eq!(entries(&cache).len(), 2);
    let host = with_cache(&cache, true).start();
    assert_eq!(host.admin_request("PUT", "/plugins/x", Some(&with_lines)).status, 200);
    assert_eq!(host.stop(), 0);
    assert_eq!(entries(&cache).len(), 3);
}

#[test]
fn what_takes_over_a_second_to_compile_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, file) = (directory.path().join("cache"), directory.path().join("long.wasm"));
    let long = fixtures::long_to_compile(150_000);
    std::fs::write(&file, &long).unwrap();
    let path = file.to_str().unwrap();
    let compiling = format!("compiling {path} ...\n");
    assert!(author(&cache, &["check", path]).1.contains(&compiling));
    assert!(!author(&cache, &["check", path]).1.contains("compiling"));

    let host = with_cache(&directory.path().join("host"), true).start();
    assert_eq!(host.admin_request("PUT", "/plugins/long", Some(&long)).status, 200);
    host.process.wait_for_line(&["compiling, once for these bytes", "plugin=\"long\""]);
    assert_eq!(host.stop(), 0);
}
