//! What is asked for while a compiler stands still: a load that takes its time undoes nothing that was asked for later, and what
//! a machine had no time for is nobody's fault.

use crate::fixtures::custom_section;
use crate::harness::{DOWN, Host, LONG_PATIENCE, Process, Setup, UP, bytes, wait_up_to};
use crate::process::signal;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Stops each compiler that a host starts, until it is let go or this is dropped.
struct Standstill {
    host: u32,
    free: Arc<Mutex<BTreeSet<u32>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Standstill {
    fn of(host: u32) -> Self {
        let (free, is_over) = (Arc::<Mutex<BTreeSet<u32>>>::default(), Arc::<AtomicBool>::default());
        let (spared, over) = (Arc::clone(&free), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            // Without a rest: a compiler of something small is done in some milliseconds.
            while !over.load(Ordering::Relaxed) {
                for (compiler, _) in compilers(host) {
                    // Under the lock: one that is let go meanwhile must not be stopped after that.
                    let spared = spared.lock().unwrap();
                    if !spared.contains(&compiler) {
                        signal(compiler, "STOP");
                    }
                }
            }
        });
        Self { host, free, is_over, thread: Some(thread) }
    }

    /// One that stays: the first that compiles a component gives way to others, and is replaced after a while. On a busy machine
    /// it then takes its time to end.
    fn wait_for_compiler(&self, others: &[u32]) -> u32 {
        let stays = |(id, line): &(u32, String)| !others.contains(id) && !line.contains("give-way");
        let (compiler, _) = wait_up_to(LONG_PATIENCE, "a compiler", || compilers(self.host).find(stays));
        compiler
    }

    fn lets_go(&self, compiler: u32) {
        self.free.lock().unwrap().insert(compiler);
        signal(compiler, "CONT");
    }
}

impl Drop for Standstill {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
        compilers(self.host).for_each(|(compiler, _)| signal(compiler, "CONT"));
    }
}

/// The children of a host that have begun to be compilers, with their command lines: one that is stopped before would hold up
/// who starts it.
fn compilers(host: u32) -> impl Iterator<Item = (u32, String)> {
    let tasks = std::fs::read_dir(format!("/proc/{host}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let children = lists.flat_map(|list| list.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<u32>>());
    let lines =
        children.filter_map(|child| Some((child, std::fs::read_to_string(format!("/proc/{child}/cmdline")).ok()?)));
    lines.filter(|(_, line)| line.contains("compile-component"))
}

/// Upcase, which was never compiled before.
fn unknown() -> Vec<u8> {
    static NUMBER: AtomicU8 = AtomicU8::new(0);
    let note = [&std::process::id().to_le_bytes()[..], &[NUMBER.fetch_add(1, Ordering::Relaxed)]].concat();
    [bytes("upcase"), custom_section("note", &note)].concat()
}

/// With a cache of its own, which knows downcase once it serves.
fn setup() -> Setup {
    let setup = Setup::new().plugin("x", &bytes("downcase"));
    let cache = format!("--cache={}", setup.path().join("cache").display());
    setup.with(&[&cache])
}

fn put(host: &Host, path: &str, component: &[u8]) -> (u16, String) {
    let answer = host.admin_request("PUT", path, Some(component));
    (answer.status, answer.text().to_owned())
}

/// Eight times this is how long a compiler may stand still.
const BUSY: &str = "[limits]\ncompile_ms_max = 400";

#[test]
fn another_try_at_what_the_machine_had_no_time_for_undoes_nothing() {
    let host = setup().config(BUSY).start();
    let standstill = Standstill::of(host.process.id());
    std::fs::write(host.plugin_path("x"), unknown()).unwrap();
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["not loaded", "too busy to compile it"]);
    assert_eq!(host.status("x")["last_refused"], serde_json::json!(null));
    // What serves is what is wanted; that needs no compiler.
    assert_eq!(put(&host, "/plugins/x", &bytes("downcase")).0, 200);
    drop(standstill);
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["not used: what was asked for later has taken effect"]);
    assert_eq!(host.status("x")["generation"], 1);
    // A file that changes after it counts.
    std::fs::write(host.plugin_path("x"), unknown()).unwrap();
    wait_up_to(LONG_PATIENCE, "the next file", || (host.get("/x/?param=AbC").text() == UP).then_some(()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn who_hands_in_what_the_machine_has_no_time_for_is_told_to_come_again() {
    let host = setup().config(BUSY).start();
    let standstill = Standstill::of(host.process.id());
    let component = unknown();
    let busy = host.admin_request("PUT", "/plugins/x", Some(&component));
    assert_eq!((busy.status, busy.header("retry-after")), (503, "1"), "{}", busy.text());
    assert!(busy.text().contains("too busy to compile it"), "{}", busy.text());
    assert_eq!(host.status("x")["last_refused"], serde_json::json!(null));
    drop(standstill);
    assert_eq!(put(&host, "/plugins/x", &component).0, 200);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_start_waits_for_a_plugin_that_the_machine_has_no_time_for() {
    let setup = setup().config(BUSY);
    let mut process = Process::start(&mut setup.command());
    let standstill = Standstill::of(process.id());
    process.wait_for_line_up_to(LONG_PATIENCE, &["not loaded", "too busy to compile it"]);
    drop(standstill);
    process.wait_for_line_up_to(LONG_PATIENCE, &["loaded", "plugin=\"x\"", "generation=1"]);
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn a_component_is_handed_in_though_the_file_of_its_name_goes_meanwhile() {
    let setup = Setup::new();
    let plugins = setup.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    let file = plugins.join("oops.wasm");
    std::fs::write(&file, b"garbage").unwrap();
    let host = setup.start();
    wait_up_to(LONG_PATIENCE, "the bad file", || (host.admin("/plugins/oops").status == 200).then_some(()));
    let standstill = Standstill::of(host.process.id());
    std::thread::scope(|scope| {
        let handed_in = scope.spawn(|| put(&host, "/plugins/oops", &unknown()));
        standstill.wait_for_compiler(&[]);
        std::fs::remove_file(&file).unwrap();
        host.process.wait_for_line_up_to(LONG_PATIENCE, &["forgotten: the file is gone"]);
        drop(standstill);
        let (status, text) = handed_in.join().unwrap();
        assert_eq!(status, 200, "{text}");
    });
    assert_eq!(host.get("/oops/?param=AbC").text(), UP);
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_is_kept_in_a_file_serves_though_the_file_was_saved_meanwhile() {
    let host = setup().start();
    let standstill = Standstill::of(host.process.id());
    let kept = [bytes("downcase"), custom_section("note", b"kept")].concat();
    std::thread::scope(|scope| {
        let handed_in = scope.spawn(|| put(&host, "/plugins/x?persist=true", &kept));
        let first = standstill.wait_for_compiler(&[]);
        std::fs::write(host.plugin_path("x"), unknown()).unwrap();
        let second = standstill.wait_for_compiler(&[first]);
        standstill.lets_go(first);
        let (status, text) = handed_in.join().unwrap();
        assert_eq!(status, 200, "{text}");
        standstill.lets_go(second);
    });
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["not used: what was asked for later has taken effect"]);
    assert_eq!(host.get("/x/?param=AbC").text(), DOWN);
    assert_eq!(host.status("x")["generation"], 2);
    assert_eq!(std::fs::read(host.plugin_path("x")).unwrap(), kept);
    assert_eq!(host.stop(), 0);
}
