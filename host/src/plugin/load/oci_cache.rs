//! What was pulled: copies of the components, and what each reference last stood for.

use super::cache::Cache;
use super::copies::Copies;
use super::file::write_at_once;
use super::hex;
use crate::config::Reference;
use crate::oci::Artifact;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

const NOTE: &str = "json";

/// A directory of notes on references, and the copies of what they stand for.
#[derive(Debug)]
pub(crate) struct OciCache {
    directory: PathBuf,
    copies: Arc<Copies>,
}

/// What is noted of a reference.
#[derive(Deserialize, Serialize)]
struct Note {
    reference: String,
    #[serde(flatten)]
    artifact: Artifact,
}

impl OciCache {
    /// The notes below a compile cache, beside `copies`.
    pub(crate) fn below(cache: &Cache, copies: Arc<Copies>) -> Self {
        Self { directory: cache.directory().join("oci"), copies }
    }

    /// The component with this digest, if it is there, sound and of at most `bytes_max` bytes.
    pub(super) fn get(&self, component: &str, bytes_max: u64) -> Option<Vec<u8>> {
        self.copies.get(component, bytes_max)
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
    }

    fn make_directory(&self) -> io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)
    }

    fn write(&self, reference: &Reference, artifact: &Artifact, bytes: &[u8]) -> io::Result<()> {
        self.copies.keep(&artifact.component, bytes)?;
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::digest;

    #[test]
    fn a_reference_stands_for_what_it_last_did() {
        let directory = tempfile::tempdir().unwrap();
        let copies = Arc::new(Copies::in_directory(directory.path().join("components"), 10));
        let cache = OciCache { directory: directory.path().join("oci"), copies };
        let reference: Reference = "oci://h/x:1".parse().unwrap();
        let artifact =
            Artifact { digest: "sha256:0".to_owned(), component: digest(b"abc"), size_bytes: 3, is_packed: false };
        assert_eq!((cache.last(&reference), cache.get(&digest(b"abc"), 3)), (None, None));

        cache.put(&reference, &artifact, b"abc");
        for reference in [&reference, &reference.pinned("sha256:0")] {
            assert_eq!(cache.last(reference).as_ref(), Some(&artifact));
        }
        assert_eq!(cache.get(&digest(b"abc"), 3).as_deref(), Some(b"abc".as_slice()));
    }
}
