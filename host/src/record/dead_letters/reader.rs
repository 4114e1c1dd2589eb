//! Reads letters and marks back, the oldest first, over all files of a rotation.

use super::letter_file::numbered;
use super::mark::{self, Mark};
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A line that is no letter: `FILE:LINE: why`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: no letter: {cause}", .file.display())]
pub struct Broken {
    file: PathBuf,
    line: usize,
    cause: String,
}

/// A line of a file, and where it is.
pub(super) struct Line<'a> {
    file: &'a Path,
    number: usize,
    text: &'a [u8],
}

impl Line<'_> {
    /// The mark that it is; none if it is none, which still may be no letter.
    pub(super) fn mark(&self) -> Option<Result<Mark, Broken>> {
        self.text.starts_with(mark::START).then(|| self.parse())
    }

    /// What it holds.
    ///
    /// # Errors
    /// When it holds no such thing.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Broken> {
        serde_json::from_slice(self.text).map_err(|error| Broken {
            file: self.file.to_owned(),
            line: self.number,
            cause: error.to_string(),
        })
    }
}

/// Passes each line of `file` and of the rotated files before it to `each`, until that says that it is enough. Empty lines are
/// skipped.
///
/// # Errors
/// When there is no file, or one of them cannot be read; names it.
pub(super) fn lines(file: &Path, mut each: impl FnMut(Line<'_>) -> bool) -> io::Result<()> {
    for (path, file) in open(file)? {
        for (index, text) in BufReader::new(file).split(b'\n').enumerate() {
            let text = text.map_err(|error| named(&path, &error))?;
            if !text.is_empty() && !each(Line { file: &path, number: index + 1, text: &text }) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Opens the files that are there; returns the oldest first.
///
/// They are opened in the other order, and one more than there seem to be. So if the host rotates them meanwhile, one
/// may be met twice, which is seen, and none is missed.
fn open(file: &Path) -> io::Result<Vec<(PathBuf, File)>> {
    let (mut opened, mut known) = (Vec::new(), Vec::new());
    let mut open = |path: PathBuf| match File::open(&path) {
        Ok(file) => {
            let metadata = file.metadata().map_err(|error| named(&path, &error))?;
            let identity = (metadata.dev(), metadata.ino());
            if !known.contains(&identity) {
                known.push(identity);
                opened.push((path, file));
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(named(&path, &error)),
    };
    open(file.to_owned())?;
    let mut numbers = rotated(file)?;
    numbers.extend(numbers.last().map_or(Some(1), |last| last.checked_add(1)));
    for number in numbers {
        open(numbered(file, number))?;
    }
    if opened.is_empty() {
        return Err(named(file, &io::ErrorKind::NotFound.into()));
    }
    opened.reverse();
    Ok(opened)
}

/// The numbers of the rotated files, the newest first.
fn rotated(file: &Path) -> io::Result<Vec<usize>> {
    let directory = super::directory_of(file);
    let prefix = file.file_name().map(|name| format!("{}.", name.to_string_lossy())).unwrap_or_default();
    let mut numbers: Vec<usize> = std::fs::read_dir(directory)
        .map_err(|error| named(directory, &error))?
        .filter_map(|entry| entry.ok()?.file_name().to_string_lossy().strip_prefix(&prefix)?.parse().ok())
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("reading {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::dead_letters::Letter;

    #[test]
    fn a_broken_line_is_named_and_the_rest_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("letters");
        let letter = |id: &str| {
            format!(
                r#"{{"id":"{id}","time":"","hop":"reply","route":"p","reason":"unroutable","error":"",
                "seed":{{"value":1,"fixed":true}},"number":1,"reply":{{"identity_base64":"","frames_base64":[]}}}}"#
            )
            .replace('\n', "")
                + "\n"
        };
        std::fs::write(numbered(&path, 10), letter("oldest")).unwrap();
        std::fs::write(numbered(&path, 9), letter("older")).unwrap();
        // The same file under another name, as in the midst of a rotation.
        std::fs::hard_link(numbered(&path, 10), numbered(&path, 11)).unwrap();
        std::fs::write(&path, format!("{{\"id\":\n\n{}", letter("newest"))).unwrap();
        let (mut ids, mut broken) = (Vec::new(), Vec::new());
        lines(&path, |line| {
            match line.parse::<Letter>() {
                Ok(letter) => ids.push(letter.id),
                Err(error) => broken.push(error.to_string()),
            }
            true
        })
        .unwrap();
        assert_eq!(ids, ["oldest", "older", "newest"]);
        assert_eq!(broken.len(), 1);
        assert!(broken[0].starts_with(&format!("{}:1: no letter: EOF", path.display())), "{broken:?}");
        assert_eq!(lines(&directory.path().join("none"), |_| true).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
