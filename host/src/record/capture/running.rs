//! One capture while it runs: what the traffic's threads put in, within bounds, and what is told of it.

use super::asked::{Asked, Wanted};
use crate::flow::mailbox::{Mailbox, PushError, Room};
use crate::flow::{Recorded, Recorder, Subject};
use crate::ledger::{Hop, Passage, Reason};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// How a capture does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaptureState {
    /// It takes what goes by.
    Running,
    /// It was asked to end.
    Stopped,
    /// It has lasted as long as it was to.
    Done,
    /// It has as many bytes as it may.
    Full,
    /// Its file cannot be written; what it has by then can be read.
    Failed,
}

/// What is told of a capture.
#[derive(Clone, Debug, Serialize)]
pub struct CaptureStatus {
    /// Its name among those of this run of the host.
    pub id: String,
    /// Its file; of the ring, the one that is being written.
    pub file: PathBuf,
    /// How it does.
    pub state: CaptureState,
    /// Why it does not write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<String>,
    /// When it began, as RFC 3339 has it.
    pub began: String,
    /// Records in its file, or its files.
    pub records: u64,
    /// Those that it could not take.
    pub dropped: u64,
    /// What the file has by now.
    pub bytes: u64,
    /// The most that it may have.
    pub bytes_max: u64,
    /// What was asked for.
    #[serde(flatten)]
    pub asked: Asked,
}

/// What waits to be written, and its place in the queue.
pub(super) type Taken = ((Arc<Recorded>, Passage), Room);

/// A capture that runs, or has ended.
pub(super) struct Running {
    pub(super) id: String,
    pub(super) wanted: Wanted,
    pub(super) queue: Mailbox<(Arc<Recorded>, Passage)>,
    pub(super) records: AtomicU64,
    pub(super) bytes: Arc<AtomicU64>,
    pub(super) state: watch::Sender<CaptureState>,
    queue_bytes_max: usize,
    hop: Arc<Hop>,
    asked: Asked,
    began: jiff::Timestamp,
    dropped: AtomicU64,
    /// The file, and why it is not written.
    file: Mutex<(PathBuf, Option<String>)>,
}

impl Running {
    pub(super) fn new(
        id: String,
        asked: Asked,
        wanted: Wanted,
        (queue_messages_max, queue_bytes_max): (usize, usize),
        hop: Arc<Hop>,
    ) -> Self {
        Self {
            id,
            wanted,
            queue: Mailbox::new(queue_messages_max, queue_bytes_max),
            records: AtomicU64::new(0),
            bytes: Arc::default(),
            state: watch::channel(CaptureState::Running).0,
            queue_bytes_max,
            hop,
            asked,
            began: jiff::Timestamp::now(),
            dropped: AtomicU64::new(0),
            file: Mutex::default(),
        }
    }

    pub(super) fn status(&self) -> CaptureStatus {
        let (file, obstacle) = self.file().clone();
        CaptureStatus {
            id: self.id.clone(),
            file,
            state: *self.state.borrow(),
            obstacle,
            began: self.began.to_string(),
            records: self.records.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            bytes_max: self.wanted.bytes_max,
            // The bound that is in force stands beside it.
            asked: Asked { bytes_max: None, ..self.asked.clone() },
        }
    }

    pub(super) fn is_running(&self) -> bool {
        *self.state.borrow() == CaptureState::Running
    }

    /// It writes this file now.
    pub(super) fn writes(&self, file: PathBuf) {
        *self.file() = (file, None);
    }

    /// It does not write, for this reason.
    pub(super) fn writes_nothing(&self, obstacle: String) {
        self.file().1 = Some(obstacle);
    }

    /// What was taken in is not in the file.
    pub(super) fn drop_one(&self, passage: Passage, reason: Reason) {
        passage.dropped(reason);
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    fn file(&self) -> MutexGuard<'_, (PathBuf, Option<String>)> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse(&self, reason: Reason) {
        self.hop.refuse(reason);
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl Recorder for Running {
    fn wants(&self, subject: &Subject<'_>) -> bool {
        self.wanted.has(subject)
    }

    fn record(&self, recorded: &Arc<Recorded>) {
        let bytes = recorded.bytes();
        if bytes > self.queue_bytes_max {
            return self.refuse(Reason::TooLarge);
        }
        match self.queue.push(bytes, || (Arc::clone(recorded), self.hop.enter())) {
            // It has ended, and this came after the end.
            Ok(()) | Err(PushError::Closed) => {}
            Err(PushError::TooManyItems | PushError::TooManyBytes) => self.refuse(Reason::QueueFull),
        }
    }
}
