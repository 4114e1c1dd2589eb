//! The messages that workers have, each for a bounded time.

use super::job::Job;
use super::workers::WorkerId;
use crate::messaging::workers::protocol::Token;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// A message that a worker has.
pub(super) struct InHand {
    /// None once nobody waits for the answer any more. The worker has it still, and is not ready before it has answered.
    pub(super) job: Option<Job>,
    pub(super) since: Instant,
    /// It is on its way, and no longer among the actions that are to be done.
    pub(super) is_sent: bool,
    deadline: Instant,
}

/// All of them, by the worker and the token under which it has got them.
#[derive(Default)]
pub(super) struct InHands {
    by_token: BTreeMap<(WorkerId, Token), InHand>,
    deadlines: BTreeSet<(Instant, WorkerId, Token)>,
}

impl InHands {
    pub(super) fn add(&mut self, worker: WorkerId, token: Token, job: Job, since: Instant, deadline: Instant) {
        self.deadlines.insert((deadline, worker, token));
        self.by_token.insert((worker, token), InHand { job: Some(job), since, is_sent: false, deadline });
    }

    pub(super) fn get_mut(&mut self, worker: WorkerId, token: Token) -> Option<&mut InHand> {
        self.by_token.get_mut(&(worker, token))
    }

    pub(super) fn remove(&mut self, worker: WorkerId, token: Token) -> Option<InHand> {
        let hand = self.by_token.remove(&(worker, token))?;
        self.deadlines.remove(&(hand.deadline, worker, token));
        Some(hand)
    }

    /// All that a worker has, which is lost.
    pub(super) fn remove_all(&mut self, worker: WorkerId) -> Vec<InHand> {
        let tokens: Vec<_> =
            self.by_token.range((worker, 0)..=(worker, Token::MAX)).map(|((_, token), _)| *token).collect();
        tokens.into_iter().filter_map(|token| self.remove(worker, token)).collect()
    }

    /// One whose deadline has passed, and that somebody waited for until then, with who has it and under which token. The
    /// worker keeps it.
    pub(super) fn next_overdue(&mut self, now: Instant) -> Option<(WorkerId, Token, Job)> {
        loop {
            let (deadline, worker, token) = *self.deadlines.first()?;
            if deadline > now {
                return None;
            }
            self.deadlines.pop_first();
            if let Some(job) = self.get_mut(worker, token).and_then(|hand| hand.job.take()) {
                return Some((worker, token, job));
            }
        }
    }

    /// When the next deadline is.
    pub(super) fn due(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, ..)| *deadline)
    }

    /// Those for whose answer somebody waits.
    pub(super) fn wanted(&self) -> usize {
        let is_wanted = |hand: &&InHand| hand.job.as_ref().is_some_and(|job| !job.new.reply.is_unwanted());
        self.by_token.values().filter(is_wanted).count()
    }

    pub(super) fn len(&self) -> usize {
        self.by_token.len()
    }
}
