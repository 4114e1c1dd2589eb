//! What is deleted, and when.

use super::*;
use std::sync::atomic::Ordering;

const LASTS: Duration = Duration::from_secs(4);

/// Of a host of its own: files of one host have a number, and of two that begin in one moment, names that differ by the host.
fn ring(directory: &Path, bytes_max: u64) -> Files {
    static HOSTS: AtomicU64 = AtomicU64::new(0);
    let boot = format!("{:04x}cafe", HOSTS.fetch_add(1, Ordering::Relaxed));
    let about = About { boot, ..About::default() };
    Files::new(directory, &about, "ring", Some(Ring { lasts: LASTS, bytes_max }))
}

fn next(files: &mut Files, now: Instant) -> Result<PathBuf, String> {
    files.next(&Arc::default(), 1 << 20, now).map(drop)?;
    Ok(files.current().to_owned())
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_of_the_ring_goes_once_it_ended_before_the_time_of_the_ring() {
    let directory = tempfile::tempdir().unwrap();
    let (mut files, began) = (ring(directory.path(), 1 << 30), Instant::now());
    let first = next(&mut files, began).unwrap();
    for seconds in 1..5 {
        next(&mut files, began + Duration::from_secs(seconds)).unwrap();
    }
    assert!(first.exists());
    let last = next(&mut files, began + Duration::from_secs(5)).unwrap();
    assert!(!first.exists() && last.exists());
    assert_eq!(names(directory.path()).len(), 5);
}

#[test]
fn hosts_that_start_delete_nothing_within_the_bytes_and_the_oldest_beyond_them() {
    let directory = tempfile::tempdir().unwrap();
    for number in 10..30 {
        fs::write(directory.path().join(format!("ring-20{number}-0000-1.mcap")), "").unwrap();
    }
    fs::write(directory.path().join("capture-2000-0000-1.mcap"), vec![0; 1 << 20]).unwrap();
    next(&mut ring(directory.path(), 1 << 20), Instant::now()).unwrap();
    assert_eq!(names(directory.path()).len(), 22);
    fs::write(directory.path().join("ring-2010-0000-1.mcap"), vec![0; 800 << 10]).unwrap();
    next(&mut ring(directory.path(), 1 << 20), Instant::now()).unwrap();
    let names = names(directory.path());
    assert!(!names.contains(&"ring-2010-0000-1.mcap".to_owned()), "{names:?}");
    assert_eq!(names.len(), 22);
}

#[test]
fn a_full_disk_costs_the_ring_none_of_its_files_and_leaves_none_behind() {
    let directory = tempfile::tempdir().unwrap();
    let (mut files, began) = (ring(directory.path(), 1 << 20), Instant::now());
    next(&mut files, began).unwrap();
    fs::write(directory.path().join("ring-2000-0000-1.mcap"), vec![0; 1 << 20]).unwrap();
    let before = names(directory.path());
    files.open = |path| {
        open_new(path)?;
        OpenOptions::new().write(true).open("/dev/full")
    };
    let error = next(&mut files, began + 2 * LASTS).unwrap_err();
    assert!(error.contains("No space left"), "{error}");
    assert_eq!(names(directory.path()), before);
}

#[test]
fn files_of_one_moment_have_names_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let (mut files, now) = (ring(directory.path(), 1 << 30), Instant::now());
    for _ in 0..50 {
        next(&mut files, now).unwrap();
    }
    assert_eq!(names(directory.path()).len(), 50);
}

#[test]
fn a_directory_that_others_may_write_into_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    for (mode, is_open) in [(0o700, false), (0o755, false), (0o775, true), (0o1777, true)] {
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(is_open_to_others(directory.path()), is_open, "{mode:o}");
    }
}
