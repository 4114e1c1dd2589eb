//! A component that is to be loaded: its bytes and their name.

use super::blocking::{blocking, reading};
use super::file::has_debug_info;
use super::{LoadError, digest};
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// A component's bytes, and the digest that names them. Cheap to clone.
#[derive(Clone)]
pub struct Candidate {
    pub(in crate::plugin) bytes: Arc<Vec<u8>>,
    pub(in crate::plugin) digest: Arc<str>,
    /// The digest of the artifact that it was pulled as, if it was.
    pub(in crate::plugin) artifact: Option<Arc<str>>,
    /// The digest of another component that differs from it in its examples alone, if one does.
    pub(in crate::plugin) same_code_as: Option<Arc<str>>,
    /// Asked at the last moment; none if it is wanted whatever serves by then.
    pub(in crate::plugin) still_wanted: Option<StillWanted>,
}

/// Whether a component is still to take the place of the generation of this number. A lock is held meanwhile: it neither waits nor
/// asks the slot.
pub type StillWanted = Arc<dyn Fn(u64) -> bool + Send + Sync>;

impl Candidate {
    /// Computes the digest off the runtime's threads: a component may have many megabytes.
    ///
    /// # Errors
    /// When the work that computes the digest panics.
    pub(in crate::plugin) async fn new(bytes: Arc<Vec<u8>>) -> Result<Self, LoadError> {
        blocking(move || {
            Ok(Self { digest: digest(&bytes).into(), bytes, artifact: None, same_code_as: None, still_wanted: None })
        })
        .await
    }

    /// The content of a file, of which no more is read than shows that it is over `bytes_max`.
    ///
    /// # Errors
    /// When the path is no regular file, or cannot be read.
    pub async fn read(path: &Path, bytes_max: u64) -> Result<Self, LoadError> {
        let path = path.to_owned();
        let bytes = reading(move || read(&path, bytes_max)).await?;
        Self::new(Arc::new(bytes)).await
    }

    /// Whether it knows the files and lines that its code came from.
    pub fn has_debug_info(&self) -> bool {
        has_debug_info(&self.bytes)
    }
}

/// Reads a regular file, but no more than one byte over `bytes_max`: a larger component is refused later. Blocks.
fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, LoadError> {
    let failed = |cause: &dyn fmt::Display| LoadError::Read(format!("{}: {cause}", path.display()));
    // Looked at before it is opened: opening a FIFO would wait for a writer.
    let metadata = std::fs::metadata(path).map_err(|error| failed(&error))?;
    if !metadata.is_file() {
        return Err(failed(&"not a regular file"));
    }
    // Reserved at once, so that the bytes are not copied while the buffer grows.
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(bytes_max)).unwrap_or_default() + 1);
    std::fs::File::open(path)
        .and_then(|file| file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|error| failed(&error))?;
    Ok(bytes)
}
