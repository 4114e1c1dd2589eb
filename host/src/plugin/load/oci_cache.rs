//! Copies of what was pulled: components on disk by their digest, and what each reference last stood for.
//!
//! They lie below the compile cache, in a directory that nobody else may write to. A copy is used only while it is what
//! its digest says.

use super::cache::Cache;
use super::file::write_at_once;
use super::{digest, hex};
use crate::config::Reference;
use crate::oci::Artifact;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::SystemTime;

const COMPONENT: &str = "wasm";
const NOTE: &str = "json";

/// A directory of components that were pulled.
#[derive(Debug)]
pub(crate) struct OciCache {
    directory: PathBuf,
    bytes_max: u64,
}

/// What is noted of a reference.
#[derive(Deserialize, Serialize)]
struct Note {
    reference: String,
    #[serde(flatten)]
    artifact: Artifact,
}

impl OciCache {
    /// The copies below a compile cache, which may take as much room again.
    pub(crate) fn below(cache: &Cache) -> Self {
        Self { directory: cache.directory().join("oci"), bytes_max: cache.bytes_max() }
    }

    /// The component with this digest, if it is there, sound and of at most `bytes_max` bytes.
    pub(super) fn get(&self, component: &str, bytes_max: u64) -> Option<Vec<u8>> {
        let path = self.directory.join(component).with_extension(COMPONENT);
        let file = File::open(&path).ok()?;
        let size = file.metadata().ok()?.len().min(bytes_max);
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
        (&file).take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).ok()?;
        if bytes.len() as u64 > bytes_max {
            return None;
        }
        if digest(&bytes) != component {
            tracing::warn!(copy = %path.display(), "not what its name says; it is pulled anew");
            let _ = std::fs::remove_file(&path);
            return None;
        }
        // The time of its last use, by which old copies go.
        let _ = file.set_modified(SystemTime::now());
        Some(bytes)
    }

    /// What a reference last stood for.
    pub(super) fn last(&self, reference: &Reference) -> Option<Artifact> {
        let note: Note = serde_json::from_slice(&std::fs::read(self.note(reference)).ok()?).ok()?;
        (note.reference == reference.to_string()).then_some(note.artifact)
    }

    /// Keeps a component, and what the reference stands for. A failure is logged: it costs no more than the next pull.
    pub(super) fn put(&self, reference: &Reference, artifact: &Artifact, bytes: &[u8]) {
        let kept = self.make_directory().and_then(|()| self.write(reference, artifact, bytes));
        if let Err(error) = kept {
            tracing::warn!(directory = %self.directory.display(), %error, "no copy is kept of {reference}");
        }
        self.make_room();
    }

    fn make_directory(&self) -> io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)
    }

    fn write(&self, reference: &Reference, artifact: &Artifact, bytes: &[u8]) -> io::Result<()> {
        let path = self.directory.join(&artifact.component).with_extension(COMPONENT);
        if !path.exists() && bytes.len() as u64 <= self.bytes_max {
            write_at_once(&path, bytes)?;
        }
        // The component may be asked for by its digest later.
        for reference in [reference, &reference.pinned(&artifact.digest)] {
            let note = Note { reference: reference.to_string(), artifact: artifact.clone() };
            write_at_once(&self.note(reference), &serde_json::to_vec(&note)?)?;
        }
        Ok(())
    }

    fn note(&self, reference: &Reference) -> PathBuf {
        self.directory.join(hex(&Sha256::digest(reference.to_string()))).with_extension(NOTE)
    }

    fn make_room(&self) {
        super::file::make_room(&self.directory, COMPONENT, self.bytes_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(bytes: &[u8]) -> Artifact {
        Artifact { digest: "sha256:0".to_owned(), component: digest(bytes), size_bytes: bytes.len() as u64 }
    }

    #[test]
    fn a_copy_is_what_its_digest_says_or_none() {
        let directory = tempfile::tempdir().unwrap();
        let cache = OciCache { directory: directory.path().join("oci"), bytes_max: 10 };
        let reference: Reference = "oci://h/x:1".parse().unwrap();
        assert_eq!((cache.last(&reference), cache.get(&digest(b"abc"), 3)), (None, None));

        cache.put(&reference, &artifact(b"abc"), b"abc");
        for reference in [&reference, &reference.pinned("sha256:0")] {
            assert_eq!(cache.last(reference), Some(artifact(b"abc")));
        }
        assert_eq!(cache.get(&digest(b"abc"), 3).as_deref(), Some(b"abc".as_slice()));
        assert_eq!(cache.get(&digest(b"abc"), 2), None);

        std::fs::write(cache.directory.join(digest(b"abc")).with_extension(COMPONENT), "abd").unwrap();
        assert_eq!(cache.get(&digest(b"abc"), 3), None);
    }

    #[test]
    fn old_copies_make_room() {
        let directory = tempfile::tempdir().unwrap();
        let cache = OciCache { directory: directory.path().to_owned(), bytes_max: 10 };
        let reference: Reference = "oci://h/x:1".parse().unwrap();
        for bytes in [b"12345", b"abcde", b"vwxyz"] {
            cache.put(&reference, &artifact(bytes), bytes);
            let path = cache.directory.join(digest(bytes)).with_extension(COMPONENT);
            // Long ago, and in this order.
            let age = std::time::Duration::from_secs(1_000 - u64::from(bytes[0]));
            File::open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
        }
        let held = [b"12345", b"abcde", b"vwxyz"].map(|bytes| cache.get(&digest(bytes), 9).is_some());
        assert_eq!(held, [false, true, true]);
    }
}
