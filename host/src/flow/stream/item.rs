//! One message on its way through a flow, with all that is made of it.

use crate::config::MESSAGE_ID_KEY;
use crate::flow::sink::Arrival;
use crate::flow::{Entered, Message, Met, Processed, Settlement};
use crate::ledger::{Passage, Reason};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// A message that is in a flow.
pub(super) struct Item {
    /// Its place in the order.
    pub(super) key: Bytes,
    /// The message as it came in, where a later stage gets another one.
    pub(super) original: Option<Message>,
    /// What still has to go through stages, each with the index of its next one. The last goes first.
    pub(super) work: Vec<(usize, Message)>,
    /// The call that runs, or is to be tried again.
    pub(super) call: Option<StageCall>,
    /// What came out of the last stage, and has not been offered to all sinks.
    pub(super) outputs: VecDeque<Message>,
    /// How many ever did.
    outputs_made: usize,
    /// By which name what comes of it is known where it is stored, if its source can deliver it again.
    stored_name: Option<String>,
    /// How many sinks have taken the first of the outputs.
    pub(super) sinks_done: usize,
    /// What sinks have taken and not yet confirmed.
    pub(super) arrivals: Vec<Arrival>,
    /// The bytes of all that is in `work`, in the call, and in `outputs`.
    pub(super) bytes: usize,
    /// The number of its call of the first stage.
    pub(super) number: u64,
    /// The plugins that it has met.
    pub(super) met: Met,
    /// How it ended in the stages, once it has.
    pub(super) verdict: Option<Result<(), Reason>>,
    pub(super) passage: Passage,
    /// By which its source hears how it ended.
    pub(super) settlement: Option<Box<dyn Settlement>>,
    /// Keeps its place in the inlet.
    _entered: crate::flow::mailbox::Room,
}

/// A call of a stage.
pub(super) struct StageCall {
    /// Counts it at the hop of the stage.
    pub(super) passage: Passage,
    /// Its number among all calls.
    pub(super) number: u64,
    /// The bytes of its input.
    pub(super) bytes: usize,
}

/// A call of the stage with this index, for the item of this number, that has ended.
pub(super) struct Ended {
    pub(super) item: usize,
    pub(super) index: usize,
    pub(super) processed: Processed,
    pub(super) took: Duration,
}

impl Item {
    /// A message that has entered a flow of so many stages.
    pub(super) fn new(Entered { message, passage, settlement, room }: Entered, key: Bytes, stages: usize) -> Self {
        let (original, bytes) = ((stages > 1).then(|| message.clone()), message.bytes());
        let (mut work, mut outputs) = (Vec::new(), VecDeque::new());
        let name = || message.metadata.iter().find(|(key, _)| key == MESSAGE_ID_KEY).map(|(_, name)| name.clone());
        let stored_name = settlement.as_ref().and_then(|_| name());
        let verdict = match stages {
            0 => {
                outputs.push_back(message);
                Some(Ok(()))
            }
            _ => {
                work.push((0, message));
                None
            }
        };
        let (call, outputs_made, sinks_done, arrivals, number, met) = Default::default();
        Self {
            key,
            original,
            work,
            call,
            outputs,
            outputs_made,
            stored_name,
            sinks_done,
            arrivals,
            bytes,
            number,
            met,
            verdict,
            passage,
            settlement,
            _entered: room,
        }
    }

    /// One more message has come out of the last stage.
    pub(super) fn put_out(&mut self, mut message: Message) {
        // What is delivered again, and comes to the same, is to be known where it is stored.
        match &self.stored_name {
            Some(name) => message.set_stored_name(name, self.outputs_made),
            // It is for the host to say.
            None => message.metadata.retain(|(key, _)| key != MESSAGE_ID_KEY),
        }
        self.outputs_made += 1;
        self.outputs.push_back(message);
    }

    /// How many messages it has become.
    pub(super) fn messages(&self) -> usize {
        self.work.len() + self.outputs.len()
    }
}
