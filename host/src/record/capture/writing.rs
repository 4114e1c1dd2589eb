//! The thread of a capture: takes what waits, and writes it before it is a second old.

use super::convert::converted;
use super::file::{CaptureWriter, WriteError};
use super::files::Files;
use super::running::{CaptureState, Running, Taken};
use crate::config::{CAPTURE_FLUSH_MS, CAPTURE_PAUSE_MS, CAPTURE_RING_RETRY_MS};
use crate::flow::Recorded;
use crate::ledger::{Passage, Reason};
use std::collections::VecDeque;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

const FLUSH: Duration = Duration::from_millis(CAPTURE_FLUSH_MS);
const RETRY: Duration = Duration::from_millis(CAPTURE_RING_RETRY_MS);
const PAUSE: Duration = Duration::from_millis(CAPTURE_PAUSE_MS);
/// How long nothing is looked at where nothing is due.
const IDLE: Duration = Duration::from_secs(60);

/// What the thread owns.
pub(super) struct Writing {
    running: Arc<Running>,
    files: Files,
    /// None of a ring whose file could not be written.
    writer: Option<CaptureWriter<File>>,
    /// What was taken from the queue, and is still to be written.
    taken: VecDeque<Taken>,
    /// Those of the records that wait for their chunk to be written.
    waiting: VecDeque<Passage>,
    /// Records in the current file.
    file_records: usize,
    /// When the chunk is to be written, if anything waits for it.
    flush_at: Option<Instant>,
    /// When the capture ends, or the ring goes on with the next file.
    file_ends_at: Option<Instant>,
}

/// Has a capture write, such that nothing that goes wrong there harms the host: the capture fails, and the log says so.
pub(super) fn guarded(capture: &str, write: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(write)).is_err() {
        tracing::error!(capture, "a capture has failed: its thread panicked; the host goes on");
    }
}

impl Writing {
    /// With its first file open.
    pub(super) fn new(running: Arc<Running>, files: Files, writer: CaptureWriter<File>, now: Instant) -> Self {
        let file_ends_at = files.lasts(running.wanted.lasts).and_then(|lasts| now.checked_add(lasts));
        let (taken, waiting, file_records, flush_at) = Default::default();
        Self { running, files, writer: Some(writer), taken, waiting, file_records, flush_at, file_ends_at }
    }

    /// Writes until the capture ends.
    pub(super) fn run(mut self) {
        let mut end = CaptureState::Stopped;
        while end == CaptureState::Stopped || end == CaptureState::Done {
            self.running.queue.take_all(&mut self.taken);
            if self.taken.is_empty() {
                let deadline = [self.flush_at, self.file_ends_at].into_iter().flatten().min();
                match self.running.queue.take_until(deadline.unwrap_or_else(|| Instant::now() + IDLE)) {
                    Poll::Ready(Some(taken)) => self.taken.push_back(taken),
                    Poll::Ready(None) => break,
                    Poll::Pending => {}
                }
            }
            let has_taken = !self.taken.is_empty();
            if let Err(state) = self.write_taken(&mut end) {
                end = state;
            } else if has_taken && !self.running.queue.is_closed() {
                // Who is not asleep is not woken: that would cost the threads of the traffic most of all.
                thread::sleep(PAUSE);
            }
        }
        self.end(end);
    }

    /// Writes what was taken, and does what is due.
    fn write_taken(&mut self, end: &mut CaptureState) -> Result<(), CaptureState> {
        while let Some(((recorded, passage), _room)) = self.taken.pop_front() {
            let now = Instant::now();
            self.write(&recorded, passage, now)?;
            self.attend(now, end)?;
        }
        self.attend(Instant::now(), end)
    }

    /// Does what is due.
    pub(super) fn attend(&mut self, now: Instant, end: &mut CaptureState) -> Result<(), CaptureState> {
        if self.flush_at.is_some_and(|due| now >= due) {
            let flushed = self.flush();
            self.settle(flushed, now)?;
        }
        if self.file_ends_at.is_some_and(|due| now >= due) {
            if self.files.is_ring() {
                return self.turn(now);
            }
            // What was taken in before this is still written.
            *end = CaptureState::Done;
            self.file_ends_at = None;
            self.running.queue.close();
        }
        Ok(())
    }

