//! Lists of letters, as they are chosen and as far as they were dealt with.

use super::filter::Filter;
use super::letter::Letter;
use super::mark::{Mark, Replay};
use super::reader::{Broken, Line, lines};
use super::summary::Summary;
use serde::Deserialize;
use std::collections::HashMap;
use std::io;
use std::path::Path;

/// The latest mark of each letter.
#[derive(Debug, Default)]
pub struct Marks(HashMap<String, (Replay, String)>);

impl Marks {
    /// Reads all marks of `file` and of the rotated files before it.
    ///
    /// # Errors
    /// When there is no file, or one of them cannot be read; names it.
    pub fn read(file: &Path) -> io::Result<Self> {
        let mut marks = HashMap::new();
        lines(file, |line| {
            // A broken one is told of by whoever reads the letters.
            if let Some(Ok(Mark { replay, id, time })) = line.mark() {
                marks.insert(id, (replay, time));
            }
            true
        })?;
        Ok(Self(marks))
    }

    /// How far the last replay of a letter got.
    pub fn of(&self, id: &str) -> Option<Replay> {
        self.0.get(id).map(|(replay, _)| *replay)
    }
}

/// Passes what `filter` chooses of `file` and of the rotated files before it to `found`, the oldest first; a line that
/// is neither letter nor mark to `broken`.
///
/// # Errors
/// When there is no file, or one of them cannot be read; names it.
pub fn list(
    file: &Path,
    filter: &Filter,
    broken: impl FnMut(Broken),
    mut found: impl FnMut(Summary),
) -> io::Result<()> {
    summaries(file, broken, |letter, line| {
        if filter.matches(&letter, || topic_of(line)) {
            found(letter);
        }
    })
}

/// Passes each letter to `found`, with its line.
pub(super) fn summaries(
    file: &Path,
    mut broken: impl FnMut(Broken),
    mut found: impl FnMut(Summary, &Line<'_>),
) -> io::Result<()> {
    let Marks(marks) = Marks::read(file)?;
    lines(file, |line| {
        match summary(&line) {
            None => {}
            Some(Ok(mut letter)) => {
                if let Some((replay, time)) = marks.get(&letter.id) {
                    (letter.replay, letter.replayed_at) = (Some(*replay), Some(time.clone()));
                }
                found(letter, &line);
            }
            Some(Err(error)) => broken(error),
        }
        true
    })
}

/// None of a mark that is whole.
fn summary(line: &Line<'_>) -> Option<Result<Summary, Broken>> {
    match line.mark() {
        None => Some(line.parse()),
        Some(mark) => mark.err().map(Err),
    }
}

/// The topic of a letter, which only the whole of it has.
pub(super) fn topic_of(line: &Line<'_>) -> Option<Vec<u8>> {
    line.parse::<Letter>().ok()?.input.topic().map(Vec::from)
}

/// Hands on all letters of these ids, whole, in the order of the file.
///
/// # Errors
/// When there is no file, or one of them cannot be read; names it.
pub fn letters(
    file: &Path,
    is_wanted: impl Fn(&str) -> bool,
    mut broken: impl FnMut(Broken),
    mut found: impl FnMut(Letter),
) -> io::Result<()> {
    /// Reading a letter for its id alone spares decoding its body.
    #[derive(Deserialize)]
    struct Id {
        id: String,
    }
    lines(file, |line| {
        let Some(letter) = line.mark().is_none().then(|| line.parse::<Id>()) else { return true };
        match letter.and_then(|Id { id }| is_wanted(&id).then(|| line.parse()).transpose()) {
            Ok(letter) => letter.into_iter().for_each(&mut found),
            Err(error) => broken(error),
        }
        true
    })
}

/// Hands on all letters, whole, in the order of the file, and what is no letter, until `found` says that it is enough.
///
/// # Errors
/// When there is no file, or one of them cannot be read; names it.
pub fn letters_until(file: &Path, mut found: impl FnMut(Result<Letter, Broken>) -> bool) -> io::Result<()> {
    lines(file, |line| line.mark().is_some() || found(line.parse()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, time: u32, body: &str) -> String {
        format!(
            concat!(
                r#"{{"id":"{}","time":"2026-11-24T08:52:40.{:03}Z","hop":"reply","route":"p","reason":"unroutable","error":"","#,
                r#""seed":{{"value":1,"fixed":true}},"number":1,"reply":{{"identity_base64":"","frames_base64":["{}"]}}}}"#,
                "\n"
            ),
            id, time, body
        )
    }

    #[test]
    fn marks_are_no_letters_and_what_is_broken_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("letters");
        let text = line("a", 1, "") + "{\"replay\":1}\n" + &line("b", 2, "not base64");
        std::fs::write(&file, text).unwrap();
        Mark::now(Replay::Begun, "a").append(&file).unwrap();
        let (mut found, mut broken) = (Vec::new(), Vec::new());
        list(&file, &Filter::default(), |error| broken.push(error.to_string()), |letter| found.push(letter)).unwrap();
        assert_eq!((found.len(), found[0].replay, found[1].replay), (2, Some(Replay::Begun), None));
        assert!(broken.len() == 1 && broken[0].contains(":2: "), "{broken:?}");

        let (mut found, mut broken) = (Vec::new(), Vec::new());
        letters(&file, |id| id == "a", |error| broken.push(error), |letter| found.push(letter)).unwrap();
        assert_eq!((found.len(), broken.len()), (1, 0), "what is not wanted is not looked at");
        letters(&file, |id| id == "b", |error| broken.push(error), |letter| found.push(letter)).unwrap();
        assert_eq!((found.len(), broken.len()), (1, 1));
    }
}
