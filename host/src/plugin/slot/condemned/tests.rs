//! What is condemned stays so, whatever becomes of the disk and whenever the host ends.

use super::records::RecordsDirectory;
use super::*;
use crate::config::CONDEMNED_MAX;
use crate::plugin::digest;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;

fn name(number: u8) -> String {
    digest(&[number])
}

fn condemnation(number: u8, second: u32, replaced_by: Option<u8>) -> Condemnation {
    Condemnation {
        digest: name(number),
        by: CondemnedBy::Host,
        reason: "5 of its first 5 calls failed".to_owned(),
        at: (jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(second.into())).to_string(),
        replaced_by: replaced_by.map(name),
        roles: vec!["transform".to_owned()],
    }
}

fn host(directory: &Path) -> Arc<Condemned> {
    let records = Arc::new(RecordsDirectory::at(directory.join("condemned")));
    Condemned::new(Some(&records), "x", "/plugins/x.wasm")
}

/// What a host reads that starts now.
fn restarted(directory: &Path) -> Arc<Condemned> {
    let host = host(directory);
    let known = host.records.as_ref().map(Records::read).unwrap_or_default();
    host.lock().recall(known);
    host
}

#[derive(Clone, Debug)]
enum Step {
    Condemn(u8),
    Forgive(u8),
    Write,
    /// The host ends in order, or is killed.
    Restart {
        written: bool,
    },
    /// The disk takes nothing from here on, or does again.
    Disk(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..8_u8).prop_map(Step::Condemn),
        3 => (0..8_u8).prop_map(Step::Forgive),
        2 => Just(Step::Write),
        1 => any::<bool>().prop_map(|written| Step::Restart { written }),
        1 => any::<bool>().prop_map(Step::Disk),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against a set in memory and a set on disk: what was written is there after any restart, and nothing else.
    #[test]
    fn the_disk_is_what_was_last_written(steps in prop::collection::vec(step(), 1..60)) {
        let directory = tempfile::tempdir().expect("a directory");
        let (path, away) = (directory.path().join("condemned"), directory.path().join("away"));
        let mut host = host(directory.path());
        let (mut expected, mut on_disk, mut is_there) = (BTreeSet::new(), BTreeSet::new(), true);
        for (second, step) in steps.into_iter().enumerate() {
            match step {
                Step::Condemn(number) => {
                    host.condemn(condemnation(number, u32::try_from(second).expect("few steps"), None));
                    expected.insert(number);
                }
                Step::Forgive(number) => prop_assert_eq!(host.forgive(&name(number)), expected.remove(&number)),
                Step::Write => match host.write() {
                    Ok(()) => on_disk = expected.clone(),
                    Err(error) => prop_assert!(!is_there, "{error}"),
                },
                Step::Restart { written } if is_there => {
                    if written {
                        prop_assert_eq!(host.write(), Ok(()));
                        on_disk = expected.clone();
                    }
                    host = restarted(directory.path());
                    expected = on_disk.clone();
                }
                Step::Restart { .. } => {}
                Step::Disk(there) if there == is_there => {}
                Step::Disk(false) => {
                    let _ = std::fs::rename(&path, &away);
                    std::fs::write(&path, "in the way").expect("a file");
                    is_there = false;
                }
                Step::Disk(true) => {
                    std::fs::remove_file(&path).expect("it was there");
                    let _ = std::fs::rename(&away, &path);
                    is_there = true;
                }
            }
            let condemned: BTreeSet<_> = (0..8).filter(|number| host.get(&name(*number)).is_some()).collect();
            prop_assert_eq!(&condemned, &expected);
        }
    }
}

#[test]
fn the_oldest_are_forgotten_on_the_disk_too() {
    let directory = tempfile::tempdir().unwrap();
    let host = host(directory.path());
    let count = u8::try_from(CONDEMNED_MAX).unwrap() + 3;
    for number in 0..count {
        host.condemn(condemnation(number, number.into(), None));
        assert_eq!(host.write(), Ok(()));
    }
    let host = restarted(directory.path());
    let left: Vec<_> = (0..count).filter(|number| host.get(&name(*number)).is_some()).collect();
    assert_eq!(left, (3..count).collect::<Vec<_>>());
    assert_eq!(std::fs::read_dir(directory.path().join("condemned")).unwrap().count(), CONDEMNED_MAX);
}

#[test]
fn what_replaces_condemned_bytes_is_not_condemned() {
    let verdicts = |chain: &[(u8, Option<u8>)]| {
        let mut verdicts = Verdicts::default();
        chain.iter().for_each(|(number, by)| verdicts.condemn(condemnation(*number, 0, *by)));
        verdicts
    };
    assert_eq!(verdicts(&[(1, Some(2))]).replacement_of(&name(1)), Some(name(2)));
    assert_eq!(verdicts(&[(1, Some(2)), (2, Some(3))]).replacement_of(&name(1)), Some(name(3)));
    for nowhere in [&[(1, None)][..], &[(1, Some(2)), (2, None)], &[(1, Some(2)), (2, Some(1))], &[(2, Some(3))]] {
        assert_eq!(verdicts(nowhere).replacement_of(&name(1)), None);
    }
}

#[test]
fn a_record_that_is_damaged_or_foreign_is_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let host = host(directory.path());
    host.condemn(condemnation(1, 1, Some(2)));
    assert_eq!(host.write(), Ok(()));
    let folder = directory.path().join("condemned");
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let sound = std::fs::read_to_string(&file).unwrap();
    let knows = || restarted(directory.path()).get(&name(1)).is_some();
    assert!(knows());
    let changed = [
        sound[..sound.len() / 2].to_owned(),
        String::new(),
        "\0".repeat(100),
        sound.replace("\"version\":1", "\"version\":2"),
        sound.replace("/plugins/x.wasm", "/plugins/y.wasm"),
        sound.replace(&name(1), &name(3)),
        sound.replace(&name(2), "../../../etc/passwd"),
        sound.replace("1970-", "some-"),
        sound.replace("5 of its", "5\\nof its"),
        sound.replace("5 of its", &"5 of its".repeat(10_000)),
    ];
    for text in changed {
        assert_ne!(text, sound);
        std::fs::write(&file, &text).unwrap();
        assert!(!knows(), "{text}");
    }
    std::fs::remove_file(&file).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &file, rustix::fs::Mode::RUSR).unwrap();
    assert!(!knows());
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert!(!knows());
    std::fs::remove_dir(&file).unwrap();
    std::fs::write(&file, sound).unwrap();
    assert!(knows());
    // Another plugin of the same name, from elsewhere.
    let records = Arc::new(RecordsDirectory::at(folder));
    assert_eq!(Records::new(records, "x", "/elsewhere/x.wasm").read(), []);
}

#[test]
fn hosts_that_share_a_directory_keep_each_others_records() {
    let directory = tempfile::tempdir().unwrap();
    let hosts = [0, 1].map(|_| host(directory.path()));
    std::thread::scope(|scope| {
        for (own, host) in hosts.iter().enumerate() {
            scope.spawn(move || {
                for number in (0..8).map(|number| 2 * number + u8::try_from(own).unwrap()) {
                    host.condemn(condemnation(number, number.into(), None));
                    assert_eq!(host.write(), Ok(()));
                }
            });
        }
    });
    let host = restarted(directory.path());
    assert!((0..16).all(|number| host.get(&name(number)).is_some()));
}
