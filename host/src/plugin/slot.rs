//! The slot: the cell that holds the current plugin of one name, and the only way in which it changes.

mod health;
pub(crate) mod history;
pub(crate) mod lost;
pub(crate) mod slots;
pub(crate) mod status;

mod handling;
mod loading;

pub use loading::{Cause, Loaded, PutError};

use super::call::{Answer, CallError, CallNumber, Ending, Message, Metadata, Reply, Request, Stamp};
use super::load::origin::Origin;
use super::role::Role;
use super::roles::v0_1_0::{ReplyPolicyInput, TransformInput};
use super::run::account::{Account, shortened};
use crate::byte_budget::Share;
use crate::config::{LOG_LINE_BYTES_MAX, Place, Rollback};
use crate::ledger::{Figures, Passage, Reason};
use health::{Trial, Verdict};
use history::{Generation, History, NothingToGoBackTo};
use loading::Loading;
use prometheus_client::metrics::histogram::Histogram;
use status::Status;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::OwnedSemaphorePermit;

/// The cell of one plugin name.
pub struct Slot {
    origin: Origin,
    account: Arc<Account>,
    history: History,
    loading: Loading,
}

impl Slot {
    /// An empty slot, to be loaded from `origin`; its name had `last_generation` generations before.
    pub(super) fn new(origin: Origin, account: Arc<Account>, rollback: Rollback, last_generation: u64) -> Self {
        let history = History::new(account.name.clone(), rollback, last_generation);
        Self { origin, account, history, loading: Loading::default() }
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
        self.history.has_role(role)
    }

    /// All that is to be told of it.
    pub fn status(&self) -> Status {
        Status::of(self.source(), &self.account, self.history.told())
    }

    /// Lets nothing be loaded into it any more; calls that hold the slot end on what serves. Returns the last generation's
    /// number. None, and no change, if a generation serves and it has to be `empty`.
    pub(super) fn end(&self, empty: bool) -> Option<u64> {
        self.history.end(empty)
    }

    /// Whether its name was freed though nobody asked for that.
    pub(super) fn was_forgotten(&self) -> bool {
        self.history.was_forgotten()
    }

    /// What its name has, whatever serves.
    pub(super) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// What one call of it may return.
    pub fn output_bytes_max(&self) -> usize {
        self.account.limits.output_bytes_max
    }

    /// What its requests, calls and answers have of the room that all bodies of HTTP share.
    pub(crate) fn room(&self) -> &Share {
        &self.account.room
    }

    /// What became of its calls, of all generations.
    pub fn figures(&self) -> Figures {
        self.account.hop.figures()
    }

    /// How long those took that were let in, in seconds.
    pub fn latency(&self) -> &Histogram {
        &self.account.latency
    }

    /// Publishes the generation before the one that serves, under the next number; takes no compilation.
    pub fn rollback(&self) -> Result<Arc<Stamp>, NothingToGoBackTo> {
        let stamp = self.history.roll_back()?;
        self.origin.leave_alone();
        Ok(stamp)
    }

    /// Calls the role `transform` of the generation that serves now; as `number` says.
    pub async fn transform(&self, message: Message, number: CallNumber) -> Answer<Option<Message>, Message> {
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
    pub async fn replies(&self, request: Request, number: CallNumber) -> Answer<Vec<Reply>, Request> {
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
            let ending = error.map_or(Ending::Well, CallError::ending);
            let may_go_on = match serving.health.ended(ending, trial) {
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

fn nobody<T, I>(passage: Passage, input: I) -> Answer<T, I> {
    passage.dropped(Reason::EmptySlot);
    Answer { by: None, result: Err(CallError::EmptySlot), input: Some(input) }
}

pub(super) fn request_id(metadata: &[(String, String)]) -> &str {
    metadata.iter().find(|(key, _)| key == "tidegate.request-id").map_or("", |(_, id)| id)
}
