//! Reads letters back, the oldest first, over all files of a rotation.

use super::letter::Letter;
use super::letter_file::numbered;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// A line that is no letter: `FILE:LINE: why`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: no letter: {cause}", .file.display())]
pub struct Broken {
    file: PathBuf,
    line: usize,
    cause: String,
}

/// Passes each letter of `file` and of the rotated files before it to `found`. Empty lines are skipped.
///
/// # Errors
/// When there is no file, or one of them cannot be read; names it.
pub fn read(file: &Path, mut found: impl FnMut(Result<Letter, Broken>)) -> io::Result<()> {
    let files = files(file)?;
    if files.is_empty() {
        return Err(named(file, &io::ErrorKind::NotFound.into()));
    }
    for file in files {
        let lines = BufReader::new(File::open(&file).map_err(|error| named(&file, &error))?).split(b'\n');
        for (index, line) in lines.enumerate() {
            let line = line.map_err(|error| named(&file, &error))?;
            if !line.is_empty() {
                let letter = serde_json::from_slice(&line);
                found(letter.map_err(|error| Broken { file: file.clone(), line: index + 1, cause: error.to_string() }));
            }
        }
    }
    Ok(())
}

/// The files that are there, the oldest first.
fn files(file: &Path) -> io::Result<Vec<PathBuf>> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prefix = file.file_name().map(|name| format!("{}.", name.to_string_lossy())).unwrap_or_default();
    let mut numbers: Vec<usize> = std::fs::read_dir(directory)
        .map_err(|error| named(directory, &error))?
        .filter_map(|entry| entry.ok()?.file_name().to_string_lossy().strip_prefix(&prefix)?.parse().ok())
        .collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    let mut files: Vec<_> = numbers.into_iter().map(|number| numbered(file, number)).collect();
    if file.exists() {
        files.push(file.to_owned());
    }
    Ok(files)
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("reading {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        std::fs::write(&path, format!("{{\"id\":\n\n{}", letter("newest"))).unwrap();
        let (mut ids, mut broken) = (Vec::new(), Vec::new());
        read(&path, |letter| match letter {
            Ok(letter) => ids.push(letter.id),
            Err(error) => broken.push(error.to_string()),
        })
        .unwrap();
        assert_eq!(ids, ["oldest", "older", "newest"]);
        assert_eq!(broken.len(), 1);
        assert!(broken[0].starts_with(&format!("{}:1: no letter: EOF", path.display())), "{broken:?}");
        assert_eq!(read(&directory.path().join("none"), |_| {}).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
