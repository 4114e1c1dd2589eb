//! The decisions of the publisher, without I/O: it gets events and the time, and returns the action that is to be
//! performed next.
//!
//! The order is: take what is queued; receive the changes of subscriptions, for a bounded time; send what was taken,
//! and receive again after so many messages; then sleep. A message for which a subscriber has no room is tried again
//! until it is sent or given up, and the ones behind it wait.

mod action;
mod renewal;
mod retained;
#[cfg(test)]
mod simulation;
mod subscriptions;

pub(super) use action::{Action, Outcome, QueuedMessage, topic_of};
pub(super) use subscriptions::Excess;

use crate::config::{self, OnFull};
use crate::flow::mailbox::Room;
use crate::ledger::Reason;
use crate::messaging::batching::Batching;
use crate::messaging::socket::monitor::Descriptor;
use renewal::Renewal;
use retained::{Retained, RetainedMessages};
use std::collections::VecDeque;
use std::slice;
use std::time::{Duration, Instant};
use subscriptions::Subscriptions;
use zmq_sys::beyond::Told;

/// How long messages gather while many come. Waking this thread, sending, and signalling libzmq's thread for each
/// message would cost more than all other work on it.
const GATHER_TIME: Duration = Duration::from_micros(500);
/// How often a message that was refused is tried again: libzmq does not report when there is room.
const RETRY: Duration = Duration::from_millis(2);
/// How long a message is tried again while subscribers that have no room are cut off. libzmq takes a while to remove
/// one.
const CUT_OFF_MAX: Duration = Duration::from_secs(1);
/// A message is dropped after more than so many attempts in which no subscriber could be cut off.
const VAIN_CUT_OFFS_MAX: u32 = 3;
/// After so many messages the loop looks at subscribers again: a long batch must not keep a new subscriber waiting.
const BATCH: usize = 1_000;
/// After so many changes of subscriptions the loop sends again.
const CHANGES: usize = 256;
/// The loop sends again after so much time, too: some changes take a search among the retained messages.
const TURN: Duration = Duration::from_millis(2);

