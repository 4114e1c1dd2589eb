//! A simulation of a pool: messages, workers that answer, vanish, go silent or say what they must not, and time that
//! passes, in random order under a seed. A model says what has to come out.

mod model;

use super::*;
use crate::config::{Retry, WorkerCodec};
use crate::flow::Frames;
use crate::flow::Message;
use crate::flow::mailbox::Mailbox;
use crate::flow::simulation::{Random, simulate};
use crate::messaging::workers::protocol::WorkerFrames;
use crate::messaging::workers::reply::{AnswerReceiver, Reply};
use model::Model;
use smallvec::smallvec;
use std::time::Duration;

#[test]
fn simulation_of_a_worker_pool() {
    simulate(|random| World::new(random).run());
}

/// What a peer does beside answering.
#[derive(Clone, Copy)]
enum Trick {
    Twice,
    OfAnother,
    ReadyAgain,
    Malformed,
    Disconnect,
}

struct World<'a> {
    random: &'a mut Random,
    core: PoolCore,
    mailbox: Mailbox<NewJob>,
    model: Model,
    answers: Arc<Hop>,
    now: Instant,
    next_connection: Descriptor,
}

impl<'a> World<'a> {
    fn new(random: &'a mut Random) -> Self {
        let ms = |random: &mut Random, of: &[u64]| Duration::from_millis(random.one_of(of));
        let settings = || CoreSettings {
            service: "s".to_owned(),
            codec: WorkerCodec::Frames,
            heartbeat: Duration::from_millis(100),
            wait_max: Duration::ZERO,
            deadline: Duration::ZERO,
            retry: Retry::Never,
            retries_max: 0,
            in_flight_per_worker_max: 1,
            answer_bytes_max: 1_000,
            queue_bytes_max: usize::MAX,
        };
        let settings = CoreSettings {
            wait_max: ms(random, &[50, 400, 5_000]),
            deadline: ms(random, &[80, 700, 10_000]),
            retry: random.one_of(&[Retry::Never, Retry::Idempotent, Retry::Always]),
            retries_max: random.below(4) as u32,
            in_flight_per_worker_max: 1 + random.below(3) as usize,
            ..settings()
        };
        let (answers, now) = (Arc::<Hop>::default(), Instant::now());
        let model = Model::new(&settings, now);
        let core = PoolCore::new(settings, Arc::clone(&answers), Arc::default(), now);
        Self { random, core, mailbox: Mailbox::new(10_000, usize::MAX), model, answers, now, next_connection: 1 }
    }

    fn run(mut self) -> u64 {
        let steps = 50 + self.random.below(200);
        for _ in 0..steps {
            self.step();
            self.settle();
        }
        // Whatever is left ends by itself.
        for _ in 0..200 {
            self.now += Duration::from_millis(200);
            self.core.pass_time(self.now);
            self.settle();
        }
        self.model.check_all_are_over();
        let counts = self.answers.figures();
        assert_eq!(counts.in_flight, 0);
        assert_eq!(counts.out, self.model.passed_on);
        steps
    }

    fn step(&mut self) {
        match self.random.below(22) {
            0..6 => self.submit(),
            6..8 => self.connect(),
            8..13 => self.answer(),
            13 => self.trick(),
            14 => self.vanish(),
            15 => self.model.give_up(self.random),
            16 => self.heartbeats(),
            17 => self.drain(),
            18 => self.speak_late(),
            _ => {
                self.now += Duration::from_millis(self.random.one_of(&[1, 10, 60, 150]));
                self.core.pass_time(self.now);
            }
        }
    }

    fn say(&mut self, from: Sender, frames: WorkerFrames) {
        self.core.receive(Incoming { from, frames, is_whole: true }, self.now);
    }

    fn submit(&mut self) {
        let (reply, answer) = Reply::whole();
        let (number, is_idempotent) = (self.model.submit(answer, self.now), self.random.one_in(2));
        self.model.jobs[number].is_idempotent = is_idempotent;
        let frames: Frames = smallvec![number.to_string().into()];
        let message = Message { frames, ..Message::default() };
        let room = self.mailbox.reserve(0).expect("room");
        let job = NewJob { message, is_idempotent, reply };
        self.core.submit(job, room, self.now);
    }

    fn connect(&mut self) {
        let protocol = self.random.one_of(&[Protocol::Mdp2, Protocol::Mdp1, Protocol::Ppp, Protocol::Req]);
        // Some have an identity that another one has or had.
        let reused = self.random.one_in(3).then(|| self.model.free_connection()).flatten();
        let connection = reused.unwrap_or(self.next_connection);
        self.next_connection += 1;
        let name = if self.random.one_in(5) { self.random.below(3) as Descriptor } else { 100 + self.next_connection };
        let from = Sender { identity: Bytes::from(name.to_string()), connection, key: None };
        self.model.connect(&from, protocol, self.now);
        self.say(from, ready(protocol));
    }

