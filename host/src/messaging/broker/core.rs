//! The decisions of the broker, without I/O: it gets events and the time, and returns the actions that are to be
//! performed.
//!
//! It owns every request and reply inside the broker, from the arrival of a request to the end of its last reply, each
//! with its passage. The thread around it moves messages and runs calls. A simulation drives it through cases that
//! tests with sockets do not reach.

mod action;
mod call;
mod call_queue;
mod client_shares;
mod outbox;
mod reply;
mod schedule;
#[cfg(test)]
mod simulation;
mod spans;
mod state;
mod waiting_replies;

pub(super) use action::{Action, NO_ROOM, Sent, UNREACHABLE};
pub(super) use call::{Call, Ended, Start, Ticket};
pub(super) use reply::QueuedReply;
pub(super) use state::{BrokerCommand, Progress};

use super::envelope::{Envelope, NoRequest};
use super::origin::Origin;
use super::{Hops, Settings};
use crate::byte_budget::Held;
use crate::config::{EnvelopeKind, OnFull};
use crate::flow::{Command, Failed, Outputs, State};
use crate::ledger::Reason;
use crate::messaging::socket::Frames;
use crate::messaging::socket::reading::{Obstacle, Reading};
use crate::record::dead_letters::{Input, NewLetter};
use call_queue::CallQueue;
use client_shares::Share;
use outbox::Outbox;
use reply::{delayed, reply_bytes};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use waiting_replies::WaitingReplies;

/// How many replies become due in one turn, and how many requests are read in it.
pub(super) const BATCH: usize = 100;

/// How often a reply for which there was no room is tried again: libzmq does not report when a client of a ROUTER has
/// room.
pub(super) const RETRY: Duration = Duration::from_millis(5);

/// The state of the broker.
pub(super) struct BrokerCore {
    hops: Hops,
    /// What the surface is called.
    surface: &'static str,
    /// The name of the policy.
    policy: String,
    envelope: EnvelopeKind,
    frames_max: usize,
    on_full: OnFull,
    state: State,
    /// The end of the grace period, once it was commanded to end.
    deadline: Option<Instant>,
    calls: CallQueue,
    waiting: WaitingReplies,
    outbox: Outbox,
    actions: VecDeque<Action<'static>>,
    reading: Reading,
    /// The obstacle that is reported.
    obstacle: Option<Obstacle>,
}

impl BrokerCore {
    /// For a broker with the `policy` of this name. `has_spare_processors` says whether calls can run in the runtime
    /// without taking a processor from the broker's own threads.
    pub(super) fn new(settings: &Settings, policy: &str, has_spare_processors: bool, hops: Hops, now: Instant) -> Self {
        let Settings { name, messaging, broker, output_bytes_max, .. } = settings;
        let share = Share { replies: messaging.queue_messages_max, bytes: messaging.queue_bytes_max };
        Self {
            hops,
            surface: name,
            policy: policy.to_owned(),
            envelope: broker.envelope,
            frames_max: messaging.frames_max,
            on_full: broker.on_full,
            state: State::Running,
            deadline: None,
            calls: CallQueue::new(messaging, *output_bytes_max, has_spare_processors),
            waiting: WaitingReplies::new(share, now),
            outbox: Outbox::default(),
            actions: VecDeque::new(),
            reading: Reading::default(),
            obstacle: None,
        }
    }

    /// Executes a command.
    pub(super) fn command(&mut self, command: BrokerCommand) {
        match command {
            BrokerCommand::Surface(Command::Pause) => self.change_state(State::Paused),
            BrokerCommand::Surface(Command::Resume) => self.change_state(State::Running),
            BrokerCommand::Surface(Command::Drain) => self.change_state(State::Draining),
            BrokerCommand::End(deadline) => self.deadline = Some(deadline),
        }
    }

    fn change_state(&mut self, state: State) {
        if std::mem::replace(&mut self.state, state) != state {
            tracing::info!(?state, "broker");
        }
    }

    /// Whether requests are to be read: only while there is room for them and for their replies.
    pub(super) fn reads(&self) -> bool {
        self.deadline.is_none() && self.state == State::Running && self.has_room() && self.obstacle_now().is_none()
    }

    /// Whether one more request can be read right now.
    pub(super) fn has_room(&self) -> bool {
        self.calls.has_room()
    }

