//! Whatever a component is, the host says what became of it, and every other answer stays right.

pub mod components;
mod memory;
mod table;

use crate::balance::at_exit;
use crate::fixtures;
use crate::harness::{Client, Host, LONG_PATIENCE, Process, Setup, assert_balanced, bytes, component, tidegate};
use components::{holding, instances, noise};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use table::Outcome::{self, Answers, Refused, Serves};
use table::{DEADLINE, Row, SHORT_MS, calls, policies, refusals};

/// A plugin that fails at every call is what this file is about.
const NO_PAUSES: &str = "[rollback]\nfailures = 0";
/// What no line of the log is longer than, whatever a guest says.
const LINE_BYTES_MAX: usize = 64 << 10;

/// Whether a line of the log about the plugin has all the words.
fn has_line(log: &str, plugin: &str, words: &[&str]) -> bool {
    let plugin = format!("plugin=\"{plugin}\"");
    log.lines().any(|line| line.contains(&plugin) && words.iter().all(|word| line.contains(word)))
}

impl Outcome {
    /// What the row's plugin did otherwise, by the answer to one call and the whole log.
    fn mismatch(&self, plugin: &str, status: u16, log: &str) -> Option<String> {
        let (right, words) = match *self {
            Refused(stage, text) => {
                (status == 503, vec!["not loaded".to_owned(), format!("reason=\"{stage}: "), text.to_owned()])
            }
            Answers(expected, "") => (status == expected, vec![]),
            Answers(expected, text) => {
                let is_busy = expected == 504 && status == 503;
                (status == expected || is_busy, vec!["call failed".to_owned(), text.to_owned()])
            }
            Serves(text) => (status == 200 || status == 204, vec![text.to_owned()]),
        };
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        if right && has_line(log, plugin, &words) {
            return None;
        }
        let lines: Vec<_> = log
            .lines()
            .filter(|line| line.contains(&format!("plugin=\"{plugin}\"")))
            .map(|line| line.chars().take(600).collect::<String>())
            .take(4)
            .collect();
        Some(format!("{plugin}: status {status}, lacks {words:?} in\n    {}\n", lines.join("\n    ")))
    }
}

/// A host with the good plugin in a scanned directory, into which files are dropped.
fn host(config: &str) -> Host {
    // On a machine that is busy with other tests so many clients do wait, and what is tried here is not that.
    let no_shedding = "[http]\nqueue_delay_ms_max = 0";
    let setup = Setup::new().with(&["--frontend=none"]).config(NO_PAUSES).config(no_shedding).config(config);
    std::fs::create_dir(setup.path().join("plugins")).unwrap();
    std::fs::copy(component("downcase"), setup.path().join("plugins/downcase.wasm")).unwrap();
    setup.start()
}

/// Puts files into the directory, a few at a time, and waits until the host has said what it makes of each.
fn drop_in<'a>(host: &Host, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) {
    let plugins = host.directory.path().join("plugins");
    let files: Vec<_> = files.into_iter().collect();
    for batch in files.chunks(8) {
        for (name, bytes) in batch {
            replace(&plugins.join(format!("{name}.wasm")), bytes);
        }
        for (name, _) in batch {
            host.process.wait_for_line_up_to(LONG_PATIENCE, &["loaded", &format!("plugin=\"{name}\"")]);
        }
    }
}

/// Replaces a file at once.
fn replace(path: &Path, content: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, content).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// Raises its flag when it goes, after a failed assertion too: else whoever waits for the flag would wait for ever.
struct Raised<'a>(&'a AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks the good plugin again and again while `work` goes on.
fn with_good_answers<T>(host: &Host, work: impl FnOnce() -> T) -> T {
    let enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let client = Client::new(host);
            let mut answers = 0_u32;
            while !enough.load(Ordering::Relaxed) {
                assert_good(&client);
                answers += 1;
            }
            answers
        });
        let result = {
            let _guard = Raised(&enough);
            work()
        };
        let answers = asking.join().expect("every answer of the good plugin is right");
        assert!(answers > 10, "{answers}");
        result
    })
}

#[track_caller]
fn assert_good(client: &Client) {
    let answer = client.request("GET", "/downcase/?param=HeLLo", None).expect("an answer");
    assert_eq!((answer.status, answer.text()), (200, "lower case of HeLLo is hello"));
}

