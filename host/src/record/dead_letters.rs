//! Dead letters: messages whose call failed and replies that could not be sent, written to a file to be replayed from.
//!
//! [`DeadLetters`] takes them in without ever waiting; a thread of its own appends them to the file as JSON lines. What
//! it cannot take or write is counted in the ledger's hop `dead-letter`, and logged once a minute.

mod filter;
mod letter;
mod letter_file;
mod listing;
mod mark;
mod paging;
mod reader;
mod replay_lock;
mod summary;

pub use filter::{DealtWith, Filter};
pub use letter::{Base64, By, Input, Letter, LetterHop, LetterSeed, NewLetter, REQUEST_ID};
pub use listing::{Marks, letters, letters_until, list};
pub use mark::{Mark, Replay};
pub use paging::{Cursor, Order, Page, page};
pub use reader::Broken;
pub use replay_lock::ReplayLock;
pub use summary::Summary;

use crate::flow::mailbox::{Mailbox, PushError};
use crate::ledger::{Hop, Passage, Reason};
use crate::log_limit::LogLimit;
use crate::system::fail_point::is_to_fail;
use crate::system::supervisor::Supervisor;
use letter_file::LetterFile;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The name of the writer's thread.
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
    /// Their bytes in memory.
    pub queue_bytes_max: usize,
    /// The seed of this host's deterministic random numbers, which is written into every letter.
    pub seed: LetterSeed,
}

/// Takes in letters. Cheap to clone; the default one takes none.
#[derive(Clone, Debug, Default)]
pub struct DeadLetters(Option<Arc<LetterQueue>>);

#[derive(Debug)]
struct LetterQueue {
    file: PathBuf,
    hop: Arc<Hop>,
    seed: LetterSeed,
    lines: Mailbox<Queued>,
    queue_bytes_max: usize,
    full_log_limit: Mutex<LogLimit>,
    /// Disconnected when the writer has ended, whether it returned or panicked.
    ended: Mutex<Receiver<()>>,
}

/// What waits to be written.
#[derive(Debug)]
enum Queued {
    Letter { letter: Box<NewLetter>, time: jiff::Timestamp, passage: Passage },
    Mark { mark: Mark, written: oneshot::Sender<Result<(), String>> },
}

/// About how much a mark takes in memory.
const MARK_BYTES: usize = 512;

/// The directory that a file is in.
fn directory_of(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl DeadLetters {
    /// Starts the writer. The file is opened when there is something to write.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(settings: DeadLetterSettings, hop: Arc<Hop>, supervisor: &Supervisor) -> std::io::Result<Self> {
        let (end, ended) = mpsc::channel();
        let queue = Arc::new(LetterQueue {
            file: settings.file.clone(),
            hop,
            seed: settings.seed,
            lines: Mailbox::new(settings.queue_letters_max, settings.queue_bytes_max),
            queue_bytes_max: settings.queue_bytes_max,
            full_log_limit: Mutex::default(),
            ended: Mutex::new(ended),
        });
        let file = LetterFile::new(settings.file, settings.bytes_max, settings.files_max);
        let writer = Arc::clone(&queue);
        supervisor.thread(PART, move || {
            let _end = end;
            writer.write(&file)
        })?;
        Ok(Self(Some(queue)))
    }

    /// Queues a letter. Never waits: a letter for which there is no room is dropped and counted.
    pub fn write(&self, letter: NewLetter) {
        let Some(queue) = &self.0 else { return };
        let bytes = letter.bytes();
        let queued =
            || Queued::Letter { letter: Box::new(letter), time: jiff::Timestamp::now(), passage: queue.hop.enter() };
        let taken = match bytes > queue.queue_bytes_max {
            true => Err(PushError::TooManyBytes),
            false => queue.lines.push(bytes, queued),
        };
        if let Err(error) = taken {
            queue.refuse(error);
        }
    }

    /// The file that letters are written to; none where there are none.
    pub fn file(&self) -> Option<&Path> {
        self.0.as_ref().map(|queue| &*queue.file)
    }

    /// Writes what became of a letter that was replayed, behind all that is queued. It is no letter, and counts as none.
    ///
    /// # Errors
    /// When it cannot be written, or there are no dead letters; says why.
    pub async fn mark(&self, mark: Mark) -> Result<(), String> {
        let Some(queue) = &self.0 else { return Err("this host writes no dead letters".to_owned()) };
        let (written, result) = oneshot::channel();
        let queued = queue.lines.push(MARK_BYTES, || Queued::Mark { mark, written });
        queued.map_err(|error| match error {
            PushError::Closed => "the host ends".to_owned(),
            PushError::TooManyItems | PushError::TooManyBytes => "as many letters as may wait to be written".to_owned(),
        })?;
        result.await.unwrap_or_else(|_| Err("the writer of dead letters has ended".to_owned()))
    }

    /// Takes in no more letters, and waits up to `wait` until the queued ones are written. The others are dropped,
    /// which the ledger counts as abandoned.
    pub fn close(&self, wait: Duration) {
        if let Some(queue) = &self.0 {
            queue.lines.close();
            let _ended = queue.ended.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(wait);
            queue.lines.take_all(&mut VecDeque::new());
        }
    }
}

