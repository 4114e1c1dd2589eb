//! Every call begins from the state of a new instance, whatever an earlier call left in the same instance or pool slot.

mod marks;

use crate::harness::{Answer, Host, LONG_PATIENCE, Setup, wait_up_to};
use marks::{LOOK, STAY, WAYS_TO_END, marking, marking_in_place};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A plugin with a new instance for each call, one whose instances are reset, and one with new instances kept warm.
const PLUGINS: [&str; 3] = ["made-anew", "in-place", "kept-warm"];

/// A host with these plugins, which loop for this many steps when they are asked to [`STAY`].
fn host(steps: u32, config: &str, deadline_ms: u64) -> Host {
    let [anew, in_place, warm] = PLUGINS;
    let setup = Setup::new().plugin(anew, &marking(steps)).plugin(in_place, &marking_in_place(steps));
    let setup = setup.plugin(warm, &marking(steps)).config(&format!("{config}\n[plugins.{warm}]\nwarm = 1"));
    let limit = |name| format!("[plugins.{name}.limits]\ncall_deadline_ms = {deadline_ms}");
    let host = setup.config(&PLUGINS.map(limit).join("\n")).start();
    assert_eq!(host.status(in_place)["instances"], "reset in place");
    assert_ne!(host.status(anew)["instances"], "reset in place");
    host
}

/// The answer to a call that was not starved, as it may be on a busy machine where a plugin is known for long calls.
fn call(host: &Host, plugin: &str, way: &[u8]) -> Answer {
    wait_up_to(LONG_PATIENCE, "time for a call", || {
        Some(host.post(&format!("/{plugin}/"), way)).filter(|answer| answer.status != 503)
    })
}

fn look(host: &Host, plugin: &str, after: &str) {
    let answer = call(host, plugin, LOOK);
    assert_eq!((answer.status, answer.text()), (200, "0"), "{plugin} after {after}");
}

#[test]
fn no_mark_outlives_a_call_whichever_way_it_ends() {
    let host = host(0, "[rollback]\nfailures = 0", 200);
    let ways = WAYS_TO_END.into_iter().cycle().take(5 * WAYS_TO_END.len());
    for (way, plugin) in ways.flat_map(|way| PLUGINS.map(|plugin| (way, plugin))) {
        let letter = way[0] as char;
        let expected = match letter {
            'a' => 200,
            'r' => 422,
            'f' => 204,
            'l' => 504,
            _ => 502,
        };
        assert_eq!(call(&host, plugin, way).status, expected, "{letter}");
        look(&host, plugin, &letter.to_string());
    }
    assert_eq!(host.stop(), 0);
}

/// A swap file of 64 MiB, in use until it is dropped.
struct Swap(PathBuf);

impl Swap {
    /// Returns nothing, and prints why, where the user or the system does not allow swap.
    fn new(directory: &Path) -> Option<Self> {
        let file = directory.join("swap");
        let path = file.to_str().unwrap();
        // A swap file must not be sparse.
        std::fs::write(&file, vec![1; 64 << 20]).unwrap();
        for command in [&["chmod", "600", path][..], &["mkswap", path], &["swapon", path]] {
            let ended = Command::new(command[0]).args(&command[1..]).output();
            if !ended.as_ref().is_ok_and(|ended| ended.status.success()) {
                eprintln!("no swap, so nothing was swapped out: {command:?}: {ended:?}");
                return None;
            }
        }
        Some(Self(file))
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        let _ = Command::new("swapoff").arg(&self.0).status();
    }
}

/// Makes the kernel swap out all private memory of a process, as if memory were short. It is a Python script because
/// `process_madvise` would take unsafe code in Rust.
const PAGE_OUT: &str = r#"
import ctypes, errno, os, re, sys
libc = ctypes.CDLL(None, use_errno=True)
class Range(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
pid = int(sys.argv[1])
descriptor = libc.syscall(434, pid, 0)
assert descriptor >= 0, os.strerror(ctypes.get_errno())
for line in list(open(f"/proc/{pid}/maps")):
    first, last, mode = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
    base, length = int(first, 16), int(last, 16) - int(first, 16)
    if mode.startswith("rw") and 65536 <= length <= 1 << 34:
        advised = libc.syscall(440, descriptor, ctypes.byref(Range(base, length)), 1, 21, 0)
        # Some of it may be given back meanwhile.
        assert advised >= 0 or ctypes.get_errno() == errno.ENOMEM, line + os.strerror(ctypes.get_errno())
"#;

fn page_out(process: u32) {
    match Command::new("python3").args(["-c", PAGE_OUT, &process.to_string()]).output() {
        Ok(ended) => assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr)),
        Err(error) => eprintln!("no python3: {error}"),
    }
}

/// The swapped-out memory of a process, in KiB.
fn swapped_out(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmSwap:")).expect("a line for it");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn no_mark_outlives_a_call_that_was_swapped_out() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_swap) = Swap::new(directory.path()) else { return };
    let host = host(1_500_000_000, "", 60_000);
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["memory may be swapped out"]);
    for plugin in PLUGINS.into_iter().cycle().take(4) {
        std::thread::scope(|scope| {
            let call = scope.spawn(|| host.post(&format!("/{plugin}/"), STAY).status);
            wait_up_to(LONG_PATIENCE, "the call", || (host.status(plugin)["calls_in_flight"] == 1).then_some(()));
            let before = swapped_out(host.process.id());
            page_out(host.process.id());
            let after = swapped_out(host.process.id());
            assert!(!call.is_finished(), "the call ended before its memory was swapped out: give it more steps");
            // A control group may forbid swapping; then this test shows nothing.
            if after <= before {
                eprintln!("nothing was swapped out: {before} KiB before, {after} KiB after");
            }
            // A call that is starved on a busy machine leaves as many marks.
            let status = call.join().unwrap();
            assert!(matches!(status, 200 | 503 | 504), "{status}");
        });
        for _ in 0..3 {
            look(&host, plugin, "a call that was swapped out");
        }
    }
    assert_eq!(host.stop(), 0);
}
