//! A simulation of the core under a seed: clients and calls that go through cases that tests with sockets do not reach.
//!
//! It takes the place of the thread around the core, turn by turn, and sleeps exactly when that would, so that an
//! action or a wake-up that the core forgets is noticed. After every step the [`Model`] checks what must hold.

mod checks;
mod model;
mod traffic;

use super::{Action, BATCH, BrokerCommand, BrokerCore, Call, Ended, Sent, Start};
use crate::config::{Broker, EnvelopeKind, Messaging, OnFull};
use crate::flow::simulation::{Random, simulate};
use crate::flow::{Command, Failed, Message, Output, State, Taps};
use crate::ledger::{Hop, Reason};
use crate::messaging::broker::{Hops, Settings};
use crate::messaging::socket::Frames;
use crate::messaging::socket::ipc::IpcAccess;
use crate::plugin::CallError;
use crate::record::dead_letters::DeadLetters;
use crate::request_id::RequestIds;
use crate::traces::Tracer;
use model::Model;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);
const US: Duration = Duration::from_micros(1);

/// A call and the delays of its replies, four at most, take no longer than this together.
const LASTS_MAX: Duration = Duration::from_secs(21);

/// All work of one moment is done within so many turns.
const TURNS_MAX: usize = 200;

/// What the thread around the core owns, and its environment.
struct World<'r> {
    random: &'r mut Random,
    core: BrokerCore,
    model: Model,
    now: Instant,
    /// When the loop wakes up if nothing comes in.
    sleeps_until: Option<Instant>,
    request_ids: RequestIds,
    /// Messages that have come to the frontend and are not read.
    arrived: VecDeque<Frames>,
    commands: VecDeque<BrokerCommand>,
    /// Calls that run in the runtime, and results that the loop has not taken yet.
    running: Vec<Call>,
    ended: VecDeque<Ended>,
}

#[test]
fn whatever_happens_the_books_balance_and_nobody_starves() {
    simulate(|random| {
        let steps = 200 + random.below(2_000);
        let mut world = World::new(random);
        (0..steps).for_each(|_| world.step());
        steps + world.end()
    });
}

impl<'r> World<'r> {
    fn new(random: &'r mut Random) -> Self {
        let messaging = Messaging {
            workers: 1 + random.below(4) as usize,
            frames_max: 3,
            queue_messages_max: random.one_of(&[4, 100, 10_000]),
            queue_bytes_max: random.one_of(&[2_000, 50_000, 10 << 20]),
            ..Messaging::default()
        };
        let on_full = random.one_of(&[OnFull::Block, OnFull::CutOff, OnFull::DropNewest]);
        let broker = Broker { on_full, envelope: EnvelopeKind::Delimiter };
        let ipc = IpcAccess { mode: 0o700, group: None };
        let name = "frontend";
        let settings =
            Settings { name, messaging, broker, output_bytes_max: model::OUTPUT_BYTES_MAX, ipc, curve: None };
        let [policy, schedule, reply] = [(); 3].map(|()| Arc::new(Hop::default()));
        let (hops, now) = (
            Hops {
                policy,
                schedule,
                reply,
                dead_letters: DeadLetters::default(),
                tracer: Tracer::default(),
                taps: Taps::default(),
                recording: Default::default(),
            },
            Instant::now(),
        );
        let core = BrokerCore::new(&settings, "policy", random.one_in(2), hops.clone(), now);
        let model = Model::new(&settings, hops, 1 + random.below(8) as usize);
        Self {
            random,
            core,
            model,
            now,
            sleeps_until: None,
            request_ids: RequestIds::default(),
            arrived: VecDeque::new(),
            commands: VecDeque::new(),
            running: Vec::new(),
            ended: VecDeque::new(),
        }
    }

    /// A random event happens, and the loop runs until it sleeps again.
    fn step(&mut self) {
        match self.random.below(100) {
            0..30 => self.arrive(1),
            // A flood.
            30..31 => self.arrive(200),
            31..55 => self.end_a_call(),
            55..63 => self.model.clients_change(self.random),
            63..66 => {
                let command = self.random.one_of(&[Command::Pause, Command::Drain, Command::Resume, Command::Resume]);
                self.commands.push_back(BrokerCommand::Surface(command));
            }
            66..99 => self.now += US * self.random.below(20_000) as u32,
            // The machine was suspended.
            _ => self.now += MS * self.random.below(3_600_000) as u32,
        }
        self.wake();
    }

    fn arrive(&mut self, requests: usize) {
        for _ in 0..requests {
            let message = self.model.request(self.random);
            self.arrived.push_back(message);
        }
    }

    fn end_a_call(&mut self) {
        if !self.running.is_empty() {
            let call = self.running.swap_remove(self.random.below(self.running.len() as u64) as usize);
            let took = US * self.random.below(30_000) as u32;
            let ended = self.outcome(&call, took);
            self.ended.push_back(ended);
        }
    }

    fn outcome(&mut self, call: &Call, took: Duration) -> Ended {
        let result = if self.random.one_in(10) {
            let error = self.random.one_of(&[0, 1, 2]);
            let error = [CallError::Panicked, CallError::EmptySlot, CallError::Rejected(String::new())][error].clone();
            Err(Failed { failure: error.into(), input: call.message.clone() })
        } else {
            let count = self.random.below(5) as usize;
            Ok((0..count).map(|index| self.reply(call, index)).collect())
        };
        Ended { ticket: call.ticket, id: self.request_ids.next_id(), by: None, result, at: self.now, took }
    }

