//! When what was captured is in the file, and what becomes of what is not.

use super::*;
use crate::config;
use crate::flow::{OwnedPlace, Recorder};
use crate::ledger::{Hop, Ledger};
use crate::record::capture::asked::{Asked, Wanted};
use crate::record::capture::files::Ring;
use crate::record::capture::format::About;
use crate::record::capture::reader::CaptureFile;
use crate::record::choice::Choice;
use std::path::Path;
use std::time::UNIX_EPOCH;

struct Capture {
    directory: tempfile::TempDir,
    running: Arc<Running>,
    writing: Writing,
    hop: Arc<Hop>,
    began: Instant,
}

/// A capture without a thread, or a ring of so many bytes.
fn capture(ring_bytes_max: Option<u64>) -> Capture {
    let (directory, hop, began) = (tempfile::tempdir().unwrap(), Ledger::default().hop("capture"), Instant::now());
    let ring = ring_bytes_max.map(|bytes_max| Ring { lasts: Duration::from_secs(400), bytes_max });
    let mut wanted = Wanted::of(&Asked::default(), &config::Capture::default()).unwrap();
    wanted.bytes_max = ring.map_or(wanted.bytes_max, Ring::file_bytes_max);
    let running = Running::new("1".to_owned(), Asked::default(), wanted, (100, 1 << 20), Arc::clone(&hop));
    let running = Arc::new(running);
    let mut files = Files::new(directory.path(), &About::default(), "1", ring);
    let writer = files.next(&running.bytes, running.wanted.bytes_max, began).unwrap();
    running.writes(files.current().to_owned());
    let writing = Writing::new(Arc::clone(&running), files, writer, began);
    Capture { directory, running, writing, hop, began }
}

/// With bytes that cannot be compressed, other ones for each seed.
fn recorded(bytes: usize, seed: u64) -> Arc<Recorded> {
    let mut state = seed | 1;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    let body: Vec<u8> = (0..bytes).map(|_| byte()).collect();
    let (place, frames) = (OwnedPlace::Flow("f".to_owned()), [body.into()].into_iter().collect());
    Arc::new(Recorded { at: UNIX_EPOCH, place, frames, metadata: Vec::new(), call: None })
}

/// The records of all files, and their bytes.
fn in_files(directory: &Path) -> (usize, u64, usize) {
    let (mut records, mut bytes, mut files) = (0, 0, 0);
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        bytes += path.metadata().unwrap().len();
        records += CaptureFile::open(&path).unwrap().records(Choice::default()).count();
        files += 1;
    }
    (records, bytes, files)
}

impl Capture {
    fn write(&mut self, bytes: usize, seed: u64, now: Instant) -> Result<(), CaptureState> {
        self.writing.write(&recorded(bytes, seed), self.hop.enter(), now)
    }

    fn records(&self) -> u64 {
        self.running.records.load(Ordering::Relaxed)
    }
}

#[test]
fn a_record_is_in_the_file_before_it_is_a_second_old() {
    let mut capture = capture(None);
    let (began, mut end) = (capture.began, CaptureState::Stopped);
    capture.write(10, 1, began).unwrap();
    // Others after it do not put it off.
    for millis in [100, 200, 300, 400, 499] {
        let now = began + Duration::from_millis(millis);
        capture.write(10, millis, now).unwrap();
        capture.writing.attend(now, &mut end).unwrap();
    }
    assert_eq!((in_files(capture.directory.path()).0, capture.records()), (0, 0));
    capture.writing.attend(began + Duration::from_millis(999), &mut end).unwrap();
    assert_eq!((in_files(capture.directory.path()).0, capture.records()), (6, 6));
}

#[test]
fn a_ring_turns_by_its_bytes_and_keeps_the_last() {
    let mut capture = capture(Some(1 << 20));
    let now = capture.began;
    for seed in 0..200 {
        capture.write(20_000, seed, now).unwrap();
    }
    let (records, bytes, files) = in_files(capture.directory.path());
    assert!(bytes <= 1 << 20 && bytes > 600 << 10, "{bytes}");
    assert!((4..=5).contains(&files) && records > 30, "{files} files, {records} records");
    // Nothing was lost but with its file.
    assert_eq!(capture.hop.figures().dropped(Reason::FileFull), 0);
}

#[test]
fn a_record_that_fits_no_file_of_the_ring_is_dropped_alone() {
    let mut capture = capture(Some(1 << 20));
    let now = capture.began;
    for seed in 0..3 {
        capture.write(100, seed, now).unwrap();
    }
    for seed in 0..10 {
        capture.write(300 << 10, seed, now).unwrap();
    }
    assert_eq!(capture.hop.figures().dropped(Reason::TooLarge), 10);
    capture.writing.attend(now + FLUSH, &mut CaptureState::Stopped).unwrap();
    let (records, _, files) = in_files(capture.directory.path());
    assert_eq!((records, files), (3, 1));
}

#[test]
fn what_is_in_a_chunk_that_was_written_is_not_lost_with_what_comes_later() {
    let mut capture = capture(None);
    let now = capture.began;
    // Each third fills a chunk.
    for seed in 0..7 {
        capture.write(400 << 10, seed, now).unwrap();
    }
    let written = capture.records();
    assert!(written >= 3, "{written}");
    let failed = WriteError::Failed("no space".to_owned());
    assert_eq!(capture.writing.settle(Err(failed), now), Err(CaptureState::Failed));
    assert_eq!(capture.hop.figures().out, written);
    assert_eq!(capture.hop.figures().dropped(Reason::WriteFailed), 7 - written);
    assert!(in_files(capture.directory.path()).0 as u64 >= written);
}

#[test]
fn a_file_of_the_ring_that_got_no_record_is_not_kept() {
    let mut capture = capture(Some(1 << 20));
    let now = capture.began;
    capture.write(10, 1, now).unwrap();
    capture.writing.settle(Err(WriteError::Failed("no space".to_owned())), now).unwrap();
    assert_eq!(in_files(capture.directory.path()).2, 0);
    assert_eq!(capture.running.status().state, CaptureState::Running);
    // It goes on later.
    capture.writing.attend(now + RETRY, &mut CaptureState::Stopped).unwrap();
    capture.write(10, 1, now + RETRY).unwrap();
    capture.writing.attend(now + RETRY + FLUSH, &mut CaptureState::Stopped).unwrap();
    assert_eq!((in_files(capture.directory.path()).0, capture.running.status().obstacle), (1, None));
}

#[test]
fn a_panic_ends_the_capture_alone_and_what_it_leaves_is_counted() {
    let mut capture = capture(None);
    let now = capture.began;
    capture.write(10, 1, now).unwrap();
    capture.running.record(&recorded(10, 2));
    let Capture { writing, running, hop, .. } = capture;
    guarded("1", || {
        let _writing = writing;
        panic!("as a test does");
    });
    let status = running.status();
    assert_eq!((status.state, status.dropped), (CaptureState::Failed, 2));
    assert!(status.obstacle.unwrap().contains("panicked"));
    assert_eq!((hop.figures().in_flight, hop.figures().dropped(Reason::WriteFailed)), (0, 2));
    running.record(&recorded(10, 3));
    assert_eq!(running.status().dropped, 2, "nothing is taken in any more");
}
