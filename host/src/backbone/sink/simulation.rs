//! The core of a sink in simulated worlds: servers that store and do not answer, or late, or twice, or cannot store, and
//! connections that end at any moment.

use super::core::{Answer, SendingCore};
use crate::flow::simulation::{Random, simulate};
use crate::ledger::Reason;
use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

struct World<'a> {
    random: &'a mut Random,
    core: SendingCore<u64>,
    in_flight_max: u64,
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
                self.core.expire(self.now);
                if !is_over && self.random.one_in(20) {
                    // Some of what is on its way is stored, and heard of by the next connection at most.
                    (0..self.random.below(self.sent.len() as u64 + 1)).for_each(|_| self.store(true));
                    self.sent.clear();
                    if self.random.one_in(2) {
                        self.answers.clear();
                    }
                    self.core.disconnected(self.now);
                }
            }
        }
        let unfinished = self.offered - (self.acknowledged.len() + self.refused.len()) as u64;
        assert!(self.core.is_empty() == (unfinished == 0) && unfinished <= self.in_flight_max);
    }

    fn store(&mut self, is_well: bool) {
        let Some((number, message)) = self.sent.pop_front() else { return };
        let answer = match self.random.below(8) {
            _ if Self::is_refused(message) => Answer::Refused(Reason::NotStored),
            0 if !is_well && self.has_gaps => Answer::Unknown("it cannot now".to_owned()),
            which => {
                if self.known.insert(message) {
                    self.stored.push(message);
                }
                match which {
                    // It is stored, and the answer is lost.
                    1 if !is_well => return,
                    2 if !is_well => self.answers.push((number, Answer::Acknowledged)),
                    _ => {}
                }
                Answer::Acknowledged
            }
        };
        self.answers.push((number, answer));
    }
}

#[test]
fn simulation_of_a_sink_that_is_not_answered() {
    simulate(|random| {
        let in_flight_max = 1 + random.below(8);
        let has_gaps = random.one_in(2);
        let mut world = World {
            core: SendingCore::new(in_flight_max as usize, Duration::from_secs(2)),
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
