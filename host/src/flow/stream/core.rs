//! The core of a flow: messages in, calls and offers out, in their order and within bounds. It does no I/O, so that a
//! simulation can drive it.

mod leaving;

pub(super) use leaving::Delivery;

use super::busy::BusyGate;
use super::item::{Item, StageCall};
use super::lanes::Lanes;
use super::parts::{FlowSettings, FlowStage};
use crate::config::{FLOW_OUTPUTS_MAX, OnError};
use crate::flow::{
    Entered, Failed, Failure, Fault, Lost, Message, Passing, Place, Point, Processed, ServedBy, Sink, Stage, Taps,
};
use crate::ledger::{Hop, Reason};
use slab::Slab;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// A call to be made; its end is reported by [`FlowCore::call_ended`].
pub(super) struct Call {
    pub(super) item: usize,
    pub(super) index: usize,
    pub(super) stage: Arc<dyn Stage>,
    pub(super) message: Message,
    pub(super) number: u64,
    /// That of the first call for the same message.
    pub(super) first_number: u64,
}

/// The state of one flow.
pub(super) struct FlowCore {
    settings: FlowSettings,
    stages: Vec<FlowStage>,
    numbers: Arc<Hop>,
    sinks: Vec<Arc<dyn Sink>>,
    taps: Taps,
    items: Slab<Item>,
    lanes: Lanes,
    /// Items with work for a stage, whose call does not run.
    runnable: VecDeque<usize>,
    /// Items that are processed and whose turn it is to leave.
    leaving: VecDeque<usize>,
    /// Items that left by sinks which confirm it later.
    arriving: Vec<usize>,
    bytes: usize,
    gate: BusyGate,
    /// Why it stands still until it is resumed.
    stopped: Option<String>,
    lost: VecDeque<Lost>,
}

impl FlowCore {
    pub(super) fn new(
        settings: FlowSettings,
        stages: Vec<FlowStage>,
        numbers: Arc<Hop>,
        sinks: Vec<Arc<dyn Sink>>,
        taps: Taps,
    ) -> Self {
        let (items, runnable, leaving, arriving, bytes, stopped, lost) = Default::default();
        let lanes = Lanes::new(settings.order);
        let gate = BusyGate::new();
        Self {
            settings,
            stages,
            numbers,
            sinks,
            taps,
            items,
            lanes,
            runnable,
            leaving,
            arriving,
            bytes,
            gate,
            stopped,
            lost,
        }
    }

    /// Whether it has room for one more message.
    pub(super) fn has_room(&self) -> bool {
        self.items.len() < self.settings.in_flight_max
            && self.bytes < self.settings.in_flight_bytes_max
            && self.stopped.is_none()
    }

    /// How many messages are in it.
    pub(super) fn in_flight(&self) -> usize {
        self.items.len()
    }

    /// Takes in a message.
    pub(super) fn receive(&mut self, entered: Entered) {
        self.taps.see(|| Passing::of(Point::In, Place::Flow(&self.settings.name), &entered.message));
        let key = self.lanes.key_of(&entered.message);
        let item = Item::new(entered, key, self.stages.len());
        self.bytes += item.bytes;
        let id = self.items.insert(item);
        let item = &self.items[id];
        self.lanes.enter(id, &item.key);
        match item.verdict {
            Some(_) => self.processed(id),
            None => self.runnable.push_back(id),
        }
    }

    /// The next call to be made, if any may.
    pub(super) fn next_call(&mut self, now: Instant) -> Option<Call> {
        if self.stopped.is_some() || self.gate.is_closed(now) {
            return None;
        }
        let id = self.runnable.pop_front()?;
        let item = &mut self.items[id];
        let (index, message) = item.work.pop()?;
        let FlowStage { stage, hop } = &self.stages[index];
        let call = item.call.get_or_insert_with(|| {
            let (passage, number) = (hop.enter(), self.numbers.next_number());
            if index == 0 {
                item.number = number;
            }
            StageCall { passage, number, bytes: message.bytes() }
        });
        let (number, first_number) = (call.number, item.number);
        Some(Call { item: id, index, stage: Arc::clone(stage), message, number, first_number })
    }

    /// A call has ended, of the stage with this index.
    pub(super) fn call_ended(&mut self, id: usize, index: usize, processed: Processed, now: Instant) {
        let item = &mut self.items[id];
        let Processed { by, result } = processed;
        match result {
            Ok(outputs) => {
                item.met.note(&*self.stages[index].stage, by);
                self.gate.open();
                let bytes = item.call.take().map_or(0, |call| {
                    call.passage.out();
                    call.bytes
                });
                self.go_on(id, (index, bytes), outputs.into_iter().map(|output| output.message));
            }
            Err(Failed { failure, input }) if failure.fault == Fault::Busy => {
                let name = || format!("{}: {}", self.stages[index].stage.name(), failure.detail);
                self.gate.close(now, name);
                item.work.push((index, input));
                self.runnable.push_front(id);
            }
            Err(Failed { failure, input }) => {
                item.met.note(&*self.stages[index].stage, by.clone());
                self.gate.open();
                if let Some(call) = item.call.take() {
                    call.passage.dropped(failure.reason);
                }
                let stage = self.stages[index].stage.name();
                match self.settings.on_error {
                    OnError::Pass => self.go_on(id, (index, input.bytes()), std::iter::once(input)),
                    OnError::Stop => {
                        self.stopped = Some(format!("{stage}: {}", failure.detail));
                        item.work.push((index, input));
                        self.runnable.push_front(id);
                    }
                    OnError::DeadLetter | OnError::Drop => {
                        let stage = stage.to_owned();
                        self.fail(id, stage, by, failure, input);
                    }
                }
            }
        }
    }