    /// How many frames of a message have to be kept.
    pub(super) fn frames_read(&self) -> usize {
        Envelope::frames_read(self.frames_max)
    }

    /// Takes in a message from the frontend, with the CURVE key of its sender; `is_let_in` says whether that is still
    /// authorized.
    pub(super) fn receive(&mut self, message: Frames, key: Option<String>, is_let_in: bool) {
        let (passage, number) = self.hops.policy.enter_numbered();
        if !is_let_in {
            return passage.dropped(Reason::KeyRemoved);
        }
        match Envelope::split(message, self.envelope, self.frames_max) {
            Ok((envelope, frames)) => {
                let span = spans::of_request(&self.hops.tracer, self.surface, &frames);
                self.calls.add(passage, number, key, envelope, frames, span);
            }
            Err(NoRequest::NoBody) => {
                tracing::debug!("request without a body");
                passage.dropped(Reason::NoBody);
            }
            Err(NoRequest::TooManyFrames) => {
                tracing::debug!(frames_max = self.frames_max, "request with more frames than allowed");
                passage.dropped(Reason::TooLarge);
            }
        }
    }

    /// Whether [`Self::next_call`] would return a call in a new turn.
    pub(super) fn can_start_call(&self) -> bool {
        self.calls.can_start()
    }

    /// The call that is to start next, if one may. `spent` is the time that calls have taken in this turn.
    pub(super) fn next_call(&mut self, spent: Duration) -> Option<Start> {
        self.calls.next(spent)
    }

    /// A call that started on the loop's thread continues in the runtime.
    pub(super) fn call_goes_on(&mut self) {
        self.calls.goes_on();
    }

    /// Takes in the result of a call: its replies are scheduled, or are due at once.
    pub(super) fn call_ended(&mut self, ended: Ended) {
        let Ended { ticket, id, by, result, at, took } = ended;
        let Some(mut request) = self.calls.end(ticket, took) else {
            debug_assert!(false, "no request {ticket} is in flight");
            return;
        };
        match (result, request.room) {
            (Ok(replies), Some(room)) => {
                let origin = Origin { id, number: request.number, by };
                self.schedule(request.envelope, origin, replies, room, at);
                request.span.settle();
                request.passage.out();
            }
            (Err(Failed { failure, input }), _) => {
                // The dead letter is the only report of the failure: the client gets no status.
                let (reason, input) = (failure.reason, Input::request(input));
                let letter =
                    NewLetter::of_call(&self.policy, request.number, by.as_deref(), reason, failure.detail, input);
                self.actions.push_back(Action::WriteDeadLetter(Box::new(letter)));
                request.span.fail(reason.as_str(), &failure.public_detail);
                request.passage.dropped(reason);
            }
            (Ok(_), None) => debug_assert!(false, "it had room before it began"),
        }
    }

    fn schedule(&mut self, envelope: Envelope, origin: Origin, replies: Outputs, mut room: Held, now: Instant) {
        room.settle(replies.iter().map(|reply| reply_bytes(&envelope, reply)).sum());
        let delayed = delayed(&envelope, &replies);
        let admits = delayed.replies == 0 || self.waiting.admits(&envelope.identity, delayed, now);
        let mut due = now;
        let origins = std::iter::repeat_n((envelope, origin), replies.len());
        for (reply, (envelope, origin)) in replies.into_iter().zip(origins) {
            // The delay of a reply begins when the one before it is due; that of the first one begins now.
            due += reply.after;
            let room = room.split(reply_bytes(&envelope, &reply));
            let is_due = admits && due == now;
            let passage = if is_due { self.hops.reply.enter() } else { self.hops.schedule.enter() };
            let span = spans::of_reply(self.surface, &reply.message);
            let reply = QueuedReply { envelope, frames: reply.message.frames, origin, room, passage, span };
            if is_due {
                self.hops.schedule.pass();
                self.outbox.push(reply);
            } else if admits {
                self.waiting.add(due, reply);
            } else {
                // All replies of the call are dropped, never a part of them.
                let cause = "as many replies wait for the client as may";
                self.give_up(reply, Reason::TooManyWaiting, cause.to_owned());
            }
        }
    }

