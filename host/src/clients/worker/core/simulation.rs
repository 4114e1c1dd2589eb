//! The core of a worker in simulated worlds: hosts that give messages, fall silent, come back, send workers away and talk
//! nonsense, and commands that answer, fail and die, against a model of what each side may see.

use super::*;
use crate::flow::simulation::{Random, simulate};
use std::collections::VecDeque;

const HEARTBEAT: Duration = Duration::from_millis(1_000);
/// The longest pause, with its jitter.
const PAUSE_MAX: Duration = Duration::from_secs(40);

/// The command, as the core was told to use it.
#[derive(Clone, Copy, PartialEq)]
enum Runner {
    Down,
    Preparing,
    Idle,
    /// It has this message.
    Busy(u64),
}

/// One socket, as the host sees it.
#[derive(Default)]
struct Socket {
    /// Messages that were given and neither answered nor given back, in order.
    given: VecDeque<u64>,
    /// When the worker said something.
    said: Option<Instant>,
    /// When the host said something, or the socket was opened.
    heard: Option<Instant>,
    is_ready: bool,
    has_left: bool,
}

struct World<'a> {
    random: &'a mut Random,
    core: WorkerCore,
    now: Instant,
    socket: Option<Socket>,
    runner: Runner,
    /// The host says nothing until then.
    silent_until: Instant,
    messages: u64,
    answered: u64,
    given_back: u64,
    is_stopping: bool,
    has_ended: bool,
    sessions: u64,
}

fn body(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().unwrap())
}

impl<'a> World<'a> {
    fn new(random: &'a mut Random) -> Self {
        let now = Instant::now();
        let settings = CoreSettings {
            service: "score".to_owned(),
            heartbeat: HEARTBEAT,
            end_on_disconnect: random.one_in(4),
            seed: random.below(1_000),
        };
        Self {
            core: WorkerCore::new(settings, now),
            random,
            now,
            socket: None,
            runner: Runner::Down,
            silent_until: now,
            messages: 0,
            answered: 0,
            given_back: 0,
            is_stopping: false,
            has_ended: false,
            sessions: 0,
        }
    }

    /// Does what the core wants, and checks that it may want it.
    fn act(&mut self) {
        for action in self.core.actions() {
            assert!(!self.has_ended, "{action:?} after the end");
            match action {
                Action::Open => {
                    assert!(self.socket.is_none(), "a second socket");
                    assert!(self.runner == Runner::Idle, "READY while the command takes nothing");
                    self.socket = Some(Socket { heard: Some(self.now), ..Socket::default() });
                    self.sessions += 1;
                }
                Action::Send(frames) => self.sent(&frames),
                Action::Close { .. } => {
                    let socket = self.socket.take().expect("an open socket");
                    self.given_back += socket.given.len() as u64;
                }
                Action::Prepare => {
                    assert!(self.runner == Runner::Down, "prepared twice");
                    self.runner = Runner::Preparing;
                }
                Action::Run(frames) => {
                    assert!(self.runner == Runner::Idle, "a second message");
                    let first = number(&frames[0]);
                    assert_eq!(self.socket.as_ref().and_then(|socket| socket.given.front()), Some(&first));
                    self.runner = Runner::Busy(first);
                }
                Action::Tell(News::Lost { pause, .. } | News::Failed { pause, .. }) => assert!(pause <= PAUSE_MAX),
                Action::Tell(_) => {}
                Action::End => self.has_ended = true,
            }
        }
    }

    fn sent(&mut self, frames: &Frames) {
        let socket = self.socket.as_mut().expect("an open socket");
        assert!(!socket.has_left, "{frames:?} behind DISCONNECT");
        match frames[1][..] {
            [1] => assert!(!std::mem::replace(&mut socket.is_ready, true), "READY twice"),
            [4] => {
                let expected = socket.given.pop_front().expect("a message that is to be answered");
                assert_eq!((number(&frames[2]), number(&frames[4])), (expected, expected + 1_000));
                self.answered += 1;
            }
            [5] => {}
            [6] => socket.has_left = true,
            _ => panic!("{frames:?}"),
        }
        assert!(socket.is_ready, "{frames:?} before READY");
        socket.said = Some(self.now);
    }

