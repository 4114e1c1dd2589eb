//! A simulation of the core under a seed: subscribers that are slow, vanish, flood and come back, bursts of messages, a
//! clock that jumps, and the end. A model checks what has to hold after every step.

mod model;
mod socket;

use super::{Action, Outcome, PublisherCore, QueuedMessage, topic_of};
use crate::config::{self, OnFull};
use crate::flow::Message;
use crate::flow::mailbox::{Mailbox, PushError};
use crate::flow::simulation::{Random, simulate};
use crate::ledger::Hop;
use crate::messaging::socket::monitor::Descriptor;
use crate::traces::Span;
use model::{MESSAGE_STEPS_MAX, Model};
use socket::{ReceivedChange, SimulatedSocket, TOPICS};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

const SLEEP_MAX: Duration = Duration::from_secs(1);

/// Is set when the mailbox wakes the thread.
#[derive(Default)]
struct WakeFlag(AtomicBool);

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A publisher with its thread, its clock and its subscribers.
struct World<'a> {
    random: &'a mut Random,
    now: Instant,
    end: Option<Instant>,
    config: config::Publisher,
    core: PublisherCore,
    mailbox: Mailbox<QueuedMessage>,
    wake_flag: Arc<WakeFlag>,
    /// The thread sleeps, until then at most.
    asleep: Option<Instant>,
    socket: SimulatedSocket,
    hop: Hop,
    model: Model,
    steps: u64,
}

impl<'a> World<'a> {
    fn new(random: &'a mut Random) -> Self {
        let now = Instant::now();
        let (retain, retain_topics_max, retain_bytes_max) =
            random.one_of(&[(false, 1, 1), (true, TOPICS.len(), usize::MAX), (true, 2, 200)]);
        let on_full = random.one_of(&[OnFull::CutOff, OnFull::DropNewest, OnFull::Block]);
        let config = config::Publisher { on_full, retain, retain_topics_max, retain_bytes_max, subscribers_min: 0 };
        let (items_max, bytes_max) = (random.one_of(&[2, 50, 3_000]), random.one_of(&[100, 1 << 20]));
        Self {
            now,
            end: None,
            core: PublisherCore::new(&config, SLEEP_MAX, now),
            mailbox: Mailbox::new(items_max, bytes_max),
            wake_flag: Arc::default(),
            asleep: None,
            socket: SimulatedSocket::default(),
            hop: Hop::default(),
            config,
            model: Model::new(on_full, items_max, bytes_max),
            steps: 0,
            random,
        }
    }

    /// Publishes a message, if there is room for it.
    fn publish(&mut self) {
        let topic = self.random.one_of(&TOPICS);
        let number = self.model.accepted() + 1;
        let mut body = number.to_be_bytes().to_vec();
        let bytes_max = self.random.one_of(&[10, 40, 40, 500]);
        body.resize(8 + self.random.below(bytes_max) as usize, 0);
        let bytes = topic.len() + body.len();
        let message = || QueuedMessage {
            frames: Message::of_topic(topic, Vec::new(), body).frames,
            passage: self.hop.enter(),
            span: Span::default(),
        };
        match self.mailbox.push(bytes, message) {
            Ok(()) => self.model.accept(topic, bytes),
            Err(PushError::TooManyItems | PushError::TooManyBytes) => assert!(self.model.waiting() > 0),
            Err(PushError::Closed) => assert!(self.end.is_some()),
        }
    }

    /// Random events: messages are published, time passes, peers act.
    fn act_randomly(&mut self) {
        if self.random.one_in(6) {
            let burst = self.random.one_of(&[1, 1, 1, 5, 30]);
            (0..burst).for_each(|_| self.publish());
        }
        if self.random.one_in(3_000) {
            (0..2_000).for_each(|_| self.publish());
        }
        let jump = match self.random.below(2_000) {
            0 => Duration::from_secs(self.random.below(100_000)),
            1..20 => Duration::from_millis(self.random.below(50)),
            _ => Duration::from_micros(self.random.below(20)),
        };
        self.pass(jump);
        self.socket.act_randomly(self.random);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.socket.pass(time);
    }

    /// One step of the thread that owns the socket. Returns whether it goes on.
    fn step(&mut self) -> bool {
        self.steps += 1;
        if let Some(until) = self.asleep {
            if !self.wake_flag.0.swap(false, Ordering::Relaxed) && !self.socket.is_readable() && self.now < until {
                assert_eq!(self.mailbox.len(), 0, "a wake-up was lost: messages wait, and the thread sleeps");
                let time = Duration::from_micros(self.random.below(50_000)).min(until - self.now);
                self.pass(time);
                return true;
            }
            self.asleep = None;
        }
        let goes_on = self.act();
        self.model.look_for_given_up(&self.hop, self.now, self.end);
        self.model.check(&self.hop, self.mailbox.len());
        let subscriptions: u64 = self.socket.peers.values().map(|peer| peer.counted).sum();
        assert_eq!(self.core.subscriptions(), subscriptions);
        goes_on
    }

