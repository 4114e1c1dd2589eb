//! One plugin's file: every way to replace it, in one piece or in several, by a good one or a bad one.

use super::{host, rename_over, wait_for_generation};
use crate::fixtures;
use crate::harness::{DOWN, LONG_PATIENCE, Setup, UP, bytes};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

#[test]
fn every_way_to_replace_a_file_is_seen() {
    let host = host();
    let path = host.plugin_path("x");
    wait_for_generation(&host, 1, DOWN);
    std::fs::write(&path, bytes("upcase")).unwrap();
    wait_for_generation(&host, 2, UP);
    rename_over(&path, &bytes("downcase"));
    wait_for_generation(&host, 3, DOWN);
    std::fs::remove_file(&path).unwrap();
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["the file is gone"]);
    wait_for_generation(&host, 3, DOWN);
    std::fs::write(&path, bytes("upcase")).unwrap();
    wait_for_generation(&host, 4, UP);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_symlinked_directory_may_be_replaced() {
    let root = tempfile::tempdir().unwrap();
    for (release, name) in [("1", "downcase"), ("2", "upcase")] {
        std::fs::create_dir(root.path().join(release)).unwrap();
        std::fs::write(root.path().join(release).join("x.wasm"), bytes(name)).unwrap();
    }
    let current = root.path().join("current");
    symlink("1", &current).unwrap();
    let host = Setup::new().with(&[&format!("--plugin={}", current.join("x.wasm").display())]).start();
    wait_for_generation(&host, 1, DOWN);
    symlink("2", root.path().join("next")).unwrap();
    std::fs::rename(root.path().join("next"), &current).unwrap();
    wait_for_generation(&host, 2, UP);
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_same_bytes_are_no_new_generation() {
    let host = host();
    let path = host.plugin_path("x");
    rename_over(&path, &bytes("downcase"));
    // On SIGHUP the host looks at the file before it sees the next change.
    host.process.signal("HUP");
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["SIGHUP"]);
    rename_over(&path, &bytes("upcase"));
    wait_for_generation(&host, 2, UP);
    assert_eq!(host.stop(), 0);
}

#[test]
fn bad_files_change_nothing_and_are_complained_of_once() {
    let host = host();
    let path = host.plugin_path("x");
    let good = bytes("upcase");
    let core_module = wat::parse_str("(module)").unwrap();
    for (content, reason) in [
        (good[..good.len() / 2].to_vec(), "compile: "),
        (b"garbage".to_vec(), "neither a WebAssembly component nor its text form"),
        (Vec::new(), "the file is empty"),
        (core_module, "a core module, not a component"),
        (fixtures::wrong_world(), "exports neither tidegate:plugin/processor"),
        (fixtures::importing_unknown(), "evil:host/files"),
        (fixtures::starting("(unreachable)"), "probe: the plugin trapped"),
        (fixtures::starting("(loop (br 0))"), "probe: the call ran longer than call_deadline_ms 1000"),
        (bytes("echo"), "lacks the role processor"),
    ] {
        rename_over(&path, &content);
        host.process.wait_for_line_up_to(LONG_PATIENCE, &[reason]);
        wait_for_generation(&host, 1, DOWN);
    }
    // On SIGHUP the host does not complain again of a file that is known to be bad.
    host.process.signal("HUP");
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["SIGHUP"]);
    rename_over(&path, &good);
    wait_for_generation(&host, 2, UP);
    // A load that was put off because the machine was too busy is not a complaint about the file.
    let is_complaint = |line: &&str| line.contains("not loaded") && !line.contains("the host is too busy");
    assert_eq!(host.process.stderr().lines().filter(is_complaint).count(), 9);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_file_that_is_written_in_pieces_is_waited_for() {
    const PIECES: usize = 4;
    /// Longer than the host waits for a file to stop changing.
    const BREAK: Duration = Duration::from_millis(300);
    let host = host();
    let up = bytes("upcase");
    let write = |path: &Path, closes: bool| {
        let open = || std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        let mut file = open();
        for piece in up.chunks(up.len().div_ceil(PIECES)) {
            file.write_all(piece).unwrap();
            std::thread::sleep(BREAK);
            if closes {
                file = open();
            }
        }
    };
    for (generation, closes) in [(2, false), (4, true)] {
        std::fs::write(host.plugin_path("x"), b"").unwrap();
        write(&host.plugin_path("x"), closes);
        wait_for_generation(&host, generation, UP);
        rename_over(&host.plugin_path("x"), &bytes("downcase"));
        wait_for_generation(&host, generation + 1, DOWN);
    }
    assert!(host.status("x")["last_refused"].is_null(), "{}", host.status("x"));
    assert!(!host.process.stderr().contains("not loaded"), "{}", host.process.stderr());
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_file_that_could_not_be_written_is_still_what_it_was() {
    let setup = Setup::new();
    // A name so long that the host's temporary file, whose name is longer, can have none.
    let file = setup.path().join("x".repeat(250) + ".wasm");
    std::fs::write(&file, bytes("downcase")).unwrap();
    let host = setup.with(&[&format!("--plugin=x={}", file.display())]).start();
    let kept = [bytes("upcase"), fixtures::custom_section("note", b"kept")].concat();
    assert_eq!(host.admin_request("PUT", "/plugins/x?persist=true", Some(&kept)).status, 500);
    wait_for_generation(&host, 2, UP);
    assert_eq!(host.admin_request("PUT", "/plugins/x", Some(&bytes("downcase"))).status, 200);
    wait_for_generation(&host, 3, DOWN);
    std::fs::write(&file, &kept).unwrap();
    wait_for_generation(&host, 4, UP);
    assert_eq!(host.stop(), 0);
}
