//! The calls of one plugin among all that a file has, in batches, read on a thread of their own.

use super::captured_call::{CallSource, CapturedCall, Entry, Skip};
use crate::config::{COMPARE_BATCH_BYTES, COMPARE_BATCH_INPUTS};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use tokio::sync::{mpsc, oneshot};

/// Batches that wait for a thread to compare them, for each of these.
const BATCHES_WAITING: usize = 2;
/// Names of plugins that an error lists.
const NAMES_MAX: usize = 20;
/// How long a name may be that comes from a file.
const NAME_BYTES_MAX: usize = 100;

pub(crate) type Skipped = BTreeMap<Skip, u64>;

/// What is read, while it is.
pub(crate) struct Reading {
    /// Whose calls are read.
    pub(crate) plugin: String,
    pub(crate) batches: mpsc::Receiver<Vec<CapturedCall>>,
    pub(crate) skipped: SkippedLater,
}

/// What was skipped, once all is read.
pub(crate) struct SkippedLater(oneshot::Receiver<Result<Skipped, SelectionError>>);

/// Why there are no calls to make again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SelectionError {
    /// There is no call of any plugin.
    #[error("it has no call to make again{0}")]
    None(String),
    /// There are calls, of several plugins of these names.
    #[error("it has calls of several plugins: choose one with --plugin: {0}")]
    Several(String),
    /// There are calls, but of plugins of these names.
    #[error("it has no call of the plugin {wanted}: choose one with --plugin: {names}")]
    OfOthers { wanted: String, names: String },
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

/// Begins to read the calls of `plugin`, or else of the only one in the file.
///
/// # Errors
/// When the system gives no thread, or the file has no call of it.
pub(crate) async fn read(
    source: Box<dyn CallSource>,
    plugin: Option<String>,
    readers: usize,
) -> Result<Reading, SelectionError> {
    let (batches_in, batches) = mpsc::channel(readers * BATCHES_WAITING);
    let (name, named) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    let mut selection = Selection {
        wanted: plugin,
        name: Some(name),
        chosen: None,
        seen: BTreeSet::new(),
        skipped: Skipped::new(),
        batch: Vec::new(),
        batch_bytes: 0,
        batches: batches_in,
    };
    let work = move || {
        let read = source.each_until(&mut |entry| selection.take(entry));
        // Whoever waits for it may have gone.
        let _ = end.send(read.map_err(SelectionError::Unreadable).and_then(|()| selection.end()));
    };
    // No thread of the runtime, whose end would wait for it. It is as nice as the one that starts it.
    std::thread::Builder::new()
        .name("capture".to_owned())
        .spawn(work)
        .map_err(|error| SelectionError::Unreadable(format!("starting a thread that reads: {error}")))?;
    let skipped = SkippedLater(ended);
    match named.await {
        Ok(plugin) => Ok(Reading { plugin, batches, skipped }),
        Err(_) => {
            let skipped = skipped.get().await?;
            Err(SelectionError::None(told(&skipped)))
        }
    }
}

impl SkippedLater {
    /// Waits until all is read.
    ///
    /// # Errors
    /// When not all could be read, or there are several plugins and none was chosen.
    pub(crate) async fn get(self) -> Result<Skipped, SelectionError> {
        let panicked = || SelectionError::Unreadable("the thread that reads has panicked".to_owned());
        self.0.await.unwrap_or_else(|_| Err(panicked()))
    }
}

/// What was skipped, as the end of a sentence.
fn told(skipped: &Skipped) -> String {
    let listed: Vec<_> = skipped.iter().map(|(skip, count)| format!("{count} {}", skip.text())).collect();
    if listed.is_empty() { String::new() } else { format!(", but {}", listed.join(", ")) }
}

struct Selection {
    wanted: Option<String>,
    /// Told of the plugin at its first call.
    name: Option<oneshot::Sender<String>>,
    chosen: Option<String>,
    /// Names in the file, as many as an error lists.
    seen: BTreeSet<String>,
    skipped: Skipped,
    batch: Vec<CapturedCall>,
    batch_bytes: usize,
    batches: mpsc::Sender<Vec<CapturedCall>>,
}

impl Selection {
    /// Says whether more is wanted, which is until nobody takes it any more.
    fn take(&mut self, entry: Entry) -> ControlFlow<()> {
        match entry {
            Entry::Skipped(skip) => self.skip(skip),
            Entry::Call { plugin, call } => self.take_call(plugin, call),
        }
        if self.batches.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn take_call(&mut self, plugin: String, call: CapturedCall) {
        let chosen = match (&self.chosen, &self.wanted) {
            (Some(chosen), _) => *chosen == plugin,
            (None, Some(wanted)) => *wanted == plugin,
            (None, None) => true,
        };
        if !self.seen.contains(&plugin) && self.seen.len() <= NAMES_MAX {
            self.seen.insert(plugin.clone());
        }
        if !chosen {
            return self.skip(Skip::OtherPlugin);
        }
        if let Some(name) = self.name.take() {
            self.chosen = Some(plugin.clone());
            let _ = name.send(plugin);
        }
        // Once a second plugin is met, it is not known which is meant, and the rest is read for the names.
        if self.is_ambiguous() {
            return;
        }
        self.batch_bytes += call.message.bytes();
        self.batch.push(call);
        if self.batch.len() >= COMPARE_BATCH_INPUTS || self.batch_bytes >= COMPARE_BATCH_BYTES {
            self.send();
        }
    }

    fn is_ambiguous(&self) -> bool {
        self.wanted.is_none() && self.seen.len() > 1
    }

    fn skip(&mut self, skip: Skip) {
        *self.skipped.entry(skip).or_default() += 1;
    }

    fn send(&mut self) {
        self.batch_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        // Nobody takes it where an error has ended the command.
        let _ = self.batches.blocking_send(batch);
    }

    fn end(&mut self) -> Result<Skipped, SelectionError> {
        if self.is_ambiguous() {
            return Err(SelectionError::Several(self.names()));
        }
        if let Some(wanted) = self.wanted.clone().filter(|_| self.chosen.is_none() && !self.seen.is_empty()) {
            return Err(SelectionError::OfOthers { wanted, names: self.names() });
        }
        if !self.batch.is_empty() {
            self.send();
        }
        Ok(std::mem::take(&mut self.skipped))
    }

    fn names(&self) -> String {
        let short = |name: &String| name[..name.floor_char_boundary(NAME_BYTES_MAX)].escape_debug().to_string();
        let mut names: Vec<_> = self.seen.iter().take(NAMES_MAX).map(short).collect();
        if self.seen.len() > NAMES_MAX {
            names.push("…".to_owned());
        }
        names.join(", ")
    }
}