impl LetterQueue {
    fn refuse(&self, error: PushError) {
        match error {
            // A letter that comes after the end is abandoned, as is the message in it.
            PushError::Closed => self.hop.refuse(Reason::Abandoned),
            PushError::TooManyItems | PushError::TooManyBytes => {
                self.hop.refuse(Reason::LettersFull);
                let mut full = self.full_log_limit.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(lost) = full.note(Instant::now()) {
                    tracing::error!(lost, "dead letters are lost: more wait to be written than may");
                }
            }
        }
    }

    /// Writes letters until the queue is closed and empty.
    fn write(&self, file: &LetterFile) -> Result<(), String> {
        let mut log_limit = LogLimit::default();
        while let Some((queued, _room)) = self.lines.take() {
            if is_to_fail(PART) {
                return Err("a test has asked for it".to_owned());
            }
            match queued {
                Queued::Letter { letter, time, passage } => {
                    match file.append(&Letter::new(*letter, time, self.seed).into_line()) {
                        Ok(()) => passage.out(),
                        Err(error) => {
                            passage.dropped(error.reason());
                            if let Some(lost) = log_limit.note(Instant::now()) {
                                tracing::error!(lost, %error, "dead letters are lost");
                            }
                        }
                    }
                }
                Queued::Mark { mark, written } => {
                    // Whoever asked for it may have gone.
                    let _ = written.send(file.append(&mark.line()).map_err(|error| error.to_string()));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(id: &str, body: &[u8]) -> NewLetter {
        NewLetter {
            id: id.to_owned(),
            route: "trap".to_owned(),
            reason: Reason::Trapped,
            error: "the plugin trapped".to_owned(),
            by: None,
            met: None,
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
        letters.write(letter("a", b"\xff\0"));
        letters.write(letter("b", b""));
        letters.close(Duration::from_secs(60));
        letters.write(letter("late", b""));

        let mut found = Vec::new();
        super::letters(&file, |_| true, |broken| panic!("{broken}"), |letter| found.push(letter)).unwrap();
        let ids: Vec<_> = found.iter().map(|letter| letter.id.as_str()).collect();
        assert_eq!(ids, ["a", "b"]);
        assert_eq!(found[0].input, letter("a", b"\xff\0").input);
        assert_eq!((found[0].seed, found[0].reason.as_str()), (LetterSeed { value: 7, fixed: true }, "trapped"));
        let counts = hop.figures();
        assert_eq!((counts.out, counts.dropped(Reason::Abandoned), counts.in_flight), (2, 1, 0));
    }

    #[test]
    fn what_cannot_be_written_or_is_too_large_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let hop = Arc::new(Hop::default());
        // A directory is no file.
        let letters =
            DeadLetters::start(settings(directory.path().to_owned()), Arc::clone(&hop), &Supervisor::default())
                .unwrap();
        letters.write(letter("a", b""));
        letters.write(letter("b", &vec![0; 2 << 20]));
        letters.write(letter("c", &vec![0; 900 << 10]));
        letters.close(Duration::from_secs(60));
        let counts = hop.figures();
        let dropped = [Reason::WriteFailed, Reason::LettersFull, Reason::TooLarge].map(|reason| counts.dropped(reason));
        assert_eq!((dropped, counts.balanced()), ([1, 1, 1], true));
    }
}
