//! Recording: whoever keeps messages and calls whole is shown each, once its outcome is known. While nobody does, one costs one
//! load.

mod recorded;

pub use recorded::{OwnedPlace, Recorded, RecordedCall, Subject};

use super::message::Message;
use super::stage::{Failed, Failure, Fault, Processed, Stage};
use super::taps::Place;
use crate::buckets::{CallBuckets, SharedLog};
use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

/// Takes what is recorded, on the threads of the traffic: it never waits.
pub trait Recorder: Send + Sync {
    /// Whether it wants this. It is asked before each call; who says the same of all calls of a chain has it whole.
    fn wants(&self, subject: &Subject<'_>) -> bool;

    /// Takes it.
    fn record(&self, recorded: &Arc<Recorded>);
}

/// The recorders of a host, which all that hold a clone of it share.
#[derive(Clone, Default)]
pub struct Recording(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Whether anybody records. It is all that is looked at where messages go by.
    is_on: AtomicBool,
    recorders: ArcSwap<Vec<(u64, Arc<dyn Recorder>)>>,
    /// Held by who changes that; the number of the next one.
    next_recorder: Mutex<u64>,
    /// The number of the next message that has neither a name nor a call.
    next_message: AtomicU64,
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("is_on", &self.0.is_on).finish_non_exhaustive()
    }
}

impl Recording {
    /// Shows a recorder all that goes by, until [`Self::end`] with the number that is returned.
    pub fn begin(&self, recorder: Arc<dyn Recorder>) -> u64 {
        let mut next = self.0.next_recorder.lock().unwrap_or_else(PoisonError::into_inner);
        *next += 1;
        let mut recorders = self.0.recorders.load().to_vec();
        recorders.push((*next, recorder));
        self.0.recorders.store(Arc::new(recorders));
        self.0.is_on.store(true, Ordering::Relaxed);
        *next
    }

    /// Shows a recorder no more.
    pub fn end(&self, number: u64) {
        let _next = self.0.next_recorder.lock().unwrap_or_else(PoisonError::into_inner);
        let recorders: Vec<_> = self.0.recorders.load().iter().filter(|(other, _)| *other != number).cloned().collect();
        self.0.is_on.store(!recorders.is_empty(), Ordering::Relaxed);
        self.0.recorders.store(Arc::new(recorders));
    }

    /// As what goes by at this place.
    pub fn at<'a>(&'a self, place: Place<'a>) -> RecordedAt<'a> {
        RecordedAt { recording: self, place }
    }

    fn is_on(&self) -> bool {
        self.0.is_on.load(Ordering::Relaxed)
    }

    fn wanted_by(&self, subject: &Subject<'_>) -> Vec<Arc<dyn Recorder>> {
        let recorders = self.0.recorders.load();
        recorders.iter().filter(|(_, one)| one.wants(subject)).map(|(_, one)| Arc::clone(one)).collect()
    }
}

/// A place at which messages go by.
#[derive(Clone, Copy, Debug)]
pub struct RecordedAt<'a> {
    recording: &'a Recording,
    place: Place<'a>,
}

/// A message that is recorded once it is known what became of it.
pub(in crate::flow) struct Held {
    wanted_by: Vec<Arc<dyn Recorder>>,
    recorded: Recorded,
}

impl RecordedAt<'_> {
    /// A message comes in that no plugin is called for here.
    pub fn message(&self, message: &Message) {
        let next = || self.recording.0.next_message.fetch_add(1, Ordering::Relaxed);
        if let Some(held) = self.hold(message, None, next) {
            held.record(None);
        }
    }

    /// Has a stage, the one with this index in its chain, process a message. What is not named is told apart by the number that
    /// the first call of the chain has.
    pub fn call(
        &self,
        stage: &dyn Stage,
        index: usize,
        first_number: u64,
        message: Message,
        number: u64,
    ) -> BoxFuture<'static, Processed> {
        match self.recording.is_on() {
            false => stage.process(message, number),
            true => self.record_call(stage, index, first_number, message, number),
        }
    }

    /// A message that somebody wants recorded, told apart by this number if it is not named; with the plugin that is about to be
    /// called.
    pub(in crate::flow) fn hold(
        &self,
        message: &Message,
        plugin: Option<&str>,
        number: impl FnOnce() -> u64,
    ) -> Option<Held> {
        if self.recording.is_on() { self.hold_wanted(message, plugin, number) } else { None }
    }

    #[cold]
    fn hold_wanted(&self, message: &Message, plugin: Option<&str>, number: impl FnOnce() -> u64) -> Option<Held> {
        let wanted_by = self.recording.wanted_by(&Subject::new(self.place, message, plugin, number));
        // Their bytes are shared, not copied.
        let recorded = || Recorded {
            at: SystemTime::now(),
            place: self.place.into(),
            frames: message.frames.clone(),
            metadata: message.metadata.clone(),
            call: None,
        };
        (!wanted_by.is_empty()).then(|| Held { recorded: recorded(), wanted_by })
    }

    #[cold]
    fn record_call(
        &self,
        stage: &dyn Stage,
        index: usize,
        first_number: u64,
        mut message: Message,
        number: u64,
    ) -> BoxFuture<'static, Processed> {
        // What a pool of workers is sent cannot be asked again of another component: of the first, there is the message.
        let is_of_host = stage.is_of_host();
        let called = (!is_of_host).then(|| stage.name());
        let held = if is_of_host && index > 0 { None } else { self.hold(&message, called, || first_number) };
        let Some(held) = held else { return stage.process(message, number) };
        let plugin = stage.name().to_owned();
        let log = SharedLog::default();
        // One that is made again, and is told what it was told before, stays that.
        if !is_of_host && message.buckets == CallBuckets::Plain {
            message.buckets = CallBuckets::Logged(log.clone());
        }
        let processing = stage.process(message, number);
        Box::pin(async move {
            let began = Instant::now();
            let mut processed = processing.await;
            // Nothing is to be logged there that is called next, or again.
            match &mut processed.result {
                Ok(outputs) => outputs.iter_mut().for_each(|output| output.message.buckets = CallBuckets::Plain),
                Err(failed) => failed.input.buckets = CallBuckets::Plain,
            }
            let took = began.elapsed();
            if is_of_host {
                held.record_unless_busy(&processed);
                return processed;
            }
            let result = match &processed.result {
                _ if is_busy(&processed) => return processed,
                Err(Failed { failure, .. }) => Err((failure.reason, failure.detail.clone())),
                Ok(outputs) => Ok(outputs.clone()),
            };
            let by = processed.by.clone();
            held.record(Some(RecordedCall { plugin, by, number, took, stage: index, result, buckets: log.take() }));
            processed
        })
    }
}

impl Held {
    /// Shows it, without a call, if anything was done for it.
    pub(in crate::flow) fn record_unless_busy(self, processed: &Processed) {
        if !is_busy(processed) {
            self.record(None);
        }
    }

    fn record(self, call: Option<RecordedCall>) {
        let Self { wanted_by, recorded } = self;
        let recorded = Arc::new(Recorded { call, ..recorded });
        wanted_by.iter().for_each(|recorder| recorder.record(&recorded));
    }
}

/// Nothing was called: the slot is empty or paused, or there is no room. Whoever can wait tries again.
fn is_busy(processed: &Processed) -> bool {
    matches!(&processed.result, Err(Failed { failure: Failure { fault: Fault::Busy, .. }, .. }))
}

#[cfg(test)]
mod tests;
