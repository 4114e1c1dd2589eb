//! The slot: the cell that holds the current plugin of one name, and the only way in which it changes.

pub(crate) mod condemned;
mod generation_counts;
mod health;
pub(crate) mod history;
mod kept;
pub(crate) mod slots;
pub(crate) mod status;

mod handling;
mod held;
mod loading;
mod named_stage;
mod replacement;
mod rollback;
mod stage;
mod traced;

pub use held::NothingLoaded;
pub use loading::{Cause, Loaded, Put, PutError};
pub use named_stage::NamedStage;
pub use stage::PluginStage;

use super::call::{Answer, CallError, CallNumber, Ending};
use super::load::gate::SlotGate;
use super::load::origin::ComponentOrigin;
use super::role::{Contract, RoleName};
use super::roles::FUNCTIONS;
use super::roles::loaded::Plugin;
use super::roles::role::Role;
use super::roles::stage_role::{Input, StageRole};
use super::run::call_durations::{CallDurations, DurationCounts};
use super::run::call_log::KeptLog;
use super::run::deterministic_random::Draws;
use super::run::plugin_state::{CallPermit, PluginState, shortened};
use crate::buckets::CallBuckets;
use crate::byte_budget::BudgetShare;
use crate::config::{LOG_LINE_BYTES_MAX, Place, Rollback};
use crate::flow::{Fault, Message, ServedBy};
use crate::ledger::{Hop, HopCounts, Passage, Reason};
use condemned::Condemned;
use health::{Refusal, Trial, Verdict};
use history::{Generation, History, Newcomer, TimelineEntry};
use kept::Kept;
use loading::Loading;
use status::SlotStatus;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// The cell of one plugin name.
pub struct Slot {
    origin: ComponentOrigin,
    history: History,
    /// Of all generations, under whatever bounds.
    hop: Arc<Hop>,
    durations: Arc<CallDurations>,
    room: BudgetShare,
    condemned: Arc<Condemned>,
    kept: Kept,
    gate: SlotGate,
    loading: Loading,
}

impl Slot {
    /// An empty slot, to be loaded from `origin`; its name had `last_generation` generations before.
    pub(super) fn new(
        origin: ComponentOrigin,
        plugin_state: Arc<PluginState>,
        rollback: Rollback,
        last_generation: u64,
        (condemned, kept): (Arc<Condemned>, Kept),
        gate: SlotGate,
    ) -> Self {
        let (hop, durations, room) =
            (Arc::clone(&plugin_state.hop), Arc::clone(&plugin_state.durations), plugin_state.room.clone());
        let history = History::new(plugin_state, rollback, last_generation, Arc::clone(&condemned));
        Self { origin, history, hop, durations, room, condemned, kept, gate, loading: Loading::default() }
    }

