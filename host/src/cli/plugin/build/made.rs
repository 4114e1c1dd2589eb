//! What was made before is taken again as long as all that it is made of is the same: tools that keep a heap in a
//! component make other bytes of the same sources each time, and take seconds for it.

use super::super::sources::compiled_digest;
use super::world::WIT;
use crate::plugin::{digest, hex};
use crate::system::output::note;
use anyhow::Context;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// What an editor reads, in the guest's folder.
const BINDINGS: &str = "bindings";

/// The component at `output`, made of the guest's sources and of the tools and texts in `parts`.
///
/// # Errors
/// When a source cannot be read.
pub(super) fn component_of(directory: &Path, output: &Path, parts: &[&str]) -> anyhow::Result<Made> {
    let sources = compiled_digest(directory)?;
    let parts = std::iter::once(sources.as_str()).chain(parts.iter().copied());
    Ok(Made::new(output.to_owned(), output.with_extension("made-of"), parts))
}

/// Has the types of the guest's world written where editors look for them, unless they are those of its `wit/` already.
///
/// # Errors
/// When `wit/` cannot be read, or the types cannot be written.
pub(super) fn write_bindings(
    directory: &Path,
    tools: Option<&str>,
    write: impl FnOnce(&str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (bindings, wit) = (directory.join(BINDINGS), compiled_digest(&directory.join(WIT))?);
    let made = Made::new(bindings.clone(), bindings.join(".made-of"), [wit.as_str(), tools.unwrap_or_default()]);
    if made.is_there() {
        return Ok(());
    }
    if bindings.exists() {
        if !made.mark.exists() {
            note(format_args!("{} is not ours, so no types are written there for editors", bindings.display()));
            return Ok(());
        }
        // The types of what the world no longer has go too.
        std::fs::remove_dir_all(&bindings).with_context(|| format!("removing {}", bindings.display()))?;
    }
    write(BINDINGS).context("writing the types of its world")?;
    made.remember()
}

/// Something made, a file or a folder, and the mark that says what of.
pub(super) struct Made {
    path: PathBuf,
    mark: PathBuf,
    made_of: String,
}

impl Made {
    /// `made_of` are all texts that determine it.
    fn new<'a>(path: PathBuf, mark: PathBuf, made_of: impl IntoIterator<Item = &'a str>) -> Self {
        let mut digest = Sha256::new();
        for text in made_of {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text.as_bytes());
        }
        Self { path, mark, made_of: hex(&digest.finalize()) }
    }

    /// Whether it is there, made of the same, and nobody has changed it since.
    pub(super) fn is_there(&self) -> bool {
        self.path.exists() && std::fs::read(&self.mark).is_ok_and(|mark| mark == self.text().as_bytes())
    }

    /// To be called before it is made anew: what a tool leaves half made is not taken.
    ///
    /// # Errors
    /// When the mark cannot be removed.
    pub(super) fn forget(&self) -> anyhow::Result<()> {
        if !self.mark.exists() {
            return Ok(());
        }
        std::fs::remove_file(&self.mark).with_context(|| format!("removing {}", self.mark.display()))
    }

    /// To be called once it is made.
    ///
    /// # Errors
    /// When the mark cannot be written.
    pub(super) fn remember(&self) -> anyhow::Result<()> {
        std::fs::write(&self.mark, self.text()).with_context(|| format!("writing {}", self.mark.display()))
    }

    /// What the mark says: what it is made of, and what came of that if it is a file.
    fn text(&self) -> String {
        let made = std::fs::read(&self.path).map(|bytes| digest(&bytes)).unwrap_or_default();
        format!("{} {made}\n", self.made_of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_of_the_same_is_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mark) = (folder.path().join("made"), folder.path().join("mark"));
        let made_of = |parts: [&'static str; 2]| Made::new(path.clone(), mark.clone(), parts);
        let made = made_of(["source", "tool 1"]);
        assert!(!made.is_there());
        std::fs::write(&path, "component").unwrap();
        assert!(!made.is_there(), "nobody said what it is made of");
        made.remember().unwrap();
        assert!(made.is_there());
        for other in [made_of(["source", "tool 2"]), made_of(["sourcet", "ool 1"])] {
            assert!(!other.is_there());
        }
        std::fs::write(&path, "half").unwrap();
        assert!(!made.is_there());
        std::fs::write(&path, "component").unwrap();
        assert!(made.is_there());
        made.forget().unwrap();
        assert!(!made.is_there());
        made.forget().unwrap();
    }
}
