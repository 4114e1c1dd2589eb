//! The slot: the cell that holds the current plugin of one name, and the only way in which it changes.

mod handling;

use super::account::{Account, shortened};
use super::call::{Answer, CallError, Message, Metadata, Reply, Request, Stamp};
use super::engine::Engine;
use super::health::{Trial, Verdict};
use super::history::{Generation, History, NothingToGoBackTo};
use super::load::{Candidate, LoadError, Role};
use super::origin::Origin;
use super::status::Status;
use super::v0_1_0::{ReplyPolicyInput, TransformInput};
use crate::config::{Grant, LOG_LINE_BYTES_MAX, Limits, Place, Rollback};
use crate::ledger::{Figures, Passage, Reason};
use prometheus_client::metrics::histogram::Histogram;
use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Mutex, OwnedSemaphorePermit};

/// The cell of one plugin name.
pub struct Slot {
    origin: Origin,
    account: Arc<Account>,
    history: History,
    // One load at a time; holds the digest of the bytes that were last read from the source, loaded or not.
    last_read: Mutex<Option<Arc<str>>>,
}

/// What serves after a load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The generation.
    pub stamp: Arc<Stamp>,
    /// It is a new one; otherwise the same bytes served already.
    pub changed: bool,
}

impl Slot {
    /// An empty slot for the plugin `name`, to be loaded from `origin`; an instance serves up to `reuse` calls, and guests
    /// may send requests to `outbound`.
    pub(super) fn new(
        name: String,
        origin: Origin,
        limits: Limits,
        settings: BTreeMap<String, String>,
        reuse: u32,
        outbound: Vec<Grant>,
        rollback: Rollback,
    ) -> Self {
        Self {
            origin,
            history: History::new(name.clone(), rollback),
            account: Arc::new(Account::new(name, limits, settings, reuse, outbound)),
            last_read: Mutex::default(),
        }
    }

    /// The plugin's name.
    pub fn name(&self) -> &str {
        &self.account.name
    }

    /// Where the plugin is loaded from.
    pub fn source(&self) -> &Place {
        self.origin.place()
    }

    /// The file that it is loaded from, if it is one.
    pub(super) fn file(&self) -> Option<&Path> {
        match self.source() {
            Place::File(path) => Some(path),
            Place::Registry(_) => None,
        }
    }

    /// What the serving generation can do; none if the slot is empty.
    pub fn roles(&self) -> Option<Vec<Role>> {
        self.history.serving().map(|generation| generation.plugin.roles.clone())
    }

    /// Whether the serving generation has this role; none if the slot is empty.
    pub fn has_role(&self, role: Role) -> Option<bool> {
        self.history.serving().map(|generation| generation.plugin.roles.contains(&role))
    }

    /// All that is to be told of it.
    pub fn status(&self) -> Status {
        Status::of(self.source(), &self.account, self.history.told())
    }

    /// What one call of it may return.
    pub fn output_bytes_max(&self) -> usize {
        self.account.limits.output_bytes_max
    }

    /// What became of its calls, of all generations.
    pub fn figures(&self) -> Figures {
        self.account.hop.figures()
    }

    pub(super) fn close_books(&self) {
        self.account.hop.close();
    }

    /// How long those took that were let in, in seconds.
    pub fn latency(&self) -> &Histogram {
        &self.account.latency
    }

    /// Loads the source and swaps. Unless someone `asked` for it, bytes that were last read are left alone (then there is
    /// nothing to tell), and those that were rolled back because they failed are refused: so a stray file event never
    /// undoes what was done on purpose, and a bad file is complained of once.
    pub(super) async fn load(&self, engine: &Engine, asked: bool) -> Result<Option<Loaded>, LoadError> {
        let mut last_read = self.last_read.lock().await;
        let (bytes_max, serves) = (self.account.limits.component_bytes_max, self.history.serving().is_some());
        let fetched = self
            .origin
            .fetch(self.name(), bytes_max, asked, serves)
            .await
            .inspect_err(|error| self.history.refused(None, error))?;
        let Some(candidate) = fetched else { return Ok(None) };
        let known = !asked && last_read.as_ref() == Some(&candidate.digest);
        *last_read = Some(Arc::clone(&candidate.digest));
        if known {
            return Ok(None);
        }
        self.load_candidate(engine, candidate, asked).await.map(Some)
    }

