//! The directory that is scanned: a file that appears there is a plugin, whatever else is in it.

use super::rename_over;
use crate::harness::{DOWN, LONG_PATIENCE, Setup, UP, bytes, wait_up_to};
use std::os::unix::fs::symlink;
use std::path::PathBuf;

/// The setup of a host that scans a directory, which is empty.
fn scanned() -> (Setup, PathBuf) {
    let setup = Setup::new();
    let plugins = setup.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    (setup, plugins)
}

#[test]
fn a_scanned_directory_gives_and_keeps_routes() {
    let (setup, plugins) = scanned();
    std::fs::write(plugins.join("x.wasm"), bytes("downcase")).unwrap();
    std::fs::write(plugins.join("late.wasm"), b"not yet").unwrap();
    std::fs::write(plugins.join("Not A Name.wasm"), bytes("downcase")).unwrap();
    let host = setup.start();
    assert_eq!(host.get("/x/?param=AbC").text(), DOWN);
    // `/readyz` lists the bad file, and is 200 all the same.
    assert_eq!((host.get("/late/?param=AbC").status, host.admin("/readyz").status), (503, 200));
    assert_eq!(host.readiness(), ["ready", "plugin late is not loaded: refused at compile"]);
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["rename the file"]);

    std::fs::write(plugins.join("late.wasm"), bytes("upcase")).unwrap();
    wait_up_to(LONG_PATIENCE, "the late plugin", || (host.get("/late/?param=AbC").status == 200).then_some(()));
    assert_eq!(host.readiness(), ["ready"]);
    assert_eq!(host.get("/new/?param=AbC").status, 404);
    std::fs::write(plugins.join("new.wasm"), bytes("upcase")).unwrap();
    wait_up_to(LONG_PATIENCE, "the new route", || (host.get("/new/?param=AbC").status == 200).then_some(()));
    std::fs::remove_file(plugins.join("new.wasm")).unwrap();
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["the file is gone"]);
    assert_eq!(host.get("/new/?param=AbC").text(), UP);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_stray_file_keeps_nobody_from_being_ready_and_is_forgotten() {
    let (setup, plugins) = scanned();
    std::fs::write(plugins.join("x.wasm"), bytes("downcase")).unwrap();
    let host = setup.start();
    std::fs::write(plugins.join("oops.wasm"), b"").unwrap();
    std::fs::write(plugins.join("half.wasm"), &bytes("upcase")[..9000]).unwrap();
    std::fs::write(plugins.join("bad.wasm"), b"garbage").unwrap();
    std::fs::create_dir(plugins.join("folder.wasm")).unwrap();
    symlink("nowhere", plugins.join("link.wasm")).unwrap();
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["link.wasm", "leads nowhere"]);
    for (name, stage) in [("oops", "compile"), ("half", "compile"), ("bad", "compile"), ("folder", "read")] {
        wait_up_to(LONG_PATIENCE, &format!("{name} to be complained of"), || {
            let answer = host.admin(&format!("/plugins/{name}"));
            (answer.status == 200 && answer.json()["last_refused"]["stage"] == stage).then_some(())
        });
    }
    let ready = host.readiness();
    assert_eq!((host.admin("/readyz").status, ready[0].as_str()), (200, "ready"));
    assert!(ready.contains(&"plugin oops is not loaded: refused at compile".to_owned()), "{ready:?}");
    assert!(ready.iter().all(|line| !line.contains("link")), "{ready:?}");

    for name in ["oops", "half", "bad", "link"] {
        std::fs::remove_file(plugins.join(format!("{name}.wasm"))).unwrap();
    }
    std::fs::remove_dir(plugins.join("folder.wasm")).unwrap();
    wait_up_to(LONG_PATIENCE, "all of them to be forgotten", || (host.readiness() == ["ready"]).then_some(()));
    assert_eq!((host.get("/oops/?param=AbC").status, host.admin("/plugins/oops").status), (404, 404));
    assert!(!host.admin("/metrics").text().contains("oops") && host.ledger()["plugins"]["oops"].is_null());
    // The name can be used again.
    std::fs::write(plugins.join("oops.wasm"), bytes("upcase")).unwrap();
    wait_up_to(LONG_PATIENCE, "the name to serve", || (host.get("/oops/?param=AbC").status == 200).then_some(()));
    assert_eq!(host.status("oops")["generation"], 1);
    assert_eq!(host.get("/x/?param=AbC").text(), DOWN);
    assert_eq!(host.stop(), 0);
}

#[test]
fn of_an_empty_file_that_goes_soon_nothing_is_said() {
    let (setup, plugins) = scanned();
    std::fs::write(plugins.join("x.wasm"), bytes("downcase")).unwrap();
    let host = setup.start();
    std::fs::write(plugins.join("oops.wasm"), b"").unwrap();
    wait_up_to(LONG_PATIENCE, "it to be found", || (host.admin("/plugins/oops").status == 200).then_some(()));
    assert_eq!(host.admin("/readyz").status, 200);
    std::fs::remove_file(plugins.join("oops.wasm")).unwrap();
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["forgotten: the file is gone", "oops"]);
    assert_eq!(host.admin("/plugins/oops").status, 404);
    assert!(!host.process.stderr().contains("not loaded"), "{}", host.process.stderr());
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_file_that_comes_right_after_what_was_handed_in_is_loaded() {
    let (setup, plugins) = scanned();
    let host = setup.start();
    for number in 0..3 {
        let name = format!("x{number}");
        assert_eq!(host.admin_request("PUT", &format!("/plugins/{name}"), Some(&bytes("downcase"))).status, 200);
        rename_over(&plugins.join(format!("{name}.wasm")), &bytes("upcase"));
        wait_up_to(LONG_PATIENCE, "the file", || (host.get(&format!("/{name}/?param=AbC")).text() == UP).then_some(()));
    }
    assert_eq!(host.stop(), 0);
}
