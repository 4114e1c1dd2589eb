//! The thread of a capture: takes what waits, and writes it before it is a second old.

use super::convert::converted;
use super::file::{CaptureWriter, WriteError};
use super::files::Files;
use super::running::{CaptureState, Running};
use crate::config::{CAPTURE_FLUSH_MS, CAPTURE_RING_RETRY_MS};
use crate::flow::Recorded;
use crate::ledger::{Passage, Reason};
use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

const FLUSH: Duration = Duration::from_millis(CAPTURE_FLUSH_MS);
const RETRY: Duration = Duration::from_millis(CAPTURE_RING_RETRY_MS);
/// How long nothing is looked at where nothing is due.
const IDLE: Duration = Duration::from_secs(60);

/// What the thread owns.
pub(super) struct Writing {
    running: Arc<Running>,
    files: Files,
    /// None of a ring whose file could not be written.
    writer: Option<CaptureWriter<File>>,
    /// Those of the records that wait for their chunk to be written.
    waiting: Vec<Passage>,
    /// When the chunk is to be written, if anything waits for it.
    flush_at: Option<Instant>,
    /// When the capture ends, or the ring goes on with the next file.
    file_ends_at: Option<Instant>,
}

impl Writing {
    /// With its first file open.
    pub(super) fn new(running: Arc<Running>, files: Files, writer: CaptureWriter<File>, now: Instant) -> Self {
        let file_ends_at = files.lasts(running.wanted.lasts).and_then(|lasts| now.checked_add(lasts));
        Self { running, files, writer: Some(writer), waiting: Vec::new(), flush_at: None, file_ends_at }
    }

    /// Writes until the capture ends.
    pub(super) fn run(mut self) {
        let mut end = CaptureState::Stopped;
        loop {
            let deadline = [self.flush_at, self.file_ends_at].into_iter().flatten().min();
            match self.running.queue.take_until(deadline.unwrap_or_else(|| Instant::now() + IDLE)) {
                Poll::Ready(Some(((recorded, passage), _room))) => {
                    if let Err(state) = self.write(&recorded, passage) {
                        end = state;
                        break;
                    }
                }
                Poll::Ready(None) => break,
                Poll::Pending => {}
            }
            if let Err(state) = self.attend(Instant::now(), &mut end) {
                end = state;
                break;
            }
        }
        self.end(end);
    }

    /// Does what is due.
    fn attend(&mut self, now: Instant, end: &mut CaptureState) -> Result<(), CaptureState> {
        if self.flush_at.is_some_and(|due| now >= due) {
            let flushed = self.flush();
            self.settle(flushed)?;
        }
        if self.file_ends_at.is_some_and(|due| now >= due) {
            if self.files.is_ring() {
                return self.turn();
            }
            // What was taken in before this is still written.
            *end = CaptureState::Done;
            self.file_ends_at = None;
            self.running.queue.close();
        }
        Ok(())
    }

    /// Adds a record to the file.
    fn write(&mut self, recorded: &Recorded, passage: Passage) -> Result<(), CaptureState> {
        let (channel, time, record) = converted(recorded, &self.running.wanted);
        for is_again in [false, true] {
            let Some(writer) = &mut self.writer else { break };
            match writer.write(&channel, time, &record) {
                Ok(()) => {
                    self.waiting.push(passage);
                    self.flush_at.get_or_insert_with(|| Instant::now() + FLUSH);
                    return Ok(());
                }
                Err(WriteError::TooLarge(_)) => {
                    self.running.drop_one(passage, Reason::TooLarge);
                    return Ok(());
                }
                Err(WriteError::Full) if self.files.is_ring() && !is_again => self.turn()?,
                Err(WriteError::Full) => {
                    self.running.drop_one(passage, Reason::FileFull);
                    return if self.files.is_ring() { Ok(()) } else { Err(CaptureState::Full) };
                }
                Err(error) => {
                    self.running.drop_one(passage, Reason::WriteFailed);
                    return self.settle(Err(error));
                }
            }
        }
        self.running.drop_one(passage, Reason::WriteFailed);
        Ok(())
    }

    /// Writes the chunk. What waited for it is in the file then, or lost.
    fn flush(&mut self) -> Result<(), WriteError> {
        self.flush_at = None;
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let flushed = writer.flush();
        if flushed.is_ok() {
            self.count();
        }
        flushed
    }

    fn count(&mut self) {
        self.running.records.fetch_add(self.waiting.len() as u64, Ordering::Relaxed);
        self.waiting.drain(..).for_each(Passage::out);
    }

    /// A file that cannot be written ends a capture; a ring is begun anew later.
    fn settle(&mut self, written: Result<(), WriteError>) -> Result<(), CaptureState> {
        let Err(error) = written else { return Ok(()) };
        let obstacle = format!("{}: {error}", self.files.current().display());
        tracing::error!(capture = self.running.id, "a capture is not written: {obstacle}");
        self.running.writes_nothing(obstacle);
        self.writer = None;
        self.flush_at = None;
        for passage in self.waiting.drain(..) {
            self.running.drop_one(passage, Reason::WriteFailed);
        }
        if !self.files.is_ring() {
            return Err(CaptureState::Failed);
        }
        self.file_ends_at = Some(Instant::now() + RETRY);
        Ok(())
    }

    /// Goes on with the next file of the ring.
    fn turn(&mut self) -> Result<(), CaptureState> {
        let finished = self.finish();
        self.settle(finished)?;
        match self.files.next(&self.running.bytes, self.running.wanted.bytes_max) {
            Ok(writer) => {
                self.writer = Some(writer);
                self.running.writes(self.files.current().to_owned());
                self.file_ends_at = self.files.lasts(None).and_then(|lasts| Instant::now().checked_add(lasts));
                Ok(())
            }
            Err(error) => self.settle(Err(WriteError::Failed(error))),
        }
    }

    fn finish(&mut self) -> Result<(), WriteError> {
        self.flush_at = None;
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        writer.flush()?;
        self.count();
        writer.finish()
    }

    /// Ends the file, and says so.
    fn end(mut self, mut state: CaptureState) {
        self.running.queue.close();
        let finished = self.finish();
        if self.settle(finished).is_err() {
            state = CaptureState::Failed;
        }
        let reason = if state == CaptureState::Full { Reason::FileFull } else { Reason::WriteFailed };
        let mut left = VecDeque::new();
        self.running.queue.take_all(&mut left);
        for ((_, passage), _room) in left {
            self.running.drop_one(passage, reason);
        }
        tracing::info!(
            capture = self.running.id,
            file = %self.files.current().display(),
            records = self.running.records.load(Ordering::Relaxed),
            "a capture has ended: {state:?}"
        );
        self.running.state.send_replace(state);
    }
}

/// A writer that ends otherwise than it should is no longer said to run.
impl Drop for Writing {
    fn drop(&mut self) {
        self.running.queue.close();
        self.running.state.send_if_modified(|state| {
            let runs = *state == CaptureState::Running;
            if runs {
                *state = CaptureState::Failed;
            }
            runs
        });
    }
}
