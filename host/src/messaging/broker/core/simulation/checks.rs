//! The model's checks of the core: after each turn, while it sleeps, and after its end.

use super::MS;
use super::model::{Model, OUTPUT_BYTES_MAX};
use super::traffic::Client;
use crate::flow::State;
use crate::ledger::Reason;
use crate::messaging::broker::Hops;
use crate::messaging::broker::core::{Progress, RETRY};
use std::time::Instant;

impl Model {
    /// What must hold after each turn.
    pub(super) fn check(&mut self, progress: Progress, now: Instant) {
        assert!(self.letters.is_empty(), "these were lost without a letter: {:?}", self.letters);
        let is_due = |client: &Client| client.is_held || client.due.is_empty();
        assert!(self.clients.iter().all(is_due), "something is due, was not sent, and has not found its client full");
        let held = self.clients.iter().map(|client| client.due.len()).sum();
        let (in_flight, scheduled) = (self.waiting + self.running, self.scheduled.len());
        self.policy.in_flight = in_flight as u64;
        self.schedule.in_flight = scheduled as u64;
        self.reply.in_flight = held as u64;
        let Hops { policy, schedule, reply, .. } = &self.hops;
        for (hop, expected) in [(policy, &self.policy), (schedule, &self.schedule), (reply, &self.reply)] {
            let counts = hop.figures();
            assert!(counts.balanced(), "{counts:?}");
            assert_eq!(&counts, expected, "what was counted, and what happened");
        }
        let Progress { requests_in_flight, replies_scheduled, replies_held, .. } = progress;
        assert_eq!((requests_in_flight, replies_scheduled, replies_held), (in_flight, scheduled, held));
        assert!(self.reply_bytes + self.running * OUTPUT_BYTES_MAX <= self.bytes_max + OUTPUT_BYTES_MAX);

        if self.state == State::Draining && in_flight + scheduled + held == 0 {
            self.state = State::Drained;
        }
        assert_eq!(progress.state, self.state);
        self.is_reported = progress.obstacle.is_some();
        self.hindered_since = self.is_hindered().then(|| self.hindered_since.unwrap_or(now));
        if self.deadline.is_none() {
            let lasts = self.hindered_since.is_some_and(|since| now >= since + MS * 1_000);
            assert!(!lasts || self.is_reported, "nobody is told why nothing is read");
            assert!(!self.is_reported || self.is_hindered(), "something is told to keep it from reading that does not");
        }
    }

    /// How many times something has entered or left a hop so far.
    pub(super) fn moves(&self) -> u64 {
        [&self.policy, &self.schedule, &self.reply].iter().map(|hop| hop.entered + hop.out).sum()
    }

    fn is_hindered(&self) -> bool {
        let is_full = self.all_scheduled.replies >= self.replies_max || self.all_scheduled.bytes >= self.bytes_max;
        is_full || self.clients.iter().any(|client| client.is_held)
    }

    /// What must hold while the loop sleeps, until `due` if nothing comes in.
    pub(super) fn check_rest(&self, due: Option<Instant>, now: Instant, nothing_has_arrived: bool) {
        let is_crowded = self.scheduled.len() > self.replies_max / 2 || self.all_scheduled.bytes > self.bytes_max / 2;
        let wants = [
            (self.scheduled.first_key_value().map(|((due, _), _)| *due), "a reply falls due"),
            (self.clients.iter().any(|client| client.is_held).then(|| now + RETRY), "a client may have room"),
            (is_crowded.then(|| now + MS * 250), "clients may have gone"),
            (self.deadline, "the grace period ends"),
            (
                self.hindered_since
                    .filter(|_| !self.is_reported && self.deadline.is_none())
                    .map(|since| since + MS * 1_000),
                "it is to be told why nothing is read",
            ),
        ];
        for (want, why) in wants.into_iter().filter_map(|(want, why)| Some((want?, why))) {
            assert!(due.is_some_and(|due| due <= want), "it sleeps too long: {why}");
        }
        let may_begin = self.waiting > 0 && self.running < self.workers && self.has_room();
        assert!(!may_begin, "a call could begin, and the loop sleeps");
        let is_few = self.waiting + self.running < 2 * self.workers;
        let must_read = self.may_read().is_ok() && !self.is_hindered() && is_few && self.has_room();
        assert!(
            nothing_has_arrived || !must_read,
            "a request has arrived, nothing stands against it, and the loop sleeps"
        );
    }

    /// What must hold after the core was dropped, with so many requests and replies `left` in it.
    pub(super) fn check_end(&self, left: (usize, usize)) {
        let Hops { policy, schedule, reply, .. } = &self.hops;
        let counts = [policy, schedule, reply].map(|hop| hop.figures());
        assert!(counts.iter().all(|counts| counts.balanced() && counts.in_flight == 0), "{counts:?}");
        let abandoned = counts.map(|counts| counts.dropped(Reason::Abandoned) as usize);
        assert_eq!((abandoned[0], abandoned[1] + abandoned[2]), left, "what is given up is counted");
    }
}