    /// The plugin's name.
    pub fn name(&self) -> &str {
        &self.history.name
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

    /// What is read from the serving generation; none if the slot is empty.
    pub fn read<T>(&self, read: impl FnOnce(&Plugin) -> T) -> Option<T> {
        self.history.read(read)
    }

    /// What the serving generation can do; none if the slot is empty.
    pub fn roles(&self) -> Option<Vec<RoleName>> {
        self.read(|plugin| plugin.roles().collect())
    }

    /// Whether the serving generation has this role; none if the slot is empty.
    pub fn has_role(&self, role: RoleName) -> Option<bool> {
        self.read(|plugin| plugin.has_role(role))
    }

    /// Whether it serves nothing because its bytes are condemned, and had this role before.
    pub fn had_role(&self, role: RoleName) -> bool {
        let mut names = FUNCTIONS.iter().filter(|kind| kind.role == role).map(|kind| kind.name.as_str());
        self.roles().is_none()
            && self.history.view().condemned.is_some()
            && names.any(|name| self.condemned.had_role(name))
    }

    /// What the version of the contract calls a role that the serving generation was built against; none if it does not
    /// serve it.
    pub fn name_of_role(&self, role: RoleName) -> Option<RoleName> {
        self.read(|plugin| plugin.name_of_role(role))?
    }

    /// The version of the contract in which the serving generation has a role.
    pub fn contract_of(&self, role: RoleName) -> Option<Contract> {
        self.read(|plugin| plugin.contract_of(role))?
    }

    /// What a call takes for a message, in the shape that the serving generation takes it in.
    pub fn input<R: StageRole>(&self, message: Message) -> R::In {
        Input::new(message, self.contract_of(R::NAME))
    }

    /// What the admin surface reports of it.
    pub fn status(&self) -> SlotStatus {
        SlotStatus::of(self.source(), &self.plugin_state(), self.history.view())
    }

    /// The last things that happened to it, the oldest first.
    pub fn timeline(&self) -> Vec<TimelineEntry> {
        self.history.timeline()
    }

    /// What is the matter with it, in a line; none if it serves as it should.
    pub fn complaint(&self) -> Option<String> {
        status::complaint(self.name(), &self.history.view())
    }

    /// Lets nothing be loaded into it any more; calls that hold the slot end on what serves. Returns the last
    /// generation's number. None, and no change, if the slot has to be `empty` and a generation serves.
    pub(super) fn end(&self, empty: bool) -> Option<u64> {
        self.history.end(empty)
    }

    /// Whether its name was freed though nobody asked for that.
    pub(super) fn was_forgotten(&self) -> bool {
        self.history.was_forgotten()
    }

    /// What all generations of the name share, with the bounds and settings in force.
    pub(super) fn plugin_state(&self) -> Arc<PluginState> {
        Arc::clone(&self.history.plugin_state())
    }

    /// What one call of it may return.
    pub fn output_bytes_max(&self) -> usize {
        self.history.plugin_state().limits.output_bytes_max
    }

    /// What its requests, calls and answers have of the room that all bodies of HTTP share.
    pub(crate) fn room(&self) -> &BudgetShare {
        &self.room
    }

    /// What became of its calls, of all generations.
    pub fn counts(&self) -> HopCounts {
        self.hop.figures()
    }

    /// How long the calls took that were admitted, of all generations.
    pub fn durations(&self) -> DurationCounts {
        self.durations.read()
    }

    /// Keeps what guests write to the log in the call of this number.
    pub fn keep_log(&self, number: CallNumber) -> KeptLog {
        self.history.plugin_state().call_logs.keep(number)
    }

    /// Calls a role of the generation that serves now. `request_id` is for the log, and `number` says which call it is.
    pub async fn call<R: Role>(&self, input: R::In, request_id: &str, number: CallNumber) -> Answer<R::Out> {
        self.call_with::<R>(input, request_id, number, CallBuckets::Plain).await
    }

    /// The same, of a call that is to meet buckets so.
    async fn call_with<R: Role>(
        &self,
        input: R::In,
        request_id: &str,
        number: CallNumber,
        buckets: CallBuckets,
    ) -> Answer<R::Out> {
        let serving = self.history.serving();
        let result = self.call_generation::<R>(serving.as_ref(), input, request_id, (number, buckets)).await;
        Answer { by: serving.map(|serving| Arc::clone(&serving.served_by)), result }
    }

    /// Calls a role of the generation that serves; none if the slot is empty.
    async fn call_generation<R: Role>(
        &self,
        serving: Option<&Arc<Generation>>,
        input: R::In,
        request_id: &str,
        (number, buckets): (CallNumber, CallBuckets),
    ) -> Result<R::Out, CallError> {
        let mut passage = self.hop.enter();
        if R::IS_AWAITED {
            passage = passage.of_client();
        }
        let Some(serving) = serving else {
            passage.dropped(Reason::EmptySlot);
            return Err(CallError::EmptySlot);
        };
        let counted = serving.counts.begin();
        let (result, trial) = match self.admit(serving, number) {
            Ok((trial, permit)) => {
                let call =
                    serving.plugin.call::<R>(input, Draws::Own(number, buckets), Arc::clone(&serving.idle), permit);
                (self.timed(call).await, trial)
            }
            Err(error) => (Err(error), None),
        };
        if result.is_ok() {
            counted.went_well();
        }
        self.settle(serving, passage, result.as_ref().err(), trial, request_id);
        result
    }

    /// Whether one more call may begin. None for its health where somebody tries the plugin out: an input that was made up
    /// takes nothing out of service, and brings nothing back.
    fn admit(&self, serving: &Generation, number: CallNumber) -> Result<(Option<Trial>, CallPermit), CallError> {
        let plugin_state = &serving.plugin.sandbox.plugin_state;
        let permit = plugin_state.admit_call().ok_or(CallError::TooManyCalls(plugin_state.limits.calls_max))?;
        let admitted = match number {
            CallNumber::Trial(_) => serving.health.refusal().map_or(Ok(None), Err),
            CallNumber::Message(_) | CallNumber::Load(_) => serving.health.admit().map(Some),
        };
        let trial = admitted.map_err(|refusal| match refusal {
            Refusal::Rests(rest) => CallError::Paused(rest),
            Refusal::Held => CallError::Held,
        })?;
        Ok((trial, permit))
    }

    async fn timed<T>(&self, call: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let output = call.await;
        self.durations.observe(began.elapsed());
        output
    }

    /// Counts the end of a call, logs a failure and rolls the plugin back or pauses it if it fails too often.
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
        if let Some(error) = error {
            self.log_failure(&serving.served_by, error, request_id);
        }
        if let Some(trial) = trial {
            let ending = error.map_or(Ending::Well, CallError::ending);
            let may_go_on = match serving.health.ended(ending, trial) {
                Verdict::Well => true,
                Verdict::Recovered => {
                    self.history.resumed(&serving.served_by);
                    true
                }
                Verdict::Unfit => match self.history.roll_back_newcomer(serving) {
                    Some(newcomer) => {
                        if newcomer == Newcomer::Condemned {
                            self.remember();
                        }
                        true
                    }
                    None => false,
                },
                Verdict::KeepsFailing => false,
            };
            if !may_go_on {
                self.pause(serving, trial);
            }
        }
    }

    /// Logs a failure: its text may be for the log alone. What the caller is at fault for, the caller is told; the
    /// operator has nothing to do about it, and a stranger could fill the log with it.
    fn log_failure(&self, by: &ServedBy, error: &CallError, request_id: &str) {
        let callers = matches!(error.fault(), Fault::Sender | Fault::Recipient);
        let is_wanted = match callers {
            true => tracing::enabled!(tracing::Level::DEBUG),
            false => self.history.plugin_state().admit_failure(),
        };
        if !is_wanted {
            return;
        }
        let ServedBy { plugin, generation, .. } = by;
        // Escaped: the text may be the guest's own, and must not forge lines.
        let error = error.to_string();
        let error = shortened(&error, LOG_LINE_BYTES_MAX);
        if callers {
            tracing::debug!(plugin, generation, request_id, ?error, "call refused for its input");
        } else {
            tracing::warn!(plugin, generation, request_id, ?error, "call failed");
        }
    }

    fn pause(&self, serving: &Generation, trial: Trial) {
        if let Some(length) = serving.health.pause(trial) {
            self.history.paused(&serving.served_by);
            let ServedBy { plugin, generation, .. } = &*serving.served_by;
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