/// Calls each plugin once, four at a time; after each call the good plugin has to answer well on the same connection.
fn call_each(host: &Host, names: &[&str]) -> Vec<u16> {
    let next = AtomicUsize::new(0);
    let statuses: BTreeMap<usize, u16> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let client = Client::new(host);
                    let mut statuses = Vec::new();
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(name) = names.get(index) else { return statuses };
                        let answer = client.request("GET", &format!("/{name}/?param=HeLLo"), None).expect(name);
                        statuses.push((index, answer.status));
                        assert_good(&client);
                    }
                })
            })
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    });
    statuses.into_values().collect()
}

/// Stops the host, which has to end well, and gives its whole log.
fn log_of(mut host: Host) -> String {
    host.process.signal("TERM");
    assert_eq!(host.process.wait().code(), Some(0));
    let log = host.process.stderr();
    assert_balanced(&log);
    log
}

/// Loads and calls every row in one host, and holds its log against the outcomes.
#[track_caller]
fn assert_outcomes(rows: &[Row]) {
    let mut config = "[limits]\ncall_deadline_ms = 20000\n".to_owned();
    for (name, ..) in rows.iter().filter(|row| matches!(row.1, Answers(504, _) | Refused(_, DEADLINE))) {
        config += &format!("[plugins.{name}.limits]\ncall_deadline_ms = {SHORT_MS}\n");
    }
    let host = host(&config);
    let names: Vec<_> = rows.iter().map(|row| row.0).collect();
    let statuses = with_good_answers(&host, || {
        drop_in(&host, rows.iter().map(|(name, _, bytes)| (*name, bytes.as_slice())));
        call_each(&host, &names)
    });
    let log = log_of(host);
    let mismatches: Vec<_> = rows
        .iter()
        .zip(statuses)
        .filter_map(|((name, outcome, _), status)| outcome.mismatch(name, status, &log))
        .collect();
    assert!(mismatches.is_empty(), "{} of {} rows:\n{}", mismatches.len(), rows.len(), mismatches.concat());
    assert!(log.lines().all(|line| !line.starts_with("FORGED")), "a guest wrote a line of its own");
    let longest = log.lines().max_by_key(|line| line.len()).unwrap();
    let start: String = longest.chars().take(200).collect();
    assert!(longest.len() < LINE_BYTES_MAX, "a line of {} bytes: {start}", longest.len());
}

#[test]
fn what_is_no_file_or_too_large_a_one_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::create_dir(path("directory.wasm")).unwrap();
    std::os::unix::fs::symlink("nowhere", path("dangling.wasm")).unwrap();
    std::os::unix::fs::symlink("circle.wasm", path("circle.wasm")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", path("endless.wasm")).unwrap();
    // Of holes alone, so that nothing is written.
    std::fs::File::create(path("huge.wasm")).unwrap().set_len((256 << 20) + 1).unwrap();
    assert!(Command::new("mkfifo").arg(path("fifo.wasm")).status().unwrap().success());
    for (name, text) in [
        ("directory.wasm", "not a regular file"),
        ("dangling.wasm", "No such file"),
        ("circle.wasm", "symbolic links"),
        ("endless.wasm", "not a regular file"),
        ("fifo.wasm", "not a regular file"),
        ("huge.wasm", "larger than component_bytes_max 268435456"),
    ] {
        let mut process = Process::start(tidegate().args(["plugin", "check"]).arg(path(name)));
        assert_eq!(process.wait().code(), Some(1), "{name}");
        let stderr = process.stderr();
        assert!(stderr.contains("is refused: read: ") && stderr.contains(text), "{name}: {stderr}");
    }
}

#[test]
fn hostile_calls_have_the_outcome_of_their_line() {
    assert_outcomes(&calls());
}

#[test]
fn hostile_files_have_the_outcome_of_their_line() {
    assert_outcomes(&refusals());
}