    /// What a stage, the one with this index, made of a message of so many bytes goes into the next one, or out.
    fn go_on(
        &mut self,
        id: usize,
        (index, consumed): (usize, usize),
        messages: impl DoubleEndedIterator<Item = Message>,
    ) {
        let (item, mut made) = (&mut self.items[id], 0);
        // A plugin must not speak for the host to the next one.
        let is_plugin = !self.stages[index].stage.is_of_host();
        let of_host = item.original.as_ref().filter(|_| is_plugin).map(Message::host_pairs).unwrap_or_default();
        let messages = messages.inspect(|message| made += message.bytes());
        if index + 1 < self.stages.len() {
            let next = |mut message: Message| {
                if is_plugin {
                    message.keep_host_pairs(&of_host);
                }
                (index + 1, message)
            };
            item.work.extend(messages.rev().map(next));
        } else {
            messages.for_each(|message| item.put_out(message));
        }
        self.bytes = self.bytes - consumed + made;
        item.bytes = item.bytes - consumed + made;
        // What one call returns is bounded by its plugin; it is a chain of them that multiplies.
        let is_too_much = item.messages() > FLOW_OUTPUTS_MAX || item.bytes > self.settings.in_flight_bytes_max;
        if is_too_much && let Some(original) = item.original.take() {
            let failure = too_much(item.messages(), item.bytes, self.settings.in_flight_bytes_max);
            let (stage, by) = (self.stages[index].stage.name().to_owned(), item.met.last().cloned());
            self.fail(id, stage, by, failure, original);
        } else if item.work.is_empty() {
            item.verdict = Some(Ok(()));
            self.processed(id);
        } else {
            // Those that were begun first are ended first.
            self.runnable.push_front(id);
        }
    }

    /// Nothing of an item goes out.
    fn fail(&mut self, id: usize, stage: String, by: Option<Arc<ServedBy>>, failure: Failure, input: Message) {
        let item = &mut self.items[id];
        item.verdict = Some(Err(failure.reason));
        item.work.clear();
        item.outputs.clear();
        self.bytes -= std::mem::take(&mut item.bytes);
        if self.settings.on_error == OnError::DeadLetter {
            let input = item.original.take().unwrap_or(input);
            let (flow, number, met) = (self.settings.name.clone(), item.number, std::mem::take(&mut item.met));
            let lost = Lost { flow, stage, number, met, by, failure, input };
            match item.settlement.take() {
                Some(settlement) => settlement.failed(lost),
                None => self.lost.push_back(lost),
            }
        } else if let Some(settlement) = item.settlement.take() {
            settlement.done();
        }
        self.processed(id);
    }

    /// No stage has to see an item any more; it leaves if it is its turn.
    fn processed(&mut self, id: usize) {
        if self.lanes.is_first(id, &self.items[id].key) {
            self.leaving.push_back(id);
        }
    }

    /// A message that it failed at.
    pub(super) fn next_lost(&mut self) -> Option<Lost> {
        self.lost.pop_front()
    }

    /// When it is to be looked at again, if nothing happens before.
    pub(super) fn due(&self) -> Option<Instant> {
        self.gate.due().filter(|_| !self.runnable.is_empty() && self.stopped.is_none())
    }

    /// Goes on with the message that it stopped at.
    pub(super) fn resume(&mut self) {
        self.stopped = None;
    }

    /// Why it stands still until it is resumed.
    pub(super) fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// Since when no call gets through, and why.
    pub(super) fn busy(&self) -> Option<&(Instant, String)> {
        self.gate.busy()
    }
}

fn too_much(messages: usize, bytes: usize, bytes_max: usize) -> Failure {
    let detail = format!(
        "one message became {messages} of {bytes} bytes; there may be {FLOW_OUTPUTS_MAX}, with in_flight_bytes_max \
         {bytes_max} bytes together"
    );
    Failure {
        reason: Reason::OverOutput,
        fault: Fault::Stage,
        public_detail: detail.clone(),
        detail,
        retry_after: None,
    }
}

#[cfg(test)]
impl FlowCore {
    /// That what it says of itself is so.
    pub(super) fn check(&self) {
        let bytes: usize = self.items.iter().map(|(_, item)| item.bytes).sum();
        assert_eq!(self.bytes, bytes);
        for id in &self.runnable {
            assert!(!self.items[*id].work.is_empty() && self.items[*id].verdict.is_none());
        }
        assert!(self.leaving.iter().all(|id| self.items[*id].verdict.is_some()));
    }
}
