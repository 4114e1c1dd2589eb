//! The file that is replayed, read ahead by a thread of its own, within bounds.

use crate::config::{REPLAY_BATCH_BYTES, REPLAY_BATCH_MESSAGES};
use crate::record::capture::Lost;
use crate::record::choice::Choice;
use crate::record::replay::{Found, each_incoming};
use crate::record::traffic::ReadError;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// What is read, in its order.
pub(super) struct Reading {
    batches: Receiver<Vec<Found>>,
    batch: std::vec::IntoIter<Found>,
    thread: JoinHandle<Result<Lost, ReadError>>,
}

impl Reading {
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(file: PathBuf, choice: Choice) -> std::io::Result<Self> {
        let (sender, batches) = sync_channel(1);
        let thread = std::thread::Builder::new().name("reading".to_owned()).spawn(move || {
            let mut ahead = Ahead { batch: Vec::new(), bytes: 0, batches: sender };
            let lost = each_incoming(&file, &choice, |found| ahead.take(found));
            ahead.send();
            lost
        })?;
        Ok(Self { batches, batch: Vec::new().into_iter(), thread })
    }

    /// The next of it; none at its end.
    pub(super) fn next(&mut self) -> Option<Found> {
        loop {
            if let Some(found) = self.batch.next() {
                return Some(found);
            }
            self.batch = self.batches.recv().ok()?.into_iter();
        }
    }

    /// What could not be read, once [`Self::next`] has returned none.
    ///
    /// # Errors
    /// When it could not be read any further, or is no file of captured traffic.
    pub(super) fn end(self) -> anyhow::Result<Lost> {
        let Self { batches, thread, .. } = self;
        // It may wait to hand on what is not wanted any more.
        drop(batches);
        let lost = thread.join().map_err(|_| anyhow::anyhow!("the thread that reads has panicked"))?;
        Ok(lost?)
    }
}

struct Ahead {
    batch: Vec<Found>,
    bytes: usize,
    batches: SyncSender<Vec<Found>>,
}

impl Ahead {
    /// Whether anybody still wants more.
    fn take(&mut self, found: Found) -> bool {
        if let Found::Incoming(message) = &found {
            self.bytes += message.frames.iter().map(|frame| frame.len()).sum::<usize>();
        }
        self.batch.push(found);
        self.batch.len() < REPLAY_BATCH_MESSAGES && self.bytes < REPLAY_BATCH_BYTES || self.send()
    }

    fn send(&mut self) -> bool {
        self.bytes = 0;
        self.batches.send(std::mem::take(&mut self.batch)).is_ok()
    }
}