    /// Performs the next action of the core. Returns whether it goes on.
    fn act(&mut self) -> bool {
        let now = self.now;
        let action = self.core.next(now, self.end);
        self.model.look_for_given_up(&self.hop, now, self.end);
        if !matches!(action, Action::Receive) {
            self.model.end_turn(now);
        }
        match action {
            Action::Take => {
                let more_may_come = self.mailbox.take_all(self.core.messages());
                self.core.taken(more_may_come, now);
                self.model.take();
            }
            Action::Listen => {
                self.model.listen(now);
                self.receive_events();
            }
            Action::Receive => self.receive(),
            Action::TakeMore => {
                self.socket.take_more();
                self.core.renewed(now, Duration::from_micros(self.random.below(500)));
            }
            Action::Send(message) => {
                let body = message.frames.last().expect("a body");
                let number = body.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
                let topic = str::from_utf8(topic_of(&message.frames)).expect("one of ours").to_owned();
                let first_frame = &message.frames[0];
                let outcome = match self.random.one_in(500) {
                    true => Outcome::Failed,
                    false => self.socket.send(&topic, number, first_frame),
                };
                self.core.sent(outcome);
                self.model.send(number, &topic, outcome);
            }
            Action::Pause(time) => {
                self.pass(time);
                self.receive_events();
            }
            Action::AskDepths => self.socket.ask_depths(),
            Action::CutOff => {
                assert_eq!(self.config.on_full, OnFull::CutOff);
                let any = self.socket.cut_off();
                self.core.cut_off(any);
            }
            Action::Gather(time) => {
                self.model.all_is_sent();
                self.pass(time);
            }
            Action::Sleep(until) => {
                self.model.all_is_sent();
                assert!(until <= now + SLEEP_MAX, "it sleeps too long");
                let waker = Waker::from(Arc::clone(&self.wake_flag));
                self.wake_flag.0.store(false, Ordering::Relaxed);
                self.asleep = self.mailbox.may_sleep(&waker).then_some(until);
            }
            Action::End(linger) => {
                let end = self.end.expect("the end was told");
                assert_eq!(linger, end.saturating_duration_since(now));
                return false;
            }
        }
        true
    }

    fn receive_events(&mut self) {
        // If messages are retained, a late change of a peer that has gone would count for the next peer with its
        // descriptor.
        for peer in self.socket.receive_events(!self.config.retain) {
            self.core.gone(peer);
        }
    }

    fn receive(&mut self) {
        let time = Duration::from_micros(self.random.below(20));
        self.pass(time);
        let received = self.socket.receive(self.random);
        self.core.received(received.is_some());
        self.model.receive(received.is_some());
        let Some(ReceivedChange { peer, change, told }) = received else { return };
        if self.socket.peers.get(&peer).is_none_or(|peer| peer.is_ending) {
            return;
        }
        if self.config.retain && change.subscribes {
            self.hand_over(peer, &change.topic);
        }
        let excess = self.core.changed(peer, told, 1 + change.topic.len(), self.now);
        let Some(known) = self.socket.peers.get_mut(&peer).filter(|known| known.connection == told.connection) else {
            return assert!(excess.is_none(), "{peer} is not the one who sent too much");
        };
        (known.counted, known.has_spoken) = (told.topics, true);
        if let Some(excess) = excess {
            assert_eq!((excess.peer, excess.connection), (peer, known.connection));
            assert!(known.floods, "{}", excess.why);
            (known.is_ending, known.counted) = (true, 0);
        }
    }

    /// A new subscriber gets the latest message of a topic, and none twice; but if few are retained, topics are
    /// dropped, and with them who got them.
    fn hand_over(&mut self, descriptor: Descriptor, topic: &[u8]) {
        let Some(peer) = self.socket.peers.get_mut(&descriptor) else { return };
        let keeps_all = self.config.retain_topics_max == TOPICS.len();
        let kept = std::str::from_utf8(topic).expect("one of ours");
        let is_due = keeps_all && self.model.latest(kept).is_some() && !peer.handed.contains(topic);
        let Some(retained) = self.core.subscribed(descriptor, topic) else {
            return assert!(!is_due, "what is kept of {kept:?} was not handed over");
        };
        let kept = std::str::from_utf8(&retained.topic).expect("one of ours");
        let number = retained.frames.last().expect("a body").first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
        assert_eq!(number, self.model.latest(kept), "an older message of {kept:?} was handed over");
        assert!(peer.handed.insert(kept.into()) || !keeps_all, "{kept:?} was handed over again");
    }

    /// No more events happen, and all subscribers read: so every message and change has to be processed.
    fn calm_down(&mut self) {
        self.socket.peers.values_mut().for_each(|peer| peer.read(100));
        let until = self.steps + 100_000;
        while self.asleep.is_none() || self.model.waiting() > 0 || self.changes() > 0 {
            assert!(self.steps < until, "{} messages, {} changes wait for ever", self.model.waiting(), self.changes());
            self.pass(Duration::from_micros(20));
            self.step();
        }
    }

    fn changes(&self) -> usize {
        self.socket.peers.values().map(|peer| peer.changes.len()).sum()
    }

    fn end(&mut self) {
        self.end = Some(self.now + Duration::from_millis(self.random.below(3_000)));
        self.mailbox.close();
        let until = self.steps + (self.model.waiting() as u64 + 2) * MESSAGE_STEPS_MAX;
        loop {
            assert!(self.steps < until, "there is no end");
            self.pass(Duration::from_micros(20));
            if !self.step() {
                break;
            }
        }
        assert_eq!((self.hop.figures().in_flight, self.mailbox.len()), (0, 0));
        assert_eq!(self.mailbox.push(0, || unreachable!("it is closed")), Err(PushError::Closed));
    }
}

#[test]
fn every_message_comes_to_its_end_in_order_whatever_subscribers_do() {
    simulate(|random| {
        let mut world = World::new(random);
        for _ in 0..world.random.one_of(&[100, 1_000, 5_000]) {
            world.act_randomly();
            world.step();
        }
        if world.random.one_in(2) {
            world.calm_down();
        }
        world.end();
        world.steps
    });
}
