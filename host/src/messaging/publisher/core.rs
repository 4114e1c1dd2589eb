//! What the publisher decides, apart from what it moves: it is told what has happened and what time it is, and says what is
//! to be done next.
//!
//! The order of things is: take what is queued; listen to subscribers, for a bounded time; send what was taken, and listen
//! again after so many messages; then rest. A message for which a subscriber has no room is tried again until it is sent or
//! given up, and the ones behind it wait.

mod action;
mod batching;
mod renewal;
mod retained;
#[cfg(test)]
mod simulation;
mod subscriptions;

pub(super) use action::{Action, Message, Outcome};
pub(super) use subscriptions::Excess;

use crate::config::{self, OnFull};
use crate::flow::mailbox::Room;
use crate::ledger::Reason;
use crate::messaging::socket::monitor::Descriptor;
use batching::Batching;
use renewal::Renewal;
use retained::{Retained, RetainedMessages};
use std::collections::VecDeque;
use std::slice;
use std::time::{Duration, Instant};
use subscriptions::Subscriptions;
use zmq_sys::beyond::Told;

/// How long messages gather while many come. A wake-up, a send and a signal for each of them would cost more than all that
/// is done with the message before.
const NAP: Duration = Duration::from_micros(500);
/// How often a message that was refused is tried again: libzmq does not tell when there is room.
const RETRY: Duration = Duration::from_millis(2);
/// How long libzmq may take to be rid of a subscriber whose connection was ended.
const CUT_OFF_MAX: Duration = Duration::from_secs(1);
/// After so many attempts in which no subscriber could be cut off, a message is dropped.
const VAIN_ATTEMPTS_MAX: u32 = 3;
/// After so many messages the loop listens again: a long batch must not keep a new subscriber waiting.
const BATCH: usize = 1_000;
/// After so many changes of subscriptions the loop publishes again.
const CHANGES: usize = 256;
/// The same after so much time: what is retained has to be searched for some of them.
const TURN: Duration = Duration::from_millis(2);

