//! The requests in flight, from their arrival to the end of their call: which call may start, where it runs, and how
//! many requests there may be.

use super::call::{Call, Start, Ticket};
use crate::byte_budget::{ByteBudget, Held};
use crate::config::Messaging;
use crate::flow::Message;
use crate::flow::call_time_estimate::CallTimeEstimate;
use crate::ledger::Passage;
use crate::messaging::broker::envelope::Envelope;
use crate::messaging::socket::{Frames, frames_bytes};
use crate::traces::Span;
use bytes::Bytes;
use slab::Slab;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How many more requests may be in flight if the calls of the policy are short.
const SHORT_CALLS_MAX: usize = 100;

/// How long calls run on the loop's own thread before it sends the replies and does its other work. Replies that are
/// sent together wake libzmq's thread once, and take few system calls.
const SERVE_MAX: Duration = Duration::from_micros(200);

/// What is kept of a request until its call has ended.
pub(super) struct InFlight {
    /// Its passage through the policy hop.
    pub(super) passage: Passage,
    pub(super) number: u64,
    pub(super) envelope: Envelope,
    /// Ends when its call has ended.
    pub(super) span: Span,
    /// About how much the request takes in memory.
    bytes: usize,
    /// The bytes reserved for what the call may return, once it has started.
    pub(super) room: Option<Held>,
}

/// All requests in flight.
pub(super) struct CallQueue {
    in_flight: Slab<InFlight>,
    in_flight_bytes: usize,
    in_flight_bytes_max: usize,
    /// The calls that have not started, oldest first.
    waiting: VecDeque<Call>,
    running: usize,
    /// How many calls may run at a time.
    workers: usize,
    estimate: CallTimeEstimate,
    /// Whether there are more processors than the broker's own threads keep busy.
    has_spare_processors: bool,
    /// The bound on the bytes of replies: those that wait, and those that running calls may yet return.
    budget: Arc<ByteBudget>,
    /// The most bytes that one call may return.
    output_bytes_max: usize,
}

impl CallQueue {
    pub(super) fn new(bounds: &Messaging, output_bytes_max: usize, has_spare_processors: bool) -> Self {
        Self {
            in_flight: Slab::new(),
            in_flight_bytes: 0,
            in_flight_bytes_max: bounds.queue_bytes_max,
            waiting: VecDeque::new(),
            running: 0,
            workers: bounds.workers,
            estimate: CallTimeEstimate::new(),
            has_spare_processors,
            budget: ByteBudget::new(bounds.queue_bytes_max),
            output_bytes_max,
        }
    }

    /// Requests whose call has not ended.
    pub(super) fn len(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether one more request may be read: for each worker one that runs and one that waits, so that few wait here,
    /// and some more if calls are short. There must also be room for what the call may return.
    pub(super) fn has_room(&self) -> bool {
        self.in_flight.len() < 2 * self.workers + if self.estimate.is_short() { SHORT_CALLS_MAX } else { 0 }
            && self.in_flight_bytes < self.in_flight_bytes_max
            && self.budget.has_room_for(self.output_bytes_max)
    }

    /// Puts a request at the end of the queue.
    pub(super) fn add(
        &mut self,
        passage: Passage,
        number: u64,
        key: Option<String>,
        envelope: Envelope,
        frames: Frames,
        span: Span,
    ) {
        let bytes = envelope.bytes() + frames_bytes(&frames);
        let frames = std::iter::once(envelope.identity.clone()).chain(frames).map(Bytes::from).collect();
        let message = Message { metadata: Vec::new(), frames, trace: span.context(), ..Message::default() };
        let ticket = self.in_flight.insert(InFlight { passage, number, envelope, span, bytes, room: None });
        self.in_flight_bytes += bytes;
        self.waiting.push_back(Call { ticket, number, key, message });
    }

    /// Whether a call may start.
    pub(super) fn can_start(&self) -> bool {
        !self.waiting.is_empty() && self.running < self.workers && self.budget.has_room_for(self.output_bytes_max)
    }

    /// The call that is to start next, if one may. `spent` is the time that calls have taken in this turn.
    pub(super) fn next(&mut self, spent: Duration) -> Option<Start> {
        let starts_here = self.estimate.is_short() && spent < SERVE_MAX;
        let waits_for_the_next_turn = self.estimate.is_short() && !starts_here && !self.has_spare_processors;
        if self.running == self.workers || waits_for_the_next_turn {
            return None;
        }
        let ticket = self.waiting.front()?.ticket;
        // A call starts only if there is room for all that it may return.
        let room = self.budget.reserve(self.output_bytes_max)?;
        self.in_flight.get_mut(ticket)?.room = Some(room);
        let call = self.waiting.pop_front()?;
        self.running += 1;
        Some(if starts_here { Start::OnLoopThread(call) } else { Start::InRuntime(call) })
    }

    /// A call that started on the loop's thread did not end at once: it waits for something, or has used up its tick.
    pub(super) fn goes_on(&mut self) {
        self.estimate.note(Duration::MAX);
    }

    /// Removes the request of a call that has ended, and returns it.
    pub(super) fn end(&mut self, ticket: Ticket, took: Duration) -> Option<InFlight> {
        let ended = self.in_flight.try_remove(ticket)?;
        self.in_flight_bytes -= ended.bytes;
        self.running -= 1;
        self.estimate.note(took);
        Some(ended)
    }
}