    fn reply(&mut self, call: &Call, index: usize) -> Output {
        let delay_ms = match self.random.below(10) {
            0..5 => 0,
            5..9 => self.random.below(40) as u32,
            _ => self.random.below(5_000) as u32,
        };
        let padding = vec![b'.'; self.random.below(200) as usize];
        let frames = [traffic::label(call.number, index).into(), padding.into()];
        let message = Message { frames: frames.into(), ..Message::default() };
        Output { after: MS * delay_ms, message }
    }

    /// Whether anything but time would wake the loop.
    fn is_woken(&self) -> bool {
        let reads = self.core.reads() && !self.arrived.is_empty();
        self.core.can_start_call() || reads || !self.commands.is_empty() || !self.ended.is_empty()
    }

    /// Lets the loop have its turns until it sleeps.
    fn wake(&mut self) {
        let mut turns = 0;
        while self.is_woken() || self.sleeps_until.is_some_and(|until| until <= self.now) {
            if self.core.has_ended(self.now) {
                return;
            }
            self.turn();
            self.sleeps_until = self.core.due(self.now);
            turns += 1;
            assert!(turns < TURNS_MAX, "it does not come to rest");
        }
        self.model.check_rest(self.sleeps_until, self.now, self.arrived.is_empty());
    }

    /// One turn, as the thread around the core does it.
    fn turn(&mut self) {
        let reads = self.core.reads();
        for command in std::mem::take(&mut self.commands) {
            self.model.commanded(command);
            self.core.command(command);
        }
        for ended in std::mem::take(&mut self.ended) {
            self.call_ended(ended);
        }
        self.model.pass_time(self.now);
        self.core.pass_time(self.now);
        self.core.drop_lost(self.now, |identity| self.model.is_connected(identity));
        self.act();
        if reads {
            self.read();
        }
        self.run_calls();
        self.act();
        let progress = self.core.progress(self.now);
        self.model.check(progress, self.now);
    }

    fn read(&mut self) {
        for _ in 0..BATCH {
            let Some(message) = self.arrived.pop_front() else { return };
            let is_let_in = !self.random.one_in(50);
            self.model.read(&message, is_let_in);
            self.core.receive(message, None, is_let_in);
            if !self.core.has_room() {
                return;
            }
        }
    }

    fn run_calls(&mut self) {
        let mut spent = Duration::ZERO;
        while let Some(start) = self.core.next_call(spent) {
            match start {
                Start::OnLoopThread(call) if !self.random.one_in(30) => {
                    self.model.begun(&call);
                    let took = US * self.random.below(100) as u32;
                    self.now += took;
                    spent += took;
                    let ended = self.outcome(&call, took);
                    self.call_ended(ended);
                }
                Start::OnLoopThread(call) => {
                    self.model.begun(&call);
                    self.core.call_goes_on();
                    self.running.push(call);
                }
                Start::InRuntime(call) => {
                    self.model.begun(&call);
                    self.running.push(call);
                }
            }
        }
    }

    fn call_ended(&mut self, ended: Ended) {
        self.model.ended(&ended);
        self.core.call_ended(ended);
    }

    fn act(&mut self) {
        while let Some(action) = self.core.next_action() {
            match action {
                Action::Send(reply) => {
                    let message: Frames = reply.message().map(<[u8]>::to_vec).collect();
                    let sent = match self.model.room_of(&message[0]) {
                        _ if self.random.one_in(500) => Sent::Failed(Reason::SendFailed, String::new()),
                        traffic::ClientRoom::Some => Sent::Out,
                        traffic::ClientRoom::None => Sent::Full,
                        traffic::ClientRoom::Gone => Sent::Failed(Reason::Unroutable, String::new()),
                    };
                    self.model.offered(&message, &sent, self.now);
                    self.core.sent(sent);
                }
                Action::CutOff(identity) => self.model.cut_off(&identity),
                Action::WriteDeadLetter(letter) => self.model.letter_written(&letter),
            }
        }
    }

    /// May first settle all work; then ends the core, with a grace period that is long enough or one that is too short.
    /// Returns how many steps that takes.
    fn end(mut self) -> u64 {
        let mut steps = if self.random.one_in(2) { self.settle() } else { 0 };
        let is_in_order = self.random.one_in(2);
        // In order the last calls may have to wait for room, one after the other.
        let grace = if is_in_order { LASTS_MAX * 200 } else { MS * self.random.below(50) as u32 };
        self.commands.push_back(BrokerCommand::End(self.now + grace));
        self.wake();
        while !self.core.has_ended(self.now) {
            self.go_on();
            steps += 1;
        }
        let left = self.core.left();
        assert!(!is_in_order || left == (0, 0), "{left:?} are left though there was time");
        drop(self.core);
        self.model.check_end(left);
        steps
    }

    /// Reads and answers all that has arrived, and drains the core then.
    fn settle(&mut self) -> u64 {
        self.commands.push_back(BrokerCommand::Surface(Command::Resume));
        let (mut steps, mut last) = (0, (self.model.moves(), self.now));
        while !self.arrived.is_empty() || self.core.left() != (0, 0) {
            self.go_on();
            steps += 1;
            if self.model.moves() > last.0 {
                last = (self.model.moves(), self.now);
            }
            assert!(self.now - last.1 <= LASTS_MAX, "nothing moves, and {} requests have arrived", self.arrived.len());
        }
        self.commands.push_back(BrokerCommand::Surface(Command::Drain));
        self.wake();
        assert_eq!(self.core.progress(self.now).state, State::Drained);
        steps
    }

    /// Gives all clients room, ends all calls, and lets time pass until something is due.
    fn go_on(&mut self) {
        self.model.all_have_room();
        for _ in 0..self.running.len() {
            self.end_a_call();
        }
        self.wake();
        let until = self.sleeps_until.filter(|_| self.running.is_empty());
        self.now = until.unwrap_or(self.now + MS).max(self.now);
    }
}