/// What is done before a message is tried again, if it is to wait.
const WAIT: &[Action<'static>] = &[Action::Pause(RETRY)];
/// The same if subscribers without room are to be cut off. In the first pause libzmq learns what subscribers have read
/// meanwhile, so that none is cut off that has room again.
const CUT_OFF: &[Action<'static>] =
    &[Action::Pause(RETRY), Action::AskDepths, Action::Pause(RETRY), Action::CutOff, Action::Pause(RETRY)];

/// The state of the publisher.
pub(super) struct PublisherCore {
    on_full: OnFull,
    /// The longest sleep.
    sleep_max: Duration,
    step: Step,
    /// Actions that come before the step.
    retry_actions: slice::Iter<'static, Action<'static>>,
    messages: VecDeque<(QueuedMessage, Room)>,
    /// The attempt to send the message in front.
    attempt: Option<Attempt>,
    /// How many messages were sent or dropped since the last [`Action::Listen`].
    sent_since_listen: usize,
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
    /// Changes of subscriptions are received.
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
    vain_cut_offs: u32,
}

impl PublisherCore {
    pub(super) fn new(config: &config::Publisher, sleep_max: Duration, now: Instant) -> Self {
        let retained = || RetainedMessages::new(config.retain_topics_max, config.retain_bytes_max);
        Self {
            on_full: config.on_full,
            sleep_max,
            step: Step::Take,
            retry_actions: [].iter(),
            messages: VecDeque::new(),
            attempt: None,
            sent_since_listen: 0,
            more_may_come: true,
            batching: Batching::new(now),
            are_many: false,
            subscriptions: Subscriptions::default(),
            renewal: Renewal::new(now),
            retained: config.retain.then(retained),
        }
    }

    /// The action that is to be performed next. Once the publisher is to end, `end` is the time by which all messages
    /// have to be sent.
    pub(super) fn next(&mut self, now: Instant, end: Option<Instant>) -> Action<'_> {
        if let Some(action) = self.retry_actions.next() {
            return *action;
        }
        match self.step {
            Step::Take => {
                self.step = Step::Listen;
                Action::Take
            }
            // After messages were taken, so that who subscribed before an HTTP request gets its message.
            Step::Listen => {
                (self.step, self.sent_since_listen) = (Step::Receive { since: now, changes: 0, more: true }, 0);
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
        if self.sent_since_listen >= BATCH {
            self.step = Step::Listen;
            return self.next(now, end);
        }
        self.attempt.get_or_insert(Attempt { since: now, was_full: false, vain_cut_offs: 0 });
        Action::Send(&self.messages[0].0)
    }

    /// Tries a message again for which a subscriber has no room, or drops it.
    fn try_again(&mut self, now: Instant, end: Option<Instant>) -> Action<'_> {
        let Some(attempt) = &mut self.attempt else { return self.send(now, end) };
        attempt.was_full = false;
        let (until, retry_actions) = match self.on_full {
            OnFull::CutOff => (Some(attempt.since + CUT_OFF_MAX), CUT_OFF),
            OnFull::DropNewest => (Some(attempt.since), WAIT),
            OnFull::Block => (end, WAIT),
        };
        if until.is_some_and(|until| now >= until) {
            self.settle(Err(Reason::SubscriberFull));
        } else {
            self.retry_actions = retry_actions.iter();
        }
        self.next(now, end)
    }

    fn rest(&mut self, now: Instant, end: Option<Instant>) -> Action<'_> {
        if !self.more_may_come {
            return Action::End(end.map_or(Duration::ZERO, |end| end.saturating_duration_since(now)));
        }
        self.step = Step::Take;
        if self.are_many {
            Action::Gather(GATHER_TIME)
        } else {
            Action::Sleep(self.renewal.due().min(now + self.sleep_max))
        }
    }

    /// The messages that are to be sent, to which queued ones are appended.
    pub(super) fn messages(&mut self) -> &mut VecDeque<(QueuedMessage, Room)> {
        &mut self.messages
    }

    /// All queued messages were moved to [`Self::messages`].
    pub(super) fn taken(&mut self, more_may_come: bool, now: Instant) {
        self.more_may_come = more_may_come;
        self.are_many = self.batching.are_many(self.messages.len(), now);
    }

    /// Takes in whether there was one more change of a subscription.
    pub(super) fn received(&mut self, any: bool) {
        if let Step::Receive { changes, more, .. } = &mut self.step {
            *changes += usize::from(any);
            *more = any;
        }
    }

    /// The retained message that a peer gets for its new subscription, if there is one.
    pub(super) fn subscribed(&mut self, peer: Descriptor, topic: &[u8]) -> Option<Retained> {
        self.retained.as_mut()?.hand_over(topic, Some(peer))
    }

    /// A peer has changed a subscription by a message of so many bytes. Returns the peer that is to be cut off for it,
    /// if any.
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

    /// From `now` on libzmq takes more changes from subscribers; to have it do so took `time`.
    pub(super) fn renewed(&mut self, now: Instant, time: Duration) {
        self.renewal.renewed(now, time);
    }

    /// Takes in the outcome of sending the message in front.
    pub(super) fn sent(&mut self, outcome: Outcome) {
        match (outcome, &mut self.attempt) {
            (Outcome::Full, Some(attempt)) => attempt.was_full = true,
            (Outcome::Full, None) => {}
            (Outcome::Out, _) => self.settle(Ok(())),
            (Outcome::NoSubscriber, _) => self.settle(Err(Reason::NoSubscriber)),
            (Outcome::Failed, _) => self.settle(Err(Reason::SendFailed)),
        }
    }

    /// Takes in whether any subscriber was cut off for having no room.
    pub(super) fn cut_off(&mut self, any: bool) {
        let Some(attempt) = self.attempt.as_mut().filter(|_| !any) else { return };
        attempt.vain_cut_offs += 1;
        if attempt.vain_cut_offs > VAIN_CUT_OFFS_MAX {
            self.retry_actions = [].iter();
            self.settle(Err(Reason::SubscriberFull));
        }
    }

    /// Removes the message in front, counts its end, and retains it.
    fn settle(&mut self, end: Result<(), Reason>) {
        self.attempt = None;
        self.sent_since_listen += 1;
        let Some((QueuedMessage { frames, passage, mut span }, _room)) = self.messages.pop_front() else { return };
        if let Some(retained) = &mut self.retained {
            retained.keep(Retained { topic: topic_of(&frames).into(), frames });
        }
        match end {
            Ok(()) => {
                span.settle();
                passage.out();
            }
            Err(reason) => {
                match (reason, span.recording()) {
                    // It is no failure that nobody wants it.
                    (Reason::NoSubscriber, Some(span)) => span.settle_for(reason.as_str()),
                    _ => span.fail(reason.as_str(), ""),
                }
                passage.dropped(reason);
            }
        }
    }

    /// Whether the last message of each topic is retained.
    pub(super) fn retains(&self) -> bool {
        self.retained.is_some()
    }

    /// The number of all subscriptions.
    pub(super) fn subscriptions(&self) -> u64 {
        self.subscriptions.total()
    }
}
