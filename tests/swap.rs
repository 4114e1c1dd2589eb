//! Replace a plugin's file and the next message uses the new one; a bad file changes nothing.

use crate::fixtures;
use crate::harness::{Client, DOWN, Host, LONG_PATIENCE, Setup, UP, bytes, wait_up_to};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Replaces a file at once, as installers do.
fn rename_over(path: &Path, content: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, content).unwrap();
    std::fs::rename(new, path).unwrap();
}

#[track_caller]
fn wait_for_generation(host: &Host, generation: u64, text: &str) {
    wait_up_to(LONG_PATIENCE, &format!("generation {generation}"), || {
        let answer = host.get("/x/?param=AbC");
        assert_eq!(answer.status, 200, "{}", answer.text());
        (answer.header("tidegate-generation") == generation.to_string()).then(|| assert_eq!(answer.text(), text))
    });
}

/// A host whose plugin is `x`, with the downcase logic at first.
fn host() -> Host {
    Setup::new().plugin("x", &bytes("downcase")).start()
}

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
    // Told to look now, it looks before it takes in the next change.
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
        (fixtures::wrong_world(), "exports neither tidegate:plugin/transform"),
        (fixtures::importing_unknown(), "evil:host/files"),
        (fixtures::starting("(unreachable)"), "probe: the plugin trapped"),
        (fixtures::starting("(loop (br 0))"), "probe: the call ran longer than call_deadline_ms 1000"),
        (bytes("echo"), "lacks the role transform"),
    ] {
        rename_over(&path, &content);
        host.process.wait_for_line_up_to(LONG_PATIENCE, &[reason]);
        wait_for_generation(&host, 1, DOWN);
    }
    // Told again to look at a file that is bad already, it has nothing new to say.
    host.process.signal("HUP");
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["SIGHUP"]);
    rename_over(&path, &good);
    wait_for_generation(&host, 2, UP);
    // That the machine was too busy for one of them for a while is no complaint.
    let is_complaint = |line: &&str| line.contains("not loaded") && !line.contains("the host is too busy");
    assert_eq!(host.process.stderr().lines().filter(is_complaint).count(), 9);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_scanned_directory_gives_and_keeps_routes() {
    let setup = Setup::new();
    let plugins = setup.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    std::fs::write(plugins.join("x.wasm"), bytes("downcase")).unwrap();
    std::fs::write(plugins.join("late.wasm"), b"not yet").unwrap();
    std::fs::write(plugins.join("Not A Name.wasm"), bytes("downcase")).unwrap();
    let host = setup.start();
    assert_eq!(host.get("/x/?param=AbC").text(), DOWN);
    // It is told of, and concerns no traffic.
    assert_eq!((host.get("/late/?param=AbC").status, host.admin("/readyz").status), (503, 200));
    assert_eq!(host.admin("/readyz").text(), "ready\nplugin late is not loaded\n");
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["rename the file"]);

    std::fs::write(plugins.join("late.wasm"), bytes("upcase")).unwrap();
    wait_up_to(LONG_PATIENCE, "the late plugin", || (host.get("/late/?param=AbC").status == 200).then_some(()));
    assert_eq!(host.admin("/readyz").text(), "ready\n");
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
    let setup = Setup::new();
    let plugins = setup.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
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
    let ready = host.admin("/readyz");
    assert_eq!((ready.status, ready.text().lines().next()), (200, Some("ready")));
    assert!(ready.text().contains("plugin oops is not loaded\n") && !ready.text().contains("link"), "{}", ready.text());

    for name in ["oops", "half", "bad", "link"] {
        std::fs::remove_file(plugins.join(format!("{name}.wasm"))).unwrap();
    }
    std::fs::remove_dir(plugins.join("folder.wasm")).unwrap();
    wait_up_to(LONG_PATIENCE, "all of them to be forgotten", || {
        (host.admin("/readyz").text() == "ready\n").then_some(())
    });
    assert_eq!((host.get("/oops/?param=AbC").status, host.admin("/plugins/oops").status), (404, 404));
    assert!(!host.admin("/metrics").text().contains("oops") && host.ledger()["plugins"]["oops"].is_null());
    // The name is free.
    std::fs::write(plugins.join("oops.wasm"), bytes("upcase")).unwrap();
    wait_up_to(LONG_PATIENCE, "the name to serve", || (host.get("/oops/?param=AbC").status == 200).then_some(()));
    assert_eq!(host.status("oops")["generation"], 1);
    assert_eq!(host.get("/x/?param=AbC").text(), DOWN);
    assert_eq!(host.stop(), 0);
}

