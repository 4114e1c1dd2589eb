//! The sampler: looks at everything once a second as long as somebody watches, once for all who do.

use super::latency::{Durations, Window};
use super::overview::{Overview, Watched};
use super::sse;
use crate::config::{ADMIN_CHANGES_MS, ADMIN_WATCHERS_MAX};
use crate::http::problem::Problem;
use crate::merge_patch;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use serde_json::Value;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

const INTERVAL: Duration = Duration::from_millis(ADMIN_CHANGES_MS);

/// Gives overviews, and what changes in them.
pub(in crate::http::admin) struct Sampler {
    watched: Watched,
    watchers: Arc<Semaphore>,
    /// There only while somebody watches.
    running: Mutex<Option<Running>>,
    /// The surface ends, and all streams with it.
    ending: CancellationToken,
}

#[derive(Clone)]
struct Running {
    samples: watch::Sender<Sample>,
    window: Arc<Mutex<Window>>,
}

/// What was seen at one look.
#[derive(Clone, Default)]
struct Sample {
    /// From 1; 0 before the first.
    number: u64,
    value: Arc<Value>,
    /// What has changed since the sample before it, if anything.
    change: Option<Arc<Value>>,
}

/// One who watches.
struct Watcher {
    samples: watch::Receiver<Sample>,
    /// The number of the last sample that it was told of.
    told: u64,
    ending: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl Sampler {
    /// Nobody watches yet. All who do are told of an end once the surface is `ending`.
    pub(in crate::http::admin) fn new(watched: Watched, ending: CancellationToken) -> Arc<Self> {
        let watchers = Arc::new(Semaphore::new(ADMIN_WATCHERS_MAX));
        Arc::new(Self { watched, watchers, running: Mutex::default(), ending })
    }

    /// How everything is now.
    ///
    /// # Errors
    /// When the host fails at it.
    pub(in crate::http::admin) async fn overview(&self) -> Result<Value, Problem> {
        let window = self.running().as_ref().map(|running| Arc::clone(&running.window));
        let earlier = window.and_then(|window| earliest(&window, Instant::now()));
        Ok(self.watched.look(earlier).await.ok_or(Problem::Host)?.value)
    }

    /// How everything is, and then what changes, as server-sent events.
    ///
    /// # Errors
    /// When as many watch as may.
    pub(in crate::http::admin) fn changes(
        self: &Arc<Self>,
    ) -> Result<impl Stream<Item = Result<Bytes, Infallible>> + Send + use<>, Problem> {
        let permit = Arc::clone(&self.watchers).try_acquire_owned().map_err(|_| Problem::TooManyWatchers)?;
        let mut samples = self.subscribe();
        samples.mark_changed();
        let watcher = Watcher { samples, told: 0, ending: self.ending.clone(), _permit: permit };
        Ok(unfold(watcher, async |mut watcher| Some((Ok(watcher.next().await?), watcher))))
    }

    /// The samples from the last one on. Starts to take them where nobody has watched until now.
    fn subscribe(self: &Arc<Self>) -> watch::Receiver<Sample> {
        let mut running = self.running();
        if let Some(running) = &*running {
            return running.samples.subscribe();
        }
        let (samples, first) = watch::channel(Sample::default());
        let begun = Running { samples, window: Arc::default() };
        tokio::spawn(Arc::clone(self).run(begun.clone()));
        *running = Some(begun);
        first
    }

    async fn run(self: Arc<Self>, running: Running) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = running.samples.closed() => {}
            }
            if self.ends(&running) {
                return;
            }
            let now = Instant::now();
            if let Some(Overview { value, durations }) = self.watched.look(earliest(&running.window, now)).await {
                lock(&running.window).add(now, durations);
                running.samples.send_modify(|sample| sample.become_next(value));
            }
        }
    }

    /// Whether nobody watches any more. Whoever comes later starts another one.
    fn ends(&self, running: &Running) -> bool {
        let mut current = self.running();
        let is_over = running.samples.receiver_count() == 0;
        if is_over {
            *current = None;
        }
        is_over
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        lock(&self.running)
    }
}

impl Sample {
    fn become_next(&mut self, value: Value) {
        let change = merge_patch::difference(&self.value, &value).map(Arc::new);
        *self = Self { number: self.number + 1, value: Arc::new(value), change };
    }
}

impl Watcher {
    /// The next event; none at the end. Who was too slow for a change is told everything again.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            tokio::select! {
                changed = self.samples.changed() => changed.ok()?,
                () = self.ending.cancelled() => return None,
            }
            let Sample { number, value, change } = self.samples.borrow_and_update().clone();
            let follows = self.told > 0 && number == self.told + 1;
            if number == self.told {
                continue;
            }
            self.told = number;
            match change {
                Some(change) if follows => return Some(sse::event("change", &*change)),
                None if follows => {}
                _ => return Some(sse::event("overview", &*value)),
            }
        }
    }
}

fn earliest(window: &Mutex<Window>, now: Instant) -> Option<(f64, Durations)> {
    lock(window).earliest(now).map(|(seconds, durations)| (seconds, durations.clone()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