/// Instances, memories and tables come out of a pool that all plugins share.
#[test]
fn what_one_plugin_takes_of_the_pool_is_not_missed_by_another() {
    // As much of each as one component may have, with its own module's share.
    for (count, fields) in [(50, ""), (1, "(memory 0)"), (5, "(table 0 funcref)")] {
        let host = host(&format!("[limits]\ncall_deadline_ms = {SHORT_MS}"));
        let hoard = holding(fixtures::waiting(), &instances(count, fields));
        drop_in(&host, [("hoard", hoard.as_slice())]);
        with_good_answers(&host, || {
            std::thread::scope(|scope| {
                for _ in 0..64 {
                    scope.spawn(|| {
                        let client = Client::new(&host);
                        for _ in 0..4 {
                            let status = client.request("GET", "/hoard/?param=x", None).unwrap().status;
                            assert!([503, 504].contains(&status), "{status}");
                        }
                    });
                }
            });
        });
        log_of(host);
    }
}

#[test]
fn a_hostile_policy_sends_nothing_and_is_counted() {
    let rows = policies();
    let setup = Setup::new().committed("downcase").committed("echo").with(&["--policy=echo"]);
    let host = setup.config(NO_PAUSES).config("[limits]\ncall_deadline_ms = 2000").start();
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_rcvtimeo(60_000).unwrap();
    socket.connect(host.surface("frontend")).unwrap();
    let mut expected = BTreeMap::<&str, u64>::new();
    with_good_answers(&host, || {
        for (index, (reason, text, bytes)) in rows.iter().enumerate() {
            let generation = format!("generation={}", index + 2);
            replace(&host.plugin_path("echo"), bytes);
            host.process.wait_for_line_up_to(LONG_PATIENCE, &["loaded", "plugin=\"echo\"", &generation]);
            socket.send("lost", 0).unwrap();
            host.process.wait_for_line_up_to(LONG_PATIENCE, &["call failed", "plugin=\"echo\"", &generation, text]);
            *expected.entry(reason).or_default() += 1;
        }
        replace(&host.plugin_path("echo"), &bytes("echo"));
        host.process.wait_for_line_up_to(
            LONG_PATIENCE,
            &["loaded", "plugin=\"echo\"", &format!("generation={}", rows.len() + 2)],
        );
        socket.send("served", 0).unwrap();
        assert_eq!(socket.recv_multipart(0).unwrap(), [b"served"]);
    });
    let log = log_of(host);
    let ledger = at_exit(&log);
    let dropped = &ledger["hops"]["policy"]["dropped"];
    for (reason, count) in expected {
        // What a busy machine leaves no time for its deadline counts as that.
        let starved = if reason == "deadline-exceeded" { dropped["starved"].as_u64().unwrap_or(0) } else { 0 };
        assert_eq!(dropped[reason].as_u64().unwrap_or(0) + starved, count, "{reason}: {ledger}");
    }
}

/// Every cut at 1 KB, and copies with one bit the wrong way round.
#[test]
fn damaged_copies_of_a_good_component_are_refused_or_whole() {
    let good = bytes("downcase");
    let cuts = (1024..good.len()).step_by(2048).map(|at| (format!("cut-{at}"), good[..at].to_vec()));
    let cuts: Vec<_> = cuts.collect();
    let places = noise(3, 3 * 32);
    let flips = places.chunks(3).map(|place| {
        let at = usize::from_be_bytes([0, 0, 0, 0, 0, place[0], place[1], place[2]]) % (good.len() * 8);
        let mut bytes = good.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        (format!("flip-{at}"), bytes)
    });
    let flips: Vec<_> = flips.collect();
    let host = host("[limits]\ncall_deadline_ms = 2000");
    let files = || cuts.iter().chain(&flips).map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    with_good_answers(&host, || {
        drop_in(&host, files());
        for (name, _) in &cuts {
            let answer = host.get(&format!("/{name}/?param=HeLLo"));
            let whole = (answer.status, answer.text()) == (200, "lower case of HeLLo is hello");
            assert!(whole || answer.status == 503, "{name}: {}", answer.text());
        }
        // A flipped bit may be in a text or a number: any answer is one, as long as the host gives it.
        call_each(&host, &flips.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>());
    });
    let log = log_of(host);
    for (name, _) in files() {
        let outcomes =
            ["generation=1", "reason=\"compile: ", "reason=\"type-check: ", "reason=\"probe: ", "reason=\"examples: "];
        assert!(outcomes.iter().any(|outcome| has_line(&log, name, &["loaded", outcome])), "{name}");
    }
}
