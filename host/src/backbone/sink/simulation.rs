//! The core of a sink in simulated worlds: servers that store and do not answer, cannot store, and connections that end at any
//! moment.

use super::core::{Answer, SendingCore};
use crate::flow::simulation::{Random, simulate};
use crate::ledger::Reason;
use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

struct World<'a> {
    random: &'a mut Random,
    core: SendingCore<u64>,
    in_flight_max: usize,
    /// What is on its way to the server, and on its way back.
    sent: VecDeque<(u64, u64)>,
    answers: Vec<(u64, Answer)>,
    /// Whether the server at times does not store what comes, and stores what comes behind it.
    has_gaps: bool,
    stored: Vec<u64>,
    known: BTreeSet<u64>,
    offered: u64,
    acknowledged: BTreeSet<u64>,
    refused: BTreeSet<u64>,
    now: Instant,
}

impl World<'_> {
    /// Each thirteenth message is one that no server stores.
    fn is_refused(message: u64) -> bool {
        message % 13 == 12
    }

    fn step(&mut self, is_over: bool) {
        match self.random.below(6) {
            0 if !is_over && self.core.has_room() => {
                self.core.add(self.offered);
                self.offered += 1;
            }
            1 | 2 => {
                if let Some((number, message)) = self.core.next(self.now) {
                    self.sent.push_back((number, *message));
                }
            }
            3 => self.store(is_over),
            4 if !self.answers.is_empty() => {
                let index = self.random.below(self.answers.len() as u64) as usize;
                let (number, answer) = self.answers.swap_remove(index);
                match self.core.answered(number, answer, self.now) {
                    Some((message, Ok(()))) => assert!(self.acknowledged.insert(message)),
                    Some((message, Err(_))) => assert!(self.refused.insert(message)),
                    None => {}
                }
            }
            _ => {
                self.now += Duration::from_millis(self.random.below(3_000));
                if !is_over && self.random.one_in(20) {
                    // Some of what is on its way is stored, and nobody hears of it.
                    (0..self.random.below(self.sent.len() as u64 + 1)).for_each(|_| self.store(true));
                    self.sent.clear();
                    self.answers.clear();
                    self.core.disconnected(self.now);
                }
            }
        }
        assert!(self.core.is_empty() == (self.acknowledged.len() + self.refused.len() == self.offered as usize));
    }

    fn store(&mut self, is_well: bool) {
        let Some((number, message)) = self.sent.pop_front() else { return };
        let unknown = || Answer::Unknown("timed out".to_owned());
        let answer = match self.random.below(8) {
            _ if Self::is_refused(message) => Answer::Refused(Reason::NotStored),
            0 if !is_well && self.has_gaps => unknown(),
            which => {
                if self.known.insert(message) {
                    self.stored.push(message);
                }
                // It is stored, and the answer is lost.
                if which == 1 && !is_well { unknown() } else { Answer::Acknowledged }
            }
        };
        self.answers.push((number, answer));
    }
}

#[test]
fn simulation_of_a_sink_that_is_not_answered() {
    simulate(|random| {
        let in_flight_max = 1 + random.below(8) as usize;
        let has_gaps = random.one_in(2);
        let mut world = World {
            core: SendingCore::new(in_flight_max),
            in_flight_max,
            has_gaps,
            now: Instant::now(),
            sent: VecDeque::new(),
            answers: Vec::new(),
            stored: Vec::new(),
            known: BTreeSet::new(),
            offered: 0,
            acknowledged: BTreeSet::new(),
            refused: BTreeSet::new(),
            random,
        };
        let mut steps = 50 + world.random.below(500);
        for _ in 0..steps {
            world.step(false);
            assert!(world.sent.len() + world.answers.len() <= world.in_flight_max);
        }
        while !world.core.is_empty() {
            world.step(true);
            steps += 1;
            assert!(steps < 100_000, "it goes on for ever");
        }
        let expected: Vec<_> = (0..world.offered).filter(|message| !World::is_refused(*message)).collect();
        if !has_gaps {
            assert_eq!(world.stored, expected);
        }
        assert!(world.acknowledged.iter().eq(&expected) && world.stored.len() == expected.len());
        assert_eq!(world.refused.len() as u64, world.offered - expected.len() as u64);
        steps
    });
}