#[test]
fn of_an_empty_file_that_goes_soon_nothing_is_said() {
    let setup = Setup::new();
    let plugins = setup.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
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
fn a_file_that_is_written_in_pieces_is_waited_for() {
    const PIECES: usize = 4;
    /// Longer than a file that is whole has to rest.
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
fn no_request_fails_while_files_flip_and_break() {
    const FLIPS: u32 = 50;
    const TIME: Duration = Duration::from_secs(10);
    // The clients ask for all that they can get, which on a busy machine is overload: that has tests of its own.
    let host = Setup::new().plugin("x", &bytes("downcase")).config("[http]\nqueue_delay_ms_max = 0").start();
    let path = host.plugin_path("x");
    let (down, up) = (bytes("downcase"), bytes("upcase"));
    let enough = AtomicBool::new(false);
    let changes = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    let client = Client::new(&host);
                    let (mut last, mut changes) = (String::new(), 0_u32);
                    while !enough.load(Ordering::Relaxed) {
                        let answer = client.request("GET", "/x/?param=AbC", None).expect("an answer");
                        assert_eq!(answer.status, 200, "{}", answer.text());
                        assert!([DOWN, UP].contains(&answer.text()), "{}", answer.text());
                        changes += u32::from(answer.text() != last);
                        last = answer.text().to_owned();
                    }
                    changes
                })
            })
            .collect();
        let started = Instant::now();
        for flip in 0..FLIPS {
            let content = if flip % 2 == 0 { &up } else { &down };
            match flip % 10 {
                9 => {
                    std::fs::write(&path, &content[..content.len() - 1 - flip as usize]).unwrap();
                    std::thread::sleep(TIME / FLIPS / 2);
                    std::fs::write(&path, content).unwrap();
                }
                flip if flip % 3 == 0 => std::fs::write(&path, content).unwrap(),
                _ => rename_over(&path, content),
            }
            std::thread::sleep((TIME * (flip + 1) / FLIPS).saturating_sub(started.elapsed()));
        }
        enough.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().unwrap()).min().unwrap()
    });
    // A slow machine may see two flips as one, and no client sees all of them.
    assert!(changes > FLIPS / 4, "answers changed {changes} times");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_file_that_comes_right_after_what_was_handed_in_is_loaded() {
    let setup = Setup::new();
    let plugins = setup.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    let host = setup.start();
    for number in 0..3 {
        let name = format!("x{number}");
        assert_eq!(host.admin_request("PUT", &format!("/plugins/{name}"), Some(&bytes("downcase"))).status, 200);
        rename_over(&plugins.join(format!("{name}.wasm")), &bytes("upcase"));
        wait_up_to(LONG_PATIENCE, "the file", || (host.get(&format!("/{name}/?param=AbC")).text() == UP).then_some(()));
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_file_that_could_not_be_written_is_still_what_it_was() {
    let host = host();
    let kept = [bytes("upcase"), fixtures::custom_section("note", b"kept")].concat();
    // A folder in the place of the file that is written first.
    let in_the_way = host.plugin_path("x").with_extension(format!("wasm.{}.tmp", host.process.id()));
    std::fs::create_dir(&in_the_way).unwrap();
    assert_eq!(host.admin_request("PUT", "/plugins/x?persist=true", Some(&kept)).status, 500);
    wait_for_generation(&host, 2, UP);
    assert_eq!(host.admin_request("PUT", "/plugins/x", Some(&bytes("downcase"))).status, 200);
    wait_for_generation(&host, 3, DOWN);
    std::fs::write(host.plugin_path("x"), &kept).unwrap();
    wait_for_generation(&host, 4, UP);
    assert_eq!(host.stop(), 0);
}
