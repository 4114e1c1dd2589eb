//! Loads while the compiler is stopped: a slow load undoes nothing that was asked for later, and a compilation for
//! which the machine had no time is neither the plugin's fault nor the caller's.

use crate::fixtures::{custom_section, long_to_compile};
use crate::harness::{Host, LONG_PATIENCE, Process, Setup, bytes, wait_up_to};
use crate::process::signal;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Stops each compiler process of a host, until that is released or this is dropped.
struct StoppedCompilers {
    host: u32,
    released: Arc<Mutex<BTreeSet<u32>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl StoppedCompilers {
    fn of(host: u32) -> Self {
        let (released, is_over) = (Arc::<Mutex<BTreeSet<u32>>>::default(), Arc::<AtomicBool>::default());
        let (spared, over) = (Arc::clone(&released), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            // Polls without a pause: a compiler has to be stopped before it is through.
            while !over.load(Ordering::Relaxed) {
                for (compiler, _) in compilers(host) {
                    // The lock is held so that a compiler that is released meanwhile is not stopped again.
                    let spared = spared.lock().unwrap();
                    if !spared.contains(&compiler) {
                        signal(compiler, "STOP");
                    }
                }
            }
        });
        Self { host, released, is_over, thread: Some(thread) }
    }

    /// Waits for a compiler that is not replaced: the first one for a component runs at a low priority, and the host
    /// replaces it after a while.
    fn wait_for_compiler(&self, others: &[u32]) -> u32 {
        let stays = |(id, line): &(u32, String)| !others.contains(id) && !line.contains("give-way");
        let (compiler, _) = wait_up_to(LONG_PATIENCE, "a compiler", || compilers(self.host).find(stays));
        compiler
    }

    fn release(&self, compiler: u32) {
        self.released.lock().unwrap().insert(compiler);
        signal(compiler, "CONT");
    }
}

impl Drop for StoppedCompilers {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
        compilers(self.host).for_each(|(compiler, _)| signal(compiler, "CONT"));
    }
}

/// The children of a host that execute the compiler, with their command lines. A child that is stopped before its exec
/// would block the thread that spawns it.
fn compilers(host: u32) -> impl Iterator<Item = (u32, String)> {
    let tasks = std::fs::read_dir(format!("/proc/{host}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let children = lists.flat_map(|list| list.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<u32>>());
    let lines =
        children.filter_map(|child| Some((child, std::fs::read_to_string(format!("/proc/{child}/cmdline")).ok()?)));
    lines.filter(|(_, line)| line.contains("compile-component"))
}

/// Of a component that is compiled for long enough to be stopped meanwhile, by a busy machine too.
const STEPS: usize = 6_000;
/// What it answers to `AbC`.
const ANSWER: &str = "slow AbC";

/// A component with a digest that was never compiled before.
fn uncompiled() -> Vec<u8> {
    static NUMBER: AtomicU8 = AtomicU8::new(0);
    let note = [&std::process::id().to_le_bytes()[..], &[NUMBER.fetch_add(1, Ordering::Relaxed)]].concat();
    [long_to_compile(STEPS), custom_section("note", &note)].concat()
}

/// A host whose own compile cache has downcase once that serves.
fn setup() -> Setup {
    let setup = Setup::new().plugin("x", &bytes("downcase"));
    let cache = format!("--cache={}", setup.path().join("cache").display());
    setup.with(&[&cache])
}

fn put(host: &Host, path: &str, component: &[u8]) -> (u16, String) {
    let answer = host.admin_request("PUT", path, Some(component));
    (answer.status, answer.text().to_owned())
}

/// A compiler may be stopped for eight times this long.
const BUSY: &str = "[limits]\ncompile_ms_max = 400";

#[test]
fn another_try_at_what_the_machine_had_no_time_for_undoes_nothing() {
    let host = setup().config(BUSY).start();
    let stopped = StoppedCompilers::of(host.process.id());
    std::fs::write(host.plugin_path("x"), uncompiled()).unwrap();
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["not loaded", "too busy to compile it"]);
    assert_eq!(host.status("x")["last_refused"], serde_json::json!(null));
    // The component that serves already needs no compilation.
    assert_eq!(put(&host, "/plugins/x", &bytes("downcase")).0, 200);
    drop(stopped);
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["not used: what was asked for later has taken effect"]);
    assert_eq!(host.status("x")["generation"], 1);
    // A file that changes after that is loaded.
    std::fs::write(host.plugin_path("x"), uncompiled()).unwrap();
    wait_up_to(LONG_PATIENCE, "the next file", || (host.get("/x/?param=AbC").text() == ANSWER).then_some(()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn who_hands_in_what_the_machine_has_no_time_for_is_told_to_come_again() {
    let host = setup().config(BUSY).start();
    let stopped = StoppedCompilers::of(host.process.id());
    let component = uncompiled();
    let busy = host.admin_request("PUT", "/plugins/x", Some(&component));
    assert_eq!((busy.status, busy.header("retry-after")), (503, "1"), "{}", busy.text());
    assert!(busy.text().contains("too busy to compile it"), "{}", busy.text());
    assert_eq!(host.status("x")["last_refused"], serde_json::json!(null));
    drop(stopped);
    assert_eq!(put(&host, "/plugins/x", &component).0, 200);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_start_waits_for_a_plugin_that_the_machine_has_no_time_for() {
    let setup = setup().config(BUSY);
    let mut process = Process::start(&mut setup.command());
    let stopped = StoppedCompilers::of(process.id());
    process.wait_for_line_up_to(LONG_PATIENCE, &["not loaded", "too busy to compile it"]);
    drop(stopped);
    process.wait_for_line_up_to(LONG_PATIENCE, &["loaded", "plugin=\"x\"", "generation=1"]);
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0));
}

/// Ctrl-C in a terminal is sent to the compiler as well.
#[test]
fn a_signal_during_the_compilation_of_a_start_is_its_quiet_end() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let setup = Setup::new().plugin("x", &uncompiled());
        let mut process = Process::start(&mut setup.command());
        let stopped = StoppedCompilers::of(process.id());
        let compiler = stopped.wait_for_compiler(&[]);
        signal(compiler, name);
        stopped.release(compiler);
        process.signal(name);
        assert_eq!(process.wait().code(), Some(code), "{}", process.stderr());
        // What the log said before that is no more than information.
        let stderr = process.stderr();
        assert!(stderr.lines().all(|line| line.contains(" INFO ")), "{stderr}");
        assert_eq!(process.stdout(), "");
    }
}

