//! What is in a file of captured traffic, one after another, whichever kind of file it is.

use super::entry::Entry;
use super::kind::{TrafficError, TrafficKind};
use crate::record::capture::{CaptureError, CaptureFile, Lost};
use crate::record::choice::Choice;
use crate::record::dead_letters::{Letter, LetterSeed, letters_until};
use crate::system::output::note;
use std::io;
use std::path::Path;

/// How many lines that cannot be read are told of one by one.
const BROKEN_TOLD_MAX: u64 = 10;

/// Why a file cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is none of captured traffic.
    #[error(transparent)]
    Traffic(#[from] TrafficError),
    /// A capture.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// Dead letters.
    #[error(transparent)]
    Letters(#[from] io::Error),
}

/// Hands on what is chosen of a file, in its order, until `found` says that it is enough; none for what cannot be read, but for
/// what was cut off at the end of a capture. Returns what of a capture could not be read.
///
/// # Errors
/// When the file cannot be read, or is none of captured traffic.
pub fn each_entry(
    file: &Path,
    choice: &Choice,
    mut found: impl FnMut(Option<Entry>) -> bool,
) -> Result<Lost, ReadError> {
    match TrafficKind::of(file)? {
        TrafficKind::DeadLetters => {
            each_letter_until(file, |_, letter| match letter.map(Entry::from) {
                Some(entry) => !entry.captured.is_chosen_by(choice) || found(Some(entry)),
                None => found(None),
            })?;
            Ok(Lost::default())
        }
        TrafficKind::Capture => {
            let mut records = CaptureFile::open(file)?.records(choice.clone());
            while let Some(captured) = records.next() {
                if !found(Some(captured?.into())) {
                    return Ok(records.lost());
                }
            }
            let lost = records.lost();
            for _ in 0..lost.chunks.saturating_add(lost.records) {
                if !found(None) {
                    break;
                }
            }
            Ok(lost)
        }
    }
}

/// Where the random numbers of the calls in a file came from: of dead letters, which may be of several runs of a host, the first
/// one's. None if there is no letter.
///
/// # Errors
/// When the file cannot be read, or is none of captured traffic.
pub fn seed_of(file: &Path) -> Result<Option<LetterSeed>, ReadError> {
    if TrafficKind::of(file)? == TrafficKind::Capture {
        let file = CaptureFile::open(file)?;
        return Ok(Some(LetterSeed { value: file.about().seed, fixed: file.about().seed_fixed }));
    }
    let mut seed = None;
    // Whoever reads the letters tells of what is broken.
    letters_until(file, |letter| {
        seed = letter.ok().map(|letter| letter.seed);
        seed.is_none()
    })?;
    Ok(seed)
}

/// Hands on each letter of a file and of the rotated ones before it, with its place among them, from 1; none for a line that
/// cannot be read, of which the first ones are told on stderr.
///
/// # Errors
/// When the files cannot be read.
pub fn each_letter(file: &Path, mut found: impl FnMut(u64, Option<Letter>)) -> io::Result<()> {
    each_letter_until(file, |number, letter| {
        found(number, letter);
        true
    })
}

/// As [`each_letter`], until `found` says that it is enough.
fn each_letter_until(file: &Path, mut found: impl FnMut(u64, Option<Letter>) -> bool) -> io::Result<()> {
    let (mut number, mut broken) = (0, 0);
    letters_until(file, |letter| {
        number += 1;
        if let Err(error) = &letter {
            broken += 1;
            if broken <= BROKEN_TOLD_MAX {
                note(format_args!("{error}; skipped"));
            }
        }
        found(number, letter.ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::capture::record::Record;
    use crate::record::capture::{About, CaptureWriter, Channel, PlaceKind};
    use crate::record::choice::Moment;
    use std::path::PathBuf;
    use std::sync::Arc;

    /// A capture of so many messages, a nanosecond from one to the next but for their order, in several chunks.
    fn written(directory: &Path, count: u64) -> PathBuf {
        let (file, about) = (directory.join("c.mcap"), About { seed: 7, ..About::default() });
        let opened = std::fs::File::create(&file).unwrap();
        let mut writer = CaptureWriter::new(opened, &about, Arc::default(), 1 << 30).unwrap();
        let channel = Channel { kind: PlaceKind::Flow, name: "f".to_owned(), topic: None };
        let mut state = 1_u64;
        for number in 0..count {
            // Bytes that do not compress; and calls end in another order than the one in which messages came in.
            let mut noise = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            };
            let body: Vec<u8> = (0..4_096).map(|_| noise()).collect();
            let record = Record { frames: vec![body.into()], metadata: Vec::new(), call: None };
            writer.write(&channel, number ^ 1, &record).unwrap();
        }
        writer.finish().unwrap();
        file
    }

    fn times(file: &Path, choice: &Choice) -> Vec<u64> {
        let mut times = Vec::new();
        each_entry(file, choice, |entry| {
            times.extend(entry.map(|entry| entry.captured.time));
            true
        })
        .unwrap();
        times
    }

    #[test]
    fn a_time_is_found_with_an_index_as_without_one() {
        let directory = tempfile::tempdir().unwrap();
        let file = written(directory.path(), 1_000);
        let at = |nanos: i128| Some(Moment(jiff::Timestamp::from_nanosecond(nanos).unwrap()));
        let choices =
            [(None, None), (at(501), None), (None, at(3)), (at(300), at(701)), (at(1_000), None), (None, at(0))];
        let choices = choices.map(|(since, until)| Choice { since, until, ..Choice::default() });
        let found = choices.each_ref().map(|choice| times(&file, choice));
        assert_eq!(found.each_ref().map(Vec::len), [1_000, 499, 3, 401, 0, 0]);
        // Without its end it has no index.
        let bytes = std::fs::read(&file).unwrap();
        std::fs::write(&file, &bytes[..bytes.len() - 10]).unwrap();
        assert_eq!(choices.each_ref().map(|choice| times(&file, choice)), found);
        let mut first = None;
        each_entry(&file, &Choice::default(), |entry| {
            assert!(first.is_none(), "nobody wants more");
            first = entry;
            false
        })
        .unwrap();
        assert_eq!(first.unwrap().captured.time, 1);
        assert_eq!(seed_of(&file).unwrap().map(|seed| seed.value), Some(7));
    }

    #[test]
    fn letters_are_read_until_it_is_enough_and_the_first_has_the_seed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("letters");
        let letter = |seed: u64| {
            format!(
                concat!(
                    r#"{{"id":"{0}","time":"2026-11-24T08:52:40.000Z","hop":"transform","route":"p","reason":"failed","error":"","#,
                    r#""seed":{{"value":{0},"fixed":false}},"number":1,"message":{{"topic":"","metadata":[],"body_base64":""}}}}"#,
                    "\n"
                ),
                seed
            )
        };
        std::fs::write(&file, "{broken\n".to_owned() + &letter(8) + &letter(9)).unwrap();
        assert_eq!(seed_of(&file).unwrap().map(|seed| seed.value), Some(8));
        let (mut found, mut broken) = (Vec::new(), 0);
        each_entry(&file, &Choice::default(), |entry| match entry.and_then(|entry| entry.letter) {
            Some(letter) => {
                found.push(letter.id);
                false
            }
            None => {
                broken += 1;
                true
            }
        })
        .unwrap();
        assert_eq!((found, broken), (vec!["8".to_owned()], 1));
        std::fs::write(&file, "{broken\n").unwrap();
        assert_eq!(seed_of(&file).unwrap(), None);
    }
}