    fn host_speaks(&mut self) {
        let Some(socket) = &mut self.socket else { return };
        if self.now < self.silent_until {
            return;
        }
        let frames = match self.random.below(10) {
            0..4 => {
                self.messages += 1;
                socket.given.push_back(self.messages);
                vec![b"MDPW02".to_vec(), vec![2], body(self.messages), Vec::new(), body(self.messages)]
            }
            4..8 => vec![b"MDPW02".to_vec(), vec![5]],
            8 if self.random.one_in(4) => vec![b"MDPW02".to_vec(), vec![6]],
            _ => return self.core.receive(vec![b"MDPC02".to_vec()], self.now),
        };
        socket.heard = Some(self.now);
        self.core.receive(frames, self.now);
    }

    fn command_does_something(&mut self) {
        match self.runner {
            Runner::Down => {}
            _ if self.random.one_in(5) => {
                self.runner = Runner::Down;
                self.core.failed("died".to_owned(), self.now);
            }
            Runner::Preparing => {
                self.runner = Runner::Idle;
                self.core.prepared();
            }
            Runner::Idle => {}
            Runner::Busy(message) => {
                self.runner = Runner::Idle;
                self.core.answered(body(message + 1_000), self.now);
            }
        }
    }

    fn time_passes(&mut self) {
        let step = Duration::from_millis(self.random.below(700));
        // A loop is never late, but for the step that it slept.
        self.now = self.core.next().map_or(self.now + step, |next| next.clamp(self.now, self.now + step));
        self.core.tick(self.now);
        self.act();
        if let Some(socket) = &self.socket {
            let age = |since: Option<Instant>| self.now - since.unwrap();
            assert!(age(socket.said) < HEARTBEAT, "the host hears nothing");
            assert!(age(socket.heard) < HEARTBEAT * LIVENESS, "a silent host is not left");
        }
    }

    fn step(&mut self) {
        match self.random.below(12) {
            0..3 => self.host_speaks(),
            3..6 => self.command_does_something(),
            6 if self.random.one_in(40) => {
                self.silent_until = self.now + Duration::from_millis(self.random.below(20_000));
            }
            7 if self.random.one_in(60) => {
                self.is_stopping = true;
                self.core.stop(self.now);
            }
            _ => self.time_passes(),
        }
        self.act();
        self.check();
    }

    fn check(&self) {
        let given = self.socket.as_ref().map_or(0, |socket| socket.given.len() as u64);
        assert_eq!(self.messages, self.answered + self.given_back + given, "a message is lost");
        assert_eq!(self.core.tally().answered, self.answered);
        if self.has_ended {
            assert!(self.socket.is_none(), "a socket is left");
        }
    }
}

#[test]
fn every_message_is_answered_or_given_back_and_neither_side_waits_in_vain() {
    let (mut answered, mut given_back, mut sessions, mut ended) = (0, 0, 0, 0);
    simulate(|random| {
        let mut world = World::new(random);
        let mut steps = 0;
        while steps < 2_000 && !world.has_ended {
            world.step();
            steps += 1;
        }
        // A world comes to its end as soon as the command has done what it has.
        if !world.has_ended {
            world.core.stop(world.now);
            world.act();
            for _ in 0..200_000 {
                if world.has_ended {
                    break;
                }
                world.command_does_something();
                world.act();
                world.time_passes();
            }
        }
        world.check();
        assert!(world.has_ended, "it does not end");
        answered += world.answered;
        given_back += world.given_back;
        sessions += world.sessions;
        ended += 1;
        steps
    });
    assert!(answered > 0 && given_back > 0 && sessions > ended, "{answered} {given_back} {sessions} {ended}");
}