/// Its ports are taken from the beginning, but who comes too early is answered by what has been loaded by then.
#[test]
fn a_host_that_is_not_ready_answers_nobody_wrongly() {
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (http, frontend) = (free(), free());
    let endpoint = format!("tcp://{frontend}");
    let setup = Setup::new().plugin("x", &uncompiled()).committed("echo");
    let setup = setup.with(&[&format!("--http={http}"), &format!("--frontend={endpoint}")]);
    let mut process = Process::start(&mut setup.command());
    let stopped = StoppedCompilers::of(process.id());
    let compiler = stopped.wait_for_compiler(&[]);
    let early = std::thread::spawn(move || {
        let client = crate::harness::Client::at(&format!("http://{http}"));
        client.request("GET", "/x/?param=AbC", None).map(|answer| answer.text().to_owned())
    });
    std::net::TcpStream::connect(frontend).expect_err("requests would be lost if no policy turned out to be there");
    let second = Setup::new().committed("echo").with(&[&format!("--http={http}")]);
    let mut second = Process::start(&mut second.command());
    assert_eq!(second.wait().code(), Some(1));
    assert!(second.stderr().contains("address in use"), "{}", second.stderr());
    assert!(!early.is_finished(), "it was answered before the plugin was there");
    assert_eq!(process.stdout(), "");
    stopped.release(compiler);
    drop(stopped);
    assert_eq!(early.join().unwrap().unwrap(), ANSWER);
    wait_up_to(LONG_PATIENCE, "the host", || {
        process.stdout().contains(&format!("frontend {endpoint}\n")).then_some(())
    });
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
    let stopped = StoppedCompilers::of(host.process.id());
    std::thread::scope(|scope| {
        let handed_in = scope.spawn(|| put(&host, "/plugins/oops", &uncompiled()));
        stopped.wait_for_compiler(&[]);
        std::fs::remove_file(&file).unwrap();
        host.process.wait_for_line_up_to(LONG_PATIENCE, &["forgotten: the file is gone"]);
        drop(stopped);
        let (status, text) = handed_in.join().unwrap();
        assert_eq!(status, 200, "{text}");
    });
    assert_eq!(host.get("/oops/?param=AbC").text(), ANSWER);
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_is_kept_in_a_file_serves_though_the_file_was_saved_meanwhile() {
    let host = setup().start();
    let stopped = StoppedCompilers::of(host.process.id());
    let kept = uncompiled();
    std::thread::scope(|scope| {
        let handed_in = scope.spawn(|| put(&host, "/plugins/x?persist=true", &kept));
        let first = stopped.wait_for_compiler(&[]);
        std::fs::write(host.plugin_path("x"), uncompiled()).unwrap();
        let second = stopped.wait_for_compiler(&[first]);
        stopped.release(first);
        let (status, text) = handed_in.join().unwrap();
        assert_eq!(status, 200, "{text}");
        stopped.release(second);
    });
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["not used: what was asked for later has taken effect"]);
    assert_eq!(host.get("/x/?param=AbC").text(), ANSWER);
    assert_eq!(host.status("x")["generation"], 2);
    assert_eq!(std::fs::read(host.plugin_path("x")).unwrap(), kept);
    assert_eq!(host.stop(), 0);
}
