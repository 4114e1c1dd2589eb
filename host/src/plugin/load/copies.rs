//! Copies of components, on disk by their digest: what was pulled, and what serves and may have to serve again.
//!
//! They lie below the compile cache, in a directory that nobody else may write to. A copy is used only while it is what
//! its digest says.

use super::cache::Cache;
use super::digest;
use super::file::{make_room, remove_unfinished, write_unsynced};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

const COMPONENT: &str = "wasm";

/// A directory of components.
#[derive(Debug)]
pub(crate) struct Copies {
    directory: PathBuf,
    bytes_max: u64,
    /// The digests that each plugin needs, so that other plugins' copies make room first.
    needed: Mutex<BTreeMap<String, Vec<Arc<str>>>>,
    /// What all copies take: as of the last look at them, and what was written since.
    bytes: Mutex<Option<u64>>,
}

impl Copies {
    /// The copies below a compile cache, which may take as much room again.
    pub(crate) fn below(cache: &Cache) -> Self {
        Self::in_directory(cache.directory().join("components"), cache.bytes_max())
    }

    pub(super) fn in_directory(directory: PathBuf, bytes_max: u64) -> Self {
        Self { directory, bytes_max, needed: Mutex::default(), bytes: Mutex::default() }
    }

    /// The component with this digest, if it is there, sound and of at most `bytes_max` bytes. Blocks.
    pub(crate) fn get(&self, component: &str, bytes_max: u64) -> Option<Vec<u8>> {
        let path = self.path(component);
        let file = File::open(&path).ok()?;
        let size = file.metadata().ok()?.len().min(bytes_max);
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
        (&file).take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).ok()?;
        if bytes.len() as u64 > bytes_max {
            return None;
        }
        if digest(&bytes) != component {
            tracing::warn!(copy = %path.display(), "not what its name says; it is not used");
            let _ = std::fs::remove_file(&path);
            return None;
        }
        touch(&file);
        Some(bytes)
    }

    /// Keeps a component. Blocks.
    ///
    /// # Errors
    /// When it cannot be written, or is larger than all copies may be.
    pub(crate) fn keep(&self, component: &str, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() as u64 > self.bytes_max {
            return Err(io::Error::other(format!(
                "{} bytes are more than cache.bytes_max {}",
                bytes.len(),
                self.bytes_max
            )));
        }
        let path = self.path(component);
        // One of another size is damaged.
        let is_whole = |file: &File| file.metadata().is_ok_and(|metadata| metadata.len() == bytes.len() as u64);
        if let Some(file) = File::open(&path).ok().filter(is_whole) {
            touch(&file);
            return Ok(());
        }
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        // What a crash breaks is found by its digest, and a swap does not wait for the disk.
        write_unsynced(&path, bytes)?;
        self.make_room(component, bytes.len() as u64);
        Ok(())
    }

    /// Looks at all copies only where they may be too many: a start that keeps a thousand must not look at each a
    /// thousand times. What other hosts write there is seen at the next look.
    fn make_room(&self, component: &str, written: u64) {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        match *bytes {
            Some(known) if known + written <= self.bytes_max => *bytes = Some(known + written),
            _ => {
                let needed = self.needed.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let needed: BTreeSet<_> = needed.into_values().flatten().collect();
                let is_needed = |path: &Path| {
                    let name = path.file_stem().and_then(OsStr::to_str);
                    name.is_some_and(|name| name == component || needed.contains(name))
                };
                *bytes = Some(make_room(&self.directory, COMPONENT, self.bytes_max, is_needed));
                remove_unfinished(&self.directory);
            }
        }
    }

    /// Whether there is a copy of this digest, and marks it as used. Blocks.
    pub(crate) fn has(&self, component: &str) -> bool {
        File::open(self.path(component)).is_ok_and(|file| {
            touch(&file);
            true
        })
    }

    /// Says which copies a plugin needs from now on.
    pub(crate) fn need(&self, plugin: &str, digests: Vec<Arc<str>>) {
        self.needed.lock().unwrap_or_else(PoisonError::into_inner).insert(plugin.to_owned(), digests);
    }

    /// Says that a plugin is gone, and needs none.
    pub(crate) fn need_none(&self, plugin: &str) {
        self.needed.lock().unwrap_or_else(PoisonError::into_inner).remove(plugin);
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, component: &str) -> PathBuf {
        self.directory.join(component).with_extension(COMPONENT)
    }
}

/// Sets the time of its last use, by which old copies go.
fn touch(file: &File) {
    let _ = file.set_modified(SystemTime::now());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copies(directory: &Path, bytes_max: u64) -> Copies {
        Copies::in_directory(directory.join("components"), bytes_max)
    }

    #[test]
    fn a_copy_is_what_its_digest_says_or_none() {
        let directory = tempfile::tempdir().unwrap();
        let copies = copies(directory.path(), 10);
        let name = digest(b"abc");
        assert_eq!((copies.has(&name), copies.get(&name, 3)), (false, None));
        copies.keep(&name, b"abc").unwrap();
        assert!(copies.has(&name));
        assert_eq!(copies.get(&name, 3).as_deref(), Some(b"abc".as_slice()));
        assert_eq!(copies.get(&name, 2), None);

        std::fs::write(copies.path(&name), "abd").unwrap();
        assert_eq!((copies.get(&name, 3), copies.has(&name)), (None, false));
        std::fs::write(copies.path(&name), "").unwrap();
        copies.keep(&name, b"abc").unwrap();
        assert!(copies.get(&name, 3).is_some());
        assert!(copies.keep(&digest(b"12345678901"), b"12345678901").is_err());
    }

    #[test]
    fn old_copies_make_room_and_those_that_are_needed_last() {
        let all = [b"12345", b"abcde", b"vwxyz"];
        for (needed, left) in [(None, [false, true, true]), (Some(b"12345"), [true, false, true])] {
            let directory = tempfile::tempdir().unwrap();
            let copies = copies(directory.path(), 10);
            copies.need("x", needed.map(|bytes| digest(bytes).into()).into_iter().collect());
            for bytes in all {
                copies.keep(&digest(bytes), bytes).unwrap();
                // Long ago, and in this order.
                let age = std::time::Duration::from_secs(1_000 - u64::from(bytes[0]));
                File::open(copies.path(&digest(bytes))).unwrap().set_modified(SystemTime::now() - age).unwrap();
            }
            assert_eq!(all.map(|bytes| copies.get(&digest(bytes), 9).is_some()), left);
        }
    }

    #[test]
    fn the_bound_holds_however_many_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let copies = copies(directory.path(), 100);
        for number in 0..60_u8 {
            let bytes = vec![number; 1 + usize::from(number) % 30];
            copies.keep(&digest(&bytes), &bytes).unwrap();
            assert!(copies.has(&digest(&bytes)));
            let sizes =
                std::fs::read_dir(copies.directory()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
            assert!(sizes.sum::<u64>() <= 100);
        }
    }

    #[test]
    fn many_who_keep_the_same_at_once_do_not_disturb_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let bytes = vec![7; 100_000];
        let name = digest(&bytes);
        for _ in 0..20 {
            let copies = copies(directory.path(), 1 << 20);
            std::thread::scope(|scope| {
                let keep = || copies.keep(&name, &bytes);
                let threads = [(); 8].map(|()| scope.spawn(keep));
                threads.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
            });
            assert!(copies.get(&name, 1 << 20).is_some());
            assert_eq!(std::fs::read_dir(copies.directory()).unwrap().count(), 1);
            std::fs::remove_file(copies.path(&name)).unwrap();
        }
    }
}