    /// Loads a component that someone handed in and swaps. With `persist` it then becomes the content of the source.
    pub(super) async fn put(&self, engine: &Engine, bytes: Vec<u8>, persist: bool) -> Result<Loaded, PutError> {
        let source = persist.then(|| self.writable()).transpose()?;
        let mut last_read = self.last_read.lock().await;
        let candidate = Candidate::new(bytes).await?;
        let loaded = self.load_candidate(engine, candidate.clone(), true).await?;
        if let Some(source) = source {
            // Before the file is there: the notice of it must find nothing new.
            *last_read = Some(candidate.digest);
            let written = tokio::task::spawn_blocking(move || {
                // A new plugin's may not be there yet.
                source.parent().map_or(Ok(()), std::fs::create_dir_all)?;
                super::write_at_once(&source, &candidate.bytes)
            })
            .await;
            let written = written.unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
            written.map_err(|error| PutError::Persist(format!("writing {}: {error}", self.source())))?;
        }
        Ok(loaded)
    }

    /// The file that a component can be kept in.
    fn writable(&self) -> Result<PathBuf, PutError> {
        self.file().map(Path::to_owned).ok_or_else(|| {
            PutError::Name(format!(
                "{} comes from {} and cannot be kept there by a put: push it with `tidegate plugin push`, or put it without \
                 persist",
                self.name(),
                self.source()
            ))
        })
    }

    async fn load_candidate(&self, engine: &Engine, candidate: Candidate, asked: bool) -> Result<Loaded, LoadError> {
        let digest = Arc::clone(&candidate.digest);
        if let Some(serving) = self.history.serving().filter(|serving| serving.stamp.digest == *digest) {
            return Ok(Loaded { stamp: Arc::clone(&serving.stamp), changed: false });
        }
        let loaded = if !asked && self.history.is_condemned(&digest) {
            Err(LoadError::Probation)
        } else {
            engine.load(&self.account, candidate).await
        };
        loaded
            .and_then(|plugin| self.history.swap(plugin))
            .map(|stamp| Loaded { stamp, changed: true })
            .inspect_err(|error| self.history.refused(Some(digest.to_string()), error))
    }

    /// Publishes the generation before the one that serves, under the next number; takes no compilation.
    pub fn rollback(&self) -> Result<Arc<Stamp>, NothingToGoBackTo> {
        self.history.roll_back()
    }

    /// Calls the role `transform` of the generation that serves now; `number` is the message's at its hop.
    pub async fn transform(&self, message: Message, number: u64) -> Answer<Option<Message>, Message> {
        let passage = self.account.hop.enter().of_client();
        let Some(serving) = self.history.serving() else { return nobody(passage, message) };
        let input = Arc::new(TransformInput::from(message));
        let (result, trial) = match self.admit(&serving) {
            Ok((trial, permit)) => {
                let (input, idle) = (Arc::clone(&input), Arc::clone(&serving.idle));
                (self.timed(serving.plugin.transform(input, number, idle, permit)).await, Some(trial))
            }
            Err(error) => (Err(error), None),
        };
        self.ended(&serving, passage, result, input, trial, |input| &input.metadata)
    }