    fn answer(&mut self) {
        let Some((peer, token)) = self.model.any_in_hand(self.random) else { return };
        let is_last = peer.protocol != Protocol::Mdp2 || !self.random.one_in(3);
        let frames = answer(peer.protocol, token, is_last);
        self.model.answer(peer.from.connection, token, is_last, self.now);
        self.say(peer.from, frames);
    }

    fn trick(&mut self) {
        let Some(peer) = self.model.any_peer(self.random) else { return };
        let tricks = [Trick::Twice, Trick::OfAnother, Trick::ReadyAgain, Trick::Malformed, Trick::Disconnect];
        let foreign = self.model.foreign_token(&peer).unwrap_or(9_999);
        let frames = match self.random.one_of(&tricks) {
            Trick::Twice => answer(peer.protocol, 9_999, true),
            Trick::OfAnother => answer(peer.protocol, foreign, true),
            Trick::ReadyAgain => {
                let frames = ready(peer.protocol);
                if peer.protocol == Protocol::Ppp {
                    self.model.begin_again(&peer, self.now);
                }
                frames
            }
            Trick::Malformed => smallvec!["nonsense".into(), "x".into()],
            Trick::Disconnect => match peer.protocol.disconnect() {
                Some(frames) => {
                    self.model.lose(peer.from.connection, self.now);
                    self.say(peer.from, frames);
                    return;
                }
                None => return,
            },
        };
        let is_new_conversation = peer.protocol == Protocol::Ppp && frames == ready(Protocol::Ppp);
        // Who has no message, and no word for it in its protocol, is only counted.
        let is_refused = peer.protocol.disconnect().is_some() || peer.has_messages();
        if is_refused && !is_new_conversation {
            self.model.lose(peer.from.connection, self.now);
        }
        self.model.note_heard(peer.from.connection, self.now);
        self.say(peer.from, frames);
    }

    fn vanish(&mut self) {
        let Some(peer) = self.model.any_peer(self.random) else { return };
        let connection = peer.from.connection;
        self.model.vanish(peer, self.now);
        self.core.gone(Ended { connection, sent_too_much: false }, self.now);
    }

    fn heartbeats(&mut self) {
        for peer in self.model.all_peers() {
            if let Some(frames) = peer.protocol.heartbeat().filter(|_| !self.random.one_in(4)) {
                self.model.note_heard(peer.from.connection, self.now);
                self.say(peer.from, frames);
            }
        }
    }

    /// What a peer had sent before it went is read only now, when another may have the number of its connection.
    fn speak_late(&mut self) {
        let Some(peer) = self.model.any_gone(self.random) else { return };
        let frames = if self.random.one_in(2) { answer(peer.protocol, 1, true) } else { smallvec!["nonsense".into()] };
        self.say(peer.from, frames);
    }

    fn drain(&mut self) {
        let Some(id) = self.core.workers.iter().map(|(id, _)| id).next() else { return };
        if self.random.one_in(3) {
            self.model.drain(self.core.workers.get(id).expect("a worker").connection);
            assert!(self.core.drain(id));
        }
    }

    /// Does what the core wants done, and compares.
    fn settle(&mut self) {
        self.model.pass_time(self.now);
        self.core.assign(self.now);
        while let Some(action) = self.core.next_action() {
            match action {
                Action::Send { to, frames, of: Some((id, Some(token))) } => {
                    let body = frames.last().expect("a body").clone();
                    let job = std::str::from_utf8(&body).ok().and_then(|text| text.parse().ok()).expect("a number");
                    let fails = self.random.one_in(15);
                    self.model.sent(&to, token, job, fails, self.now);
                    if fails {
                        self.core.not_sent((id, Some(token)), "it has gone", self.now);
                    }
                }
                Action::Send { .. } => {}
                // What it may still say is ignored.
                Action::CutOff(..) => {}
            }
        }
        self.model.check();
        assert_eq!(self.core.in_hands.len(), self.model.in_hand(), "messages in hand");
        assert_eq!(self.core.waiting.wanted(), self.model.waiting(), "messages that wait");
    }
}

fn ready(protocol: Protocol) -> WorkerFrames {
    match protocol {
        Protocol::Mdp2 => smallvec!["MDPW02".into(), "\x01".into(), "s".into()],
        Protocol::Mdp1 => smallvec!["".into(), "MDPW01".into(), "\x01".into(), "s".into()],
        Protocol::Ppp => smallvec!["\x01".into()],
        Protocol::Req | Protocol::Rep => smallvec!["".into(), "READY".into()],
    }
}

fn answer(protocol: Protocol, token: Token, is_last: bool) -> WorkerFrames {
    let token = Bytes::from(token.to_string());
    let command = if is_last { "\x04" } else { "\x03" };
    match protocol {
        Protocol::Mdp2 => smallvec!["MDPW02".into(), command.into(), token, "".into(), "a".into()],
        Protocol::Mdp1 => smallvec!["".into(), "MDPW01".into(), "\x03".into(), token, "".into(), "a".into()],
        Protocol::Ppp | Protocol::Rep => smallvec![token, "".into(), "a".into()],
        Protocol::Req => smallvec!["".into(), token, "".into(), "a".into()],
    }
}