/// What is done before a message is tried again, where it is to wait.
const WAIT: &[Action<'static>] = &[Action::Pause(RETRY)];
/// The same where who has no room is to go. The first pause takes in what subscribers have read meanwhile, so that nobody
/// is ended who has room again.
const CUT_OFF: &[Action<'static>] =
    &[Action::Pause(RETRY), Action::AskDepths, Action::Pause(RETRY), Action::CutOff, Action::Pause(RETRY)];

/// The state of the publisher.
pub(super) struct Core {
    on_full: OnFull,
    /// How long it sleeps at most.
    sleep_max: Duration,
    step: Step,
    /// What is done before that.
    detour: slice::Iter<'static, Action<'static>>,
    messages: VecDeque<(Message, Room)>,
    /// For the message in front.
    attempt: Option<Attempt>,
    /// Messages since it has listened.
    unheard: usize,
    more_may_come: bool,
    batching: Batching,
    are_many: bool,
    subscriptions: Subscriptions,
    renewal: Renewal,
    retained: Option<RetainedMessages>,
}

#[derive(Clone, Copy)]
enum Step {
    Take,
    Listen,
    /// Changes of subscriptions have their turn.
    Receive {
        since: Instant,
        changes: usize,
        more: bool,
    },
    Send,
}

struct Attempt {
    since: Instant,
    was_full: bool,
    vain: u32,
}

impl Core {
    pub(super) fn new(config: &config::Publisher, sleep_max: Duration, now: Instant) -> Self {
        let retained = || RetainedMessages::new(config.retain_topics_max, config.retain_bytes_max);
        Self {
            on_full: config.on_full,
            sleep_max,
            step: Step::Take,
            detour: [].iter(),
            messages: VecDeque::new(),
            attempt: None,
            unheard: 0,
            more_may_come: true,
            batching: Batching::new(now),
            are_many: false,
            subscriptions: Subscriptions::default(),
            renewal: Renewal::new(now),
            retained: config.retain.then(retained),
        }
    }

    /// What is to be done next. Once the publisher is to end, `end` says by when all has to have left.
    pub(super) fn next(&mut self, now: Instant, end: Option<Instant>) -> Action<'_> {
        if let Some(action) = self.detour.next() {
            return *action;
        }
        match self.step {
            Step::Take => {
                self.step = Step::Listen;
                Action::Take
            }
            // After messages were taken: whoever subscribed before a request is to get its message.
            Step::Listen => {
                (self.step, self.unheard) = (Step::Receive { since: now, changes: 0, more: true }, 0);
                Action::Listen
            }
            Step::Receive { since, changes, more } => {
                if more && changes < CHANGES && now - since < TURN {
                    return Action::Receive;
                }
                self.step = Step::Send;
                if changes > 0 {
                    self.renewal.spend(now - since);
                }
                if !more && self.renewal.due() <= now { Action::TakeMore } else { self.send(now, end) }
            }
            Step::Send => self.send(now, end),
        }
    }

    fn send(&mut self, now: Instant, end: Option<Instant>) -> Action<'_> {
        if self.attempt.as_ref().is_some_and(|attempt| attempt.was_full) {
            return self.try_again(now, end);
        }
        if self.messages.is_empty() {
            return self.rest(now, end);
        }
        if self.unheard >= BATCH {
            self.step = Step::Listen;
            return self.next(now, end);
        }
        self.attempt.get_or_insert(Attempt { since: now, was_full: false, vain: 0 });
        Action::Send(&self.messages[0].0)
    }

    /// What is done about a message for which a subscriber has no room.
    fn try_again(&mut self, now: Instant, end: Option<Instant>) -> Action<'_> {
        let Some(attempt) = &mut self.attempt else { return self.send(now, end) };
        attempt.was_full = false;
        let (until, detour) = match self.on_full {
            OnFull::CutOff => (Some(attempt.since + CUT_OFF_MAX), CUT_OFF),
            OnFull::DropNewest => (Some(attempt.since), WAIT),
            OnFull::Block => (end, WAIT),
        };
        if until.is_some_and(|until| now >= until) {
            self.settle(Err(Reason::SubscriberFull));
        } else {
            self.detour = detour.iter();
        }
        self.next(now, end)
    }

    fn rest(&mut self, now: Instant, end: Option<Instant>) -> Action<'_> {
        if !self.more_may_come {
            return Action::End(end.map_or(Duration::ZERO, |end| end.saturating_duration_since(now)));
        }
        self.step = Step::Take;
        if self.are_many { Action::Nap(NAP) } else { Action::Sleep(self.renewal.due().min(now + self.sleep_max)) }
    }

    /// Where messages are put that were queued.
    pub(super) fn messages(&mut self) -> &mut VecDeque<(Message, Room)> {
        &mut self.messages
    }

    /// All that was queued is in [`Self::messages`], and more may come or not.
    pub(super) fn taken(&mut self, more_may_come: bool, now: Instant) {
        self.more_may_come = more_may_come;
        self.are_many = self.batching.are_many(self.messages.len(), now);
    }

    /// There was one more change of a subscription, or none.
    pub(super) fn received(&mut self, any: bool) {
        if let Step::Receive { changes, more, .. } = &mut self.step {
            *changes += usize::from(any);
            *more = any;
        }
    }

    /// The message that a peer is handed for its new subscription, if there is one.
    pub(super) fn subscribed(&mut self, peer: Descriptor, topic: &[u8]) -> Option<Retained> {
        self.retained.as_mut()?.hand_over(topic, Some(peer))
    }

    /// A peer has changed a subscription by a message of so many bytes. Returns who has to go for it, if anybody.
    pub(super) fn changed(&mut self, peer: Descriptor, told: Told, bytes: usize, now: Instant) -> Option<Excess> {
        self.subscriptions.take_in(peer, told, bytes, now)
    }

    /// A peer has gone.
    pub(super) fn gone(&mut self, peer: Descriptor) {
        self.subscriptions.gone(peer);
        if let Some(retained) = &mut self.retained {
            retained.gone(peer);
        }
    }

    /// Subscribers could hand over more from `now` on, and `time` went by over that.
    pub(super) fn renewed(&mut self, now: Instant, time: Duration) {
        self.renewal.renewed(now, time);
    }

    /// What has come of sending the message in front.
    pub(super) fn sent(&mut self, outcome: Outcome) {
        match (outcome, &mut self.attempt) {
            (Outcome::Full, Some(attempt)) => attempt.was_full = true,
            (Outcome::Full, None) => {}
            (Outcome::Out, _) => self.settle(Ok(())),
            (Outcome::NoSubscriber, _) => self.settle(Err(Reason::NoSubscriber)),
            (Outcome::Failed, _) => self.settle(Err(Reason::SendFailed)),
        }
    }

    /// The connections of those that have no room were ended, if there were any.
    pub(super) fn cut_off(&mut self, any: bool) {
        let Some(attempt) = self.attempt.as_mut().filter(|_| !any) else { return };
        attempt.vain += 1;
        if attempt.vain > VAIN_ATTEMPTS_MAX {
            self.detour = [].iter();
            self.settle(Err(Reason::SubscriberFull));
        }
    }

    /// Counts the end of the message in front.
    fn settle(&mut self, end: Result<(), Reason>) {
        self.attempt = None;
        self.unheard += 1;
        let Some((Message { topic, body, passage }, _room)) = self.messages.pop_front() else { return };
        if let Some(retained) = &mut self.retained {
            retained.keep(Retained { topic: (&*topic).into(), body });
        }
        match end {
            Ok(()) => passage.out(),
            Err(reason) => passage.dropped(reason),
        }
    }

    /// Whether the last message of each topic is kept.
    pub(super) fn retains(&self) -> bool {
        self.retained.is_some()
    }

    /// All subscriptions that there are.
    pub(super) fn subscriptions(&self) -> u64 {
        self.subscriptions.total()
    }
}
