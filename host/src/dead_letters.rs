//! Dead letters: what a plugin or a client kept from its end, written to a file from which it can be replayed.
//!
//! [`DeadLetters`] takes them in without ever waiting; a thread of its own appends them to the file as JSON lines. What
//! it cannot take or write is counted in the ledger's hop `dead-letter`, and logged once a minute.

mod letter;
mod letter_file;
mod reader;

pub use letter::{Base64, By, Input, Letter, LetterHop, LetterSeed, Lost};
pub use reader::{Broken, read};

use crate::flow::mailbox::{Mailbox, PushError};
use crate::ledger::{Hop, Passage, Reason};
use crate::log_limit::LogLimit;
use crate::system::fail_point::is_to_fail;
use crate::system::supervisor::Supervisor;
use letter_file::LetterFile;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the writer is called.
const PART: &str = "dead-letters";

/// Where letters are written, and the bounds.
#[derive(Clone, Debug)]
pub struct DeadLetterSettings {
    /// The file; the ones before it are `FILE.1`, `FILE.2`, … with the oldest last.
    pub file: PathBuf,
    /// Of one file.
    pub bytes_max: u64,
    /// Files in all.
    pub files_max: usize,
    /// Letters that wait to be written.
    pub queue_letters_max: usize,
    /// What those take of memory.
    pub queue_bytes_max: usize,
    /// Where the chance of this host's plugins comes from, which every letter tells.
    pub seed: LetterSeed,
}

/// Takes in letters. Cheap to clone; the default one takes none.
#[derive(Clone, Debug, Default)]
pub struct DeadLetters(Option<Arc<Office>>);

#[derive(Debug)]
struct Office {
    hop: Arc<Hop>,
    seed: LetterSeed,
    queue: Mailbox<Queued>,
    queue_bytes_max: usize,
    full: Mutex<LogLimit>,
    /// Disconnected when the writer has ended, however it does.
    ended: Mutex<Receiver<()>>,
}

#[derive(Debug)]
struct Queued {
    lost: Lost,
    time: jiff::Timestamp,
    passage: Passage,
}

impl DeadLetters {
    /// Starts the writer. The file is opened when there is something to write.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(settings: DeadLetterSettings, hop: Arc<Hop>, supervisor: &Supervisor) -> std::io::Result<Self> {
        let (end, ended) = mpsc::channel();
        let office = Arc::new(Office {
            hop,
            seed: settings.seed,
            queue: Mailbox::new(settings.queue_letters_max, settings.queue_bytes_max),
            queue_bytes_max: settings.queue_bytes_max,
            full: Mutex::default(),
            ended: Mutex::new(ended),
        });
        let file = LetterFile::new(settings.file, settings.bytes_max, settings.files_max);
        let writer = Arc::clone(&office);
        supervisor.thread(PART, move || {
            let _end = end;
            writer.write(&file)
        })?;
        Ok(Self(Some(office)))
    }

    /// Takes in what was lost. Never waits: what has no room is counted.
    pub fn write(&self, lost: Lost) {
        let Some(office) = &self.0 else { return };
        let bytes = lost.bytes();
        let queued = || Queued { lost, time: jiff::Timestamp::now(), passage: office.hop.enter() };
        let taken = match bytes > office.queue_bytes_max {
            true => Err(PushError::TooManyBytes),
            false => office.queue.push(bytes, queued),
        };
        if let Err(error) = taken {
            office.refuse(error);
        }
    }

    /// Writes what waits, for as long as `wait`, and takes in no more. What is not written by then is given up, which
    /// the ledger counts.
    pub fn close(&self, wait: Duration) {
        if let Some(office) = &self.0 {
            office.queue.close();
            let _ended = office.ended.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(wait);
            office.queue.take_all(&mut VecDeque::new());
        }
    }
}

impl Office {
    fn refuse(&self, error: PushError) {
        match error {
            // A letter that comes after the end is abandoned, as is the work that it tells of.
            PushError::Closed => self.hop.refuse(Reason::Abandoned),
            PushError::TooManyItems | PushError::TooManyBytes => {
                self.hop.refuse(Reason::LettersFull);
                let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(lost) = full.note(Instant::now()) {
                    tracing::error!(lost, "dead letters are lost: more wait to be written than may");
                }
            }
        }
    }

    /// Writes letters until the queue is closed and empty.
    fn write(&self, file: &LetterFile) -> Result<(), String> {
        let mut failed = LogLimit::default();
        while let Some((Queued { lost, time, passage }, _room)) = self.queue.take() {
            if is_to_fail(PART) {
                return Err("a test has asked for it".to_owned());
            }
            match file.append(&Letter::new(lost, time, self.seed).into_line()) {
                Ok(()) => passage.out(),
                Err(error) => {
                    passage.dropped(error.reason());
                    if let Some(lost) = failed.note(Instant::now()) {
                        tracing::error!(lost, %error, "dead letters are lost");
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(id: &str, body: &[u8]) -> Lost {
        Lost {
            id: id.to_owned(),
            route: "trap".to_owned(),
            reason: Reason::Trapped,
            error: "the plugin trapped".to_owned(),
            by: None,
            number: 1,
            input: Input::Message { topic: String::new(), metadata: vec![], body_base64: Base64(body.to_vec()) },
        }
    }

    fn settings(file: PathBuf) -> DeadLetterSettings {
        let seed = LetterSeed { value: 7, fixed: true };
        DeadLetterSettings {
            file,
            bytes_max: 1 << 20,
            files_max: 2,
            queue_letters_max: 10,
            queue_bytes_max: 1 << 20,
            seed,
        }
    }

    #[test]
    fn what_is_taken_in_is_written_by_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let (file, hop) = (directory.path().join("letters"), Arc::new(Hop::default()));
        let letters = DeadLetters::start(settings(file.clone()), Arc::clone(&hop), &Supervisor::default()).unwrap();
        assert!(!file.exists());
        letters.write(lost("a", b"\xff\0"));
        letters.write(lost("b", b""));
        letters.close(Duration::from_secs(60));
        letters.write(lost("late", b""));

        let mut found = Vec::new();
        read(&file, |letter| found.push(letter.unwrap())).unwrap();
        let ids: Vec<_> = found.iter().map(|letter| letter.id.as_str()).collect();
        assert_eq!(ids, ["a", "b"]);
        assert_eq!(found[0].input, lost("a", b"\xff\0").input);
        assert_eq!((found[0].seed, found[0].reason.as_str()), (LetterSeed { value: 7, fixed: true }, "trapped"));
        let figures = hop.figures();
        assert_eq!((figures.out, figures.dropped(Reason::Abandoned), figures.in_flight), (2, 1, 0));
    }

    #[test]
    fn what_cannot_be_written_or_is_too_large_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let hop = Arc::new(Hop::default());
        // A directory is no file.
        let letters =
            DeadLetters::start(settings(directory.path().to_owned()), Arc::clone(&hop), &Supervisor::default())
                .unwrap();
        letters.write(lost("a", b""));
        letters.write(lost("b", &vec![0; 2 << 20]));
        letters.write(lost("c", &vec![0; 900 << 10]));
        letters.close(Duration::from_secs(60));
        let figures = hop.figures();
        let dropped =
            [Reason::WriteFailed, Reason::LettersFull, Reason::TooLarge].map(|reason| figures.dropped(reason));
        assert_eq!((dropped, figures.balanced()), ([1, 1, 1], true));
    }
}