    /// Moves replies that are due by now to the outbox, and has held replies tried again.
    pub(super) fn pass_time(&mut self, now: Instant) {
        self.outbox.retry();
        for _ in 0..BATCH {
            let Some(mut reply) = self.waiting.take_due(now) else { return };
            reply.go_on_to(&self.hops.reply);
            self.outbox.push(reply);
        }
    }

    /// If the schedule is crowded and a check is due, gives up the replies that wait for clients that are no longer
    /// connected.
    pub(super) fn drop_lost(&mut self, now: Instant, is_connected: impl FnMut(&[u8]) -> bool) {
        for mut reply in self.waiting.take_lost(now, is_connected) {
            reply.go_on_to(&self.hops.reply);
            self.give_up(reply, Reason::Unroutable, UNREACHABLE.to_owned());
        }
    }

    /// The action that is to be performed next; none until the next event.
    pub(super) fn next_action(&mut self) -> Option<Action<'_>> {
        self.actions.pop_front().or_else(|| self.outbox.offer().map(Action::Send))
    }

    /// Takes in the result of [`Action::Send`].
    pub(super) fn sent(&mut self, sent: Sent) {
        if matches!(sent, Sent::Full) && self.on_full == OnFull::Block {
            return self.outbox.hold_offered();
        }
        let Some(mut reply) = self.outbox.take_offered() else { return };
        match sent {
            Sent::Out => {
                reply.span.settle();
                reply.passage.out();
            }
            Sent::Full => {
                let cut_off = (self.on_full == OnFull::CutOff).then(|| reply.envelope.identity.clone());
                self.give_up(reply, Reason::ClientFull, NO_ROOM.to_owned());
                self.actions.extend(cut_off.map(Action::CutOff));
            }
            Sent::Failed(reason, cause) => self.give_up(reply, reason, cause),
        }
    }

    fn give_up(&mut self, reply: QueuedReply, reason: Reason, cause: String) {
        let letter = NewLetter { route: self.policy.clone(), ..reply.give_up(reason, cause) };
        self.actions.push_back(Action::WriteDeadLetter(Box::new(letter)));
    }

    /// What keeps requests from being read although the broker runs.
    fn obstacle_now(&self) -> Option<Obstacle> {
        if self.waiting.is_full() {
            Some(Obstacle::ScheduleFull)
        } else {
            // Replies are held only if `on_full` is `block`.
            (self.outbox.held() > 0).then_some(Obstacle::ClientFull)
        }
    }

    /// The progress at the end of a turn.
    pub(super) fn progress(&mut self, now: Instant) -> Progress {
        let obstacle = self.obstacle_now();
        let is_news = obstacle.is_some() || self.reading.is_hindered();
        if is_news
            && self.deadline.is_none()
            && let Some(reported) = self.reading.note(obstacle, now)
        {
            self.obstacle = reported;
        }
        if self.state == State::Draining && self.left() == (0, 0) {
            self.change_state(State::Drained);
        }
        Progress {
            state: self.state,
            requests_in_flight: self.calls.len(),
            replies_scheduled: self.waiting.len(),
            replies_held: self.outbox.held(),
            obstacle: self.obstacle,
        }
    }

    /// How many requests and replies are inside.
    pub(super) fn left(&self) -> (usize, usize) {
        (self.calls.len(), self.waiting.len() + self.outbox.len())
    }

    /// How much of the grace period is left, once it was commanded to end.
    pub(super) fn grace_left(&self, now: Instant) -> Duration {
        self.deadline.map_or(Duration::ZERO, |deadline| deadline.saturating_duration_since(now))
    }

    /// When something is due, if nothing comes in before.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let retry = (self.outbox.held() > 0).then(|| now + RETRY);
        // Obstacles are no longer reported once the broker is to end.
        let reading = self.reading.due().filter(|_| self.deadline.is_none());
        [self.waiting.next_due(), self.waiting.look_due(), reading, self.deadline, retry].into_iter().flatten().min()
    }

    /// Whether it was commanded to end, and nothing more can be sent within the grace period.
    pub(super) fn has_ended(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| {
            let nothing_falls_due = self.waiting.next_due().is_none_or(|due| due > deadline);
            now >= deadline || (self.calls.len() + self.outbox.len() == 0 && nothing_falls_due)
        })
    }
}
