//! The list of authorized keys, as the files of a directory were when they were last read.

mod reload;

use super::key_look::Look;
use crate::messaging::socket::statistics::KeyNames;
use arc_swap::ArcSwap;
use reload::Looking;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The authorized keys. Any thread may ask, and gets what the last successful look at the directory found.
#[derive(Debug)]
pub struct AuthorizedKeys {
    directory: PathBuf,
    /// The name of the file of each key.
    listed: ArcSwap<HashMap<String, String>>,
    generation: AtomicU64,
    removals: AtomicU64,
    reload_failures: AtomicU64,
    look: Look,
    /// Locked by the thread that looks at the directory alone.
    looking: Mutex<Looking>,
}

impl AuthorizedKeys {
    /// Reads the directory for the first time.
    ///
    /// # Errors
    /// When it cannot be read, or has more files than there may be; names it and what to do.
    pub fn load(directory: &Path) -> Result<Self, String> {
        let this = Self {
            directory: directory.to_owned(),
            listed: ArcSwap::default(),
            generation: AtomicU64::new(0),
            removals: AtomicU64::new(0),
            reload_failures: AtomicU64::new(0),
            look: Look::default(),
            looking: Mutex::default(),
        };
        let files = this.scan(&BTreeMap::new(), true).map_err(|error| {
            let directory = directory.display();
            format!(
                "reading the authorized keys in {directory}: {error}: make the directory, with one public key a file"
            )
        })?;
        if files.values().all(|known| known.key.is_none()) {
            let directory = directory.display();
            tracing::warn!(%directory, "no key is authorized, so nobody is let in: put public keys there, one a file");
        }
        this.replace_list(&files);
        this.looking().files = files;
        Ok(this)
    }

    /// Whether this key, in Z85, is authorized.
    pub fn contains(&self, key: &str) -> bool {
        self.listed.load().contains_key(key)
    }

    /// The name of the file that holds this key.
    pub fn file_of(&self, key: &str) -> Option<String> {
        self.listed.load().get(key).cloned()
    }

    /// How many keys there are.
    pub fn count(&self) -> usize {
        self.listed.load().len()
    }

    /// A counter that grows when keys were added or removed.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// A counter that grows when keys were removed.
    pub fn removals(&self) -> u64 {
        self.removals.load(Ordering::Acquire)
    }

    /// How many looks at the directory failed, and how many files without a key were found.
    pub fn reload_failures(&self) -> u64 {
        self.reload_failures.load(Ordering::Relaxed)
    }

    /// The directory of the keys.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Why a removed key may still be accepted; none while the list is up to date.
    pub fn complaint(&self) -> Option<String> {
        let stalled = self.look.stalled()?;
        let (directory, seconds) = (self.directory.display(), stalled.as_secs());
        Some(format!("the authorized keys in {directory} have been read for {seconds} s: the last list stays in force"))
    }

    /// Logs once that the directory does not answer. To be called by another thread than the one that looks at it.
    pub(super) fn log_if_stalled(&self) {
        if let Some(stalled) = self.look.stalled_unreported() {
            let (directory, keys, stalled_ms) = (self.directory.display(), self.count(), stalled.as_millis());
            tracing::error!(
                %directory, keys, stalled_ms,
                "the directory of authorized keys does not answer: the last list stays in force; is its file system there?"
            );
        }
    }
}

impl KeyNames for AuthorizedKeys {
    fn name_of(&self, key: &str) -> Option<String> {
        self.file_of(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messaging::curve::key::KeyPair;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::time::{Duration, Instant};

    fn key() -> String {
        KeyPair::generate().expect("a pair").public
    }

    /// Looks until `condition` holds.
    #[track_caller]
    fn look_until(keys: &AuthorizedKeys, what: &str, condition: impl Fn() -> bool) {
        let started = Instant::now();
        while !condition() {
            assert!(started.elapsed() < Duration::from_secs(30), "waited in vain: {what}");
            std::thread::sleep(Duration::from_millis(5));
            keys.renew();
        }
    }

    #[test]
    fn files_come_change_and_go() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("alice.key");
        let keys = AuthorizedKeys::load(directory.path()).expect("readable");
        let (first, second) = (key(), key());
        assert!(!keys.contains(&first) && keys.generation() == 0);

        fs::write(&path, format!("{first}\n")).expect("a file");
        look_until(&keys, "added", || keys.contains(&first));
        assert_eq!((keys.file_of(&first).as_deref(), keys.generation()), (Some("alice.key"), 1));

        // In place, as long as before, and likely within the same tick of the file system's clock.
        fs::write(&path, format!("{second}\n")).expect("a file");
        look_until(&keys, "rewritten", || keys.contains(&second) && !keys.contains(&first));
        let generation = keys.generation();
        keys.renew();
        assert_eq!(keys.generation(), generation);

        fs::rename(&path, directory.path().join(".hidden")).expect("renamed");
        look_until(&keys, "removed", || !keys.contains(&second));
        symlink(".hidden", &path).expect("a link");
        look_until(&keys, "linked", || keys.contains(&second));
        assert_eq!(keys.reload_failures(), 0);
    }

    #[test]
    fn a_key_in_two_files_stays_until_both_have_gone() {
        let directory = tempfile::tempdir().expect("a directory");
        let (key, other) = (key(), key());
        let [a, b, c] = ["a", "b", "c"].map(|name| directory.path().join(name));
        fs::write(&a, &key).expect("a file");
        fs::write(&b, &key).expect("a file");
        let keys = AuthorizedKeys::load(directory.path()).expect("readable");
        fs::remove_file(&a).expect("removed");
        fs::write(&c, &other).expect("a file");
        look_until(&keys, "the other", || keys.contains(&other));
        assert!(keys.contains(&key));
        fs::remove_file(&b).expect("removed");
        look_until(&keys, "gone", || !keys.contains(&key));
    }

    #[test]
    fn a_broken_file_costs_only_itself() {
        let directory = tempfile::tempdir().expect("a directory");
        let key = key();
        fs::write(directory.path().join("good"), &key).expect("a file");
        fs::write(directory.path().join("bad"), "no key").expect("a file");
        fs::write(directory.path().join("worse"), b"\xff\0").expect("a file");
        fs::create_dir(directory.path().join("folder")).expect("a folder");
        let keys = AuthorizedKeys::load(directory.path()).expect("readable");
        assert!(keys.contains(&key));
        assert_eq!((keys.count(), keys.reload_failures()), (1, 2));
        fs::write(directory.path().join("late"), "no key either").expect("a file");
        look_until(&keys, "the late one", || keys.reload_failures() == 3);
        assert_eq!((keys.count(), keys.generation()), (1, 1));
    }

    #[test]
    fn a_directory_that_vanishes_leaves_the_last_list() {
        let parent = tempfile::tempdir().expect("a directory");
        let (directory, away) = (parent.path().join("keys"), parent.path().join("away"));
        let error = AuthorizedKeys::load(&directory).expect_err("no directory");
        assert!(error.contains("keys") && error.contains("make the directory"), "{error}");
        fs::create_dir(&directory).expect("a folder");
        let (key, other) = (key(), key());
        fs::write(directory.join("a"), &key).expect("a file");
        let keys = AuthorizedKeys::load(&directory).expect("readable");
        fs::rename(&directory, &away).expect("renamed");
        look_until(&keys, "failures", || keys.reload_failures() > 2);
        assert!(keys.contains(&key) && keys.generation() == 1);
        fs::write(away.join("b"), &other).expect("a file");
        fs::rename(&away, &directory).expect("renamed");
        look_until(&keys, "back", || keys.contains(&other) && keys.contains(&key));
    }
}