    /// Adds a record to the file.
    pub(super) fn write(&mut self, recorded: &Recorded, passage: Passage, now: Instant) -> Result<(), CaptureState> {
        let (channel, time, record) = converted(recorded, &self.running.wanted);
        for is_again in [false, true] {
            let Some(writer) = &mut self.writer else { break };
            let written = writer.write(&channel, time, &record);
            let pending = writer.pending_records();
            if written.is_ok() {
                self.waiting.push_back(passage);
                self.flush_at.get_or_insert_with(|| now + FLUSH);
                self.count(pending);
                return Ok(());
            }
            self.count(pending);
            match written {
                Err(WriteError::Full) if self.files.is_ring() && !is_again => self.turn(now)?,
                Err(WriteError::Full) => {
                    self.running.drop_one(passage, Reason::FileFull);
                    return if self.files.is_ring() { Ok(()) } else { Err(CaptureState::Full) };
                }
                Err(WriteError::TooLarge(_)) => {
                    self.running.drop_one(passage, Reason::TooLarge);
                    return Ok(());
                }
                failed => {
                    self.running.drop_one(passage, Reason::WriteFailed);
                    return self.settle(failed, now);
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
        writer.flush()?;
        self.count(0);
        Ok(())
    }

    /// All records are in the file but the last ones, so many of those that wait.
    fn count(&mut self, pending: usize) {
        let written = self.waiting.len().saturating_sub(pending);
        self.waiting.drain(..written).for_each(Passage::out);
        self.file_records += written;
        self.running.records.fetch_add(written as u64, Ordering::Relaxed);
    }

    /// A file that cannot be written ends a capture; a ring is begun anew later.
    fn settle(&mut self, written: Result<(), WriteError>, now: Instant) -> Result<(), CaptureState> {
        match written {
            Ok(()) => Ok(()),
            Err(error) => self.fail(format!("{}: {error}", self.files.current().display()), now),
        }
    }

    fn fail(&mut self, obstacle: String, now: Instant) -> Result<(), CaptureState> {
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
        self.discard_empty();
        self.file_ends_at = now.checked_add(RETRY);
        Ok(())
    }

    /// A file of the ring without records would take the room of one with some.
    fn discard_empty(&mut self) {
        if self.files.is_ring() && self.file_records == 0 {
            self.files.remove_current();
        }
    }

    /// Goes on with the next file of the ring.
    fn turn(&mut self, now: Instant) -> Result<(), CaptureState> {
        let finished = self.finish();
        self.settle(finished, now)?;
        self.discard_empty();
        match self.files.next(&self.running.bytes, self.running.wanted.bytes_max, now) {
            Ok(writer) => {
                (self.writer, self.file_records) = (Some(writer), 0);
                self.running.writes(self.files.current().to_owned());
                self.file_ends_at = self.files.lasts(None).and_then(|lasts| now.checked_add(lasts));
                Ok(())
            }
            Err(obstacle) => self.fail(obstacle, now),
        }
    }

    fn finish(&mut self) -> Result<(), WriteError> {
        self.flush_at = None;
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        writer.flush()?;
        self.count(0);
        writer.finish()
    }

    /// Ends the file, and says so.
    fn end(mut self, mut state: CaptureState) {
        self.running.queue.close();
        let finished = self.finish();
        if self.settle(finished, Instant::now()).is_err() {
            state = CaptureState::Failed;
        }
        let file = self.files.current().to_owned();
        self.discard_empty();
        self.drop_rest(if state == CaptureState::Full { Reason::FileFull } else { Reason::WriteFailed });
        tracing::info!(
            capture = self.running.id,
            file = %file.display(),
            records = self.running.records.load(Ordering::Relaxed),
            "a capture has ended: {state:?}"
        );
        self.running.state.send_replace(state);
    }

    /// What was taken in is not in the file, for this reason.
    fn drop_rest(&mut self, reason: Reason) {
        self.running.queue.take_all(&mut self.taken);
        let taken = self.taken.drain(..).map(|((_, passage), _room)| passage);
        for passage in self.waiting.drain(..).chain(taken) {
            self.running.drop_one(passage, reason);
        }
    }
}

/// A writer that ends otherwise than it should is no longer said to run, and what it leaves is counted.
impl Drop for Writing {
    fn drop(&mut self) {
        self.running.queue.close();
        if self.running.is_running() {
            self.running.writes_nothing("its thread panicked".to_owned());
            self.drop_rest(Reason::WriteFailed);
            self.running.state.send_replace(CaptureState::Failed);
        }
    }
}

#[cfg(test)]
mod tests;
