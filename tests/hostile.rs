//! Whatever a component is, the host says what became of it, and every other answer stays right.

pub mod components;
mod files;
mod memory;
mod outcomes;
mod policies;
mod pool;
mod table;

use crate::harness::{Client, Host, LONG_PATIENCE, Setup, assert_balanced, component};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Turns off pauses and rollbacks: the hostile plugins are meant to fail at every call.
const NO_PAUSES: &str = "[rollback]\nfailures = 0";
/// Between two requests for the good plugin. Without it their client and the host would keep a processor from the compiler,
/// which runs when nobody else wants one, and loading the hostile plugins would take several times as long.
const PAUSE: Duration = Duration::from_millis(4);

/// Whether one log line about the plugin contains all the words.
fn has_line(log: &str, plugin: &str, words: &[&str]) -> bool {
    let plugin = format!("plugin=\"{plugin}\"");
    log.lines().any(|line| line.contains(&plugin) && words.iter().all(|word| line.contains(word)))
}

/// A host with the good plugin, downcase, in a scanned directory, to which hostile files are added.
fn host(config: &str) -> Host {
    // On a busy machine the host would shed load of so many clients, which these tests are not about.
    let no_shedding = "[http]\nqueue_delay_ms_max = 0";
    let setup = Setup::new().with(&["--frontend=none"]).config(NO_PAUSES).config(no_shedding).config(config);
    std::fs::create_dir(setup.path().join("plugins")).unwrap();
    std::fs::copy(component("downcase"), setup.path().join("plugins/downcase.wasm")).unwrap();
    setup.start()
}

/// Adds files to the scanned directory, and waits until the log says whether each is loaded. All at once: for a file that may
/// be half written the host waits some seconds, which is then one wait for all of them.
fn add_files<'a>(host: &Host, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) {
    let plugins = host.directory.path().join("plugins");
    let files: Vec<_> = files.into_iter().collect();
    for (name, bytes) in &files {
        replace(&plugins.join(format!("{name}.wasm")), bytes);
    }
    for (name, _) in files {
        host.process.wait_for_line_up_to(LONG_PATIENCE, &["loaded", &format!("plugin=\"{name}\"")]);
    }
}

/// Replaces a file atomically.
fn replace(path: &Path, content: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, content).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// Sets its flag on drop, also when an assertion fails: otherwise the thread that waits for the flag would never end.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Requests the good plugin over and over while `work` runs; every answer must be right.
fn with_good_answers<T>(host: &Host, work: impl FnOnce() -> T) -> T {
    let enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let client = Client::new(host);
            let mut answers = 0_u32;
            while !enough.load(Ordering::Relaxed) {
                assert_good(&client);
                answers += 1;
                std::thread::sleep(PAUSE);
            }
            answers
        });
        let result = {
            let _guard = SetOnDrop(&enough);
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

/// Calls each plugin once, four at a time; after each call the good plugin must answer on the same connection.
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

/// Stops the host, which must exit with 0 and a balanced ledger, and returns its whole log.
fn log_of(mut host: Host) -> String {
    host.process.signal("TERM");
    assert_eq!(host.process.wait().code(), Some(0));
    let log = host.process.stderr();
    assert_balanced(&log);
    log
}