    /// Calls the role `reply-policy` of the generation that serves now, likewise.
    pub async fn replies(&self, request: Request, number: u64) -> Answer<Vec<Reply>, Request> {
        let passage = self.account.hop.enter();
        let Some(serving) = self.history.serving() else { return nobody(passage, request) };
        let input = Arc::new(ReplyPolicyInput::from(request));
        let (result, trial) = match self.admit(&serving) {
            Ok((trial, permit)) => {
                let (input, idle) = (Arc::clone(&input), Arc::clone(&serving.idle));
                (self.timed(serving.plugin.replies(input, number, idle, permit)).await, Some(trial))
            }
            Err(error) => (Err(error), None),
        };
        self.ended(&serving, passage, result, input, trial, |input| &input.metadata)
    }

    /// Whether one more call may begin.
    fn admit(&self, serving: &Generation) -> Result<(Trial, OwnedSemaphorePermit), CallError> {
        let permit = Arc::clone(&self.account.calls)
            .try_acquire_owned()
            .map_err(|_| CallError::TooManyCalls(self.account.limits.calls_max))?;
        let trial = serving.health.admit().map_err(CallError::Paused)?;
        Ok((trial, permit))
    }

    async fn timed<T>(&self, call: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let output = call.await;
        self.account.latency.observe(began.elapsed().as_secs_f64());
        output
    }

    /// The end of a call, as whoever asked for it is told.
    fn ended<T, V: Clone, I: From<V>>(
        &self,
        serving: &Arc<Generation>,
        passage: Passage,
        result: Result<T, CallError>,
        input: Arc<V>,
        trial: Option<Trial>,
        metadata: impl Fn(&V) -> &Metadata,
    ) -> Answer<T, I> {
        self.settle(serving, passage, result.as_ref().err(), trial, request_id(metadata(&input)));
        let input = result.is_err().then(|| I::from(Arc::unwrap_or_clone(input)));
        Answer { by: Some(Arc::clone(&serving.stamp)), result, input }
    }

    /// Counts the end of a call, logs a failure (its text may be for the log alone) and draws the consequences.
    fn settle(
        &self,
        serving: &Arc<Generation>,
        passage: Passage,
        error: Option<&CallError>,
        trial: Option<Trial>,
        request_id: &str,
    ) {
        match error {
            None => passage.out(),
            Some(error) => passage.dropped(error.reason()),
        }
        if let Some(error) = error
            && self.account.admit_failure()
        {
            let Stamp { plugin, generation, .. } = &*serving.stamp;
            // Escaped: the text may be the guest's own, and must not forge lines.
            let error = error.to_string();
            let error = shortened(&error, LOG_LINE_BYTES_MAX);
            tracing::warn!(plugin, generation, request_id, ?error, "call failed");
        }
        if let Some(trial) = trial {
            let broke_down = error.is_some_and(CallError::is_breakdown);
            let may_go_on = match serving.health.ended(broke_down, trial) {
                Verdict::Well => true,
                Verdict::Unfit => self.history.roll_back_newcomer(serving),
                Verdict::KeepsFailing => false,
            };
            if !may_go_on {
                self.pause(serving, trial);
            }
        }
    }

    fn pause(&self, serving: &Generation, trial: Trial) {
        if let Some(length) = serving.health.pause(trial) {
            self.history.paused();
            let Stamp { plugin, generation, .. } = &*serving.stamp;
            let pause_ms = length.as_millis() as u64;
            tracing::error!(
                plugin,
                generation,
                pause_ms,
                "paused, since it keeps failing; it is tried again afterwards"
            );
        }
    }
}

/// Why a component that was handed in does not serve, or was not kept.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// No plugin can have this name.
    #[error("{0}")]
    Name(String),
    /// The component was refused; what served before serves on.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The component serves, but the next start will not find it.
    #[error("the component serves, but is not kept for the next start: {0}")]
    Persist(String),
}

fn nobody<T, I>(passage: Passage, input: I) -> Answer<T, I> {
    passage.dropped(Reason::EmptySlot);
    Answer { by: None, result: Err(CallError::EmptySlot), input: Some(input) }
}

pub(super) fn request_id(metadata: &[(String, String)]) -> &str {
    metadata.iter().find(|(key, _)| key == "tidegate.request-id").map_or("", |(_, id)| id)
}
