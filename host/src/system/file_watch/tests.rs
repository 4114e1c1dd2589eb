//! Tests of the watch as a whole: what its thread sees, when, and how it ends.

use super::{FileArrival, FileWatch, Fingerprint, Notices, Pace, Watched};
use crate::system::supervisor::Supervisor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

const REST: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(30);
/// Nothing is found by a look that no notice called for.
const BY_NOTICES: Pace = Pace { rest: REST, rescan: PATIENCE };
const OFTEN: Pace = Pace { rest: REST, rescan: REST };

/// Tells the text of a file once it has come to rest.
struct Text {
    path: PathBuf,
    is_followed: bool,
    seen: Option<Fingerprint>,
    read: Option<Fingerprint>,
    sender: Sender<String>,
    arrivals: Arc<AtomicUsize>,
}

impl Watched for Text {
    fn look(&mut self, notices: &mut Notices) -> bool {
        if self.is_followed {
            notices.follow([self.path.clone()]);
        }
        let now = Fingerprint::of(&self.path);
        let at_rest = self.seen == now;
        self.seen = now;
        if at_rest && self.read != now {
            self.read = now;
            let text = std::fs::read_to_string(&self.path).unwrap_or_default();
            assert_ne!(text, "panic");
            self.sender.send(text).expect("somebody listens");
        }
        at_rest
    }

    fn arrived(&mut self, file: &Path, _arrival: FileArrival) {
        assert_eq!(file, self.path);
        self.arrivals.fetch_add(1, Ordering::Relaxed);
    }
}

fn watch_with(supervisor: &Supervisor, path: &Path, pace: Pace) -> (FileWatch, Receiver<String>) {
    let (sender, texts) = channel();
    let is_followed = pace.rescan > pace.rest;
    let text = Text { path: path.to_owned(), is_followed, seen: None, read: None, sender, arrivals: Arc::default() };
    (FileWatch::start((supervisor, "texts"), pace, text).expect("a thread"), texts)
}

fn watch(path: &Path, pace: Pace) -> (FileWatch, Receiver<String>) {
    watch_with(&Supervisor::default(), path, pace)
}

#[track_caller]
fn expect(texts: &Receiver<String>, text: &str) {
    assert_eq!(texts.recv_timeout(PATIENCE / 2).expect("a change"), text);
}

#[test]
fn each_way_to_replace_a_file_gives_a_notice() {
    let root = tempfile::tempdir().unwrap();
    let (directory, file) = (root.path().join("directory"), root.path().join("directory/file"));
    let place = |name: &str, text: &str| {
        let directory = root.path().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("file"), text).unwrap();
        directory
    };
    std::os::unix::fs::symlink(place("1", "first"), &directory).unwrap();
    let (_watch, texts) = watch(&file, BY_NOTICES);
    expect(&texts, "first");
    std::fs::write(&file, "overwritten").unwrap();
    expect(&texts, "overwritten");
    std::fs::write(root.path().join("new"), "renamed").unwrap();
    std::fs::rename(root.path().join("new"), &file).unwrap();
    expect(&texts, "renamed");
    // As Kubernetes does it with the link ..data.
    std::os::unix::fs::symlink(place("2", "through another link"), root.path().join("link")).unwrap();
    std::fs::rename(root.path().join("link"), &directory).unwrap();
    expect(&texts, "through another link");
    std::fs::remove_file(&file).unwrap();
    expect(&texts, "");
    std::fs::write(&file, "and again").unwrap();
    expect(&texts, "and again");
}

#[test]
fn a_directory_that_takes_the_place_of_another_gives_notices_again() {
    let root = tempfile::tempdir().unwrap();
    let (directory, file) = (root.path().join("directory"), root.path().join("directory/file"));
    let make = |text: &str| {
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(&file, text).unwrap();
    };
    make("first");
    let (sender, texts) = channel();
    let text = Text { path: file.clone(), is_followed: true, seen: None, read: None, sender, arrivals: Arc::default() };
    let arrivals = Arc::clone(&text.arrivals);
    let _watch = FileWatch::start((&Supervisor::default(), "texts"), OFTEN, text).expect("a thread");
    expect(&texts, "first");
    for text in ["second", "third"] {
        std::fs::rename(&directory, root.path().join(text)).unwrap();
        expect(&texts, "");
        make(text);
        expect(&texts, text);
        let before = arrivals.load(Ordering::Relaxed);
        let began = Instant::now();
        std::fs::write(&file, "written").unwrap();
        while arrivals.load(Ordering::Relaxed) == before {
            assert!(began.elapsed() < PATIENCE, "no notice");
            std::thread::sleep(REST);
        }
        expect(&texts, "written");
    }
}

#[test]
fn a_file_system_without_notices_is_looked_at_again_and_again() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    let (watch, texts) = watch(&file, OFTEN);
    for text in ["one", "and two"] {
        std::fs::write(&file, text).unwrap();
        expect(&texts, text);
    }
    drop(watch);
    assert_eq!(texts.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected), "the thread has ended");
}

#[test]
fn a_watch_that_dies_says_so() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    std::fs::write(&file, "panic").unwrap();
    let supervisor = Supervisor::default();
    let (_watch, texts) = watch_with(&supervisor, &file, BY_NOTICES);
    assert_eq!(texts.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
    while supervisor.deaths().is_empty() {
        std::thread::yield_now();
    }
}
