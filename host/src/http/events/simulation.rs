//! A simulation of the hub under a seed: bursts of messages, a dispatcher that falls behind, streams that are slow, come and go
//! and resume, and the end. A model checks what each stream is given.

mod catching_up;
mod model;

use super::hub::{Dispatched, Dispatcher, PLACES_AT_ONCE};
use super::{EventStream, Hub, Next, OpenError, Resume};
use crate::config::{Events, OnSlow};
use crate::flow::Client;
use crate::flow::simulation::{Random, simulate};
use crate::ledger::{Hop, Reason};
use model::{Follower, message};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// What streams take. One takes everything, and one nothing.
const TOPICS: [&[&str]; 6] = [&[""], &["a"], &["a", "abc"], &["b", "x"], &["ab", "a", "b", ""], &[]];
const STREAMS_MAX: usize = 6;

/// A hub, and who follows it.
struct World<'a> {
    random: &'a mut Random,
    hub: Arc<Hub>,
    dispatcher: Dispatcher,
    hops: [Arc<Hop>; 2],
    published: u64,
    /// Those that have a stream, and those that may come back.
    open: Vec<(EventStream, Follower)>,
    closed: Vec<Follower>,
    /// How many events were overwritten before the dispatcher took them, when that was looked at last.
    overrun: u64,
    steps: u64,
}

fn client() -> Client {
    Client::new("sse", None, ([127, 0, 0, 1], 1).into())
}

fn settings(random: &mut Random) -> Events {
    Events {
        ring_messages_max: random.one_of(&[1, 5, 50, 400, 400]),
        ring_bytes_max: random.one_of(&[3_000, 20_000, 1 << 20, 1 << 20]),
        streams_max: STREAMS_MAX,
        stream_messages_max: random.one_of(&[1, 3, 20, 300]),
        stream_bytes_max: random.one_of(&[1_000, 10_000, 1 << 20, 1 << 20]),
        on_slow: random.one_of(&[OnSlow::CutOff, OnSlow::Conflate, OnSlow::DropOldest]),
        ..Events::default()
    }
}

impl<'a> World<'a> {
    fn new(random: &'a mut Random) -> Self {
        let hops = [Arc::<Hop>::default(), Arc::default()];
        let hub = Hub::new(settings(random), Arc::clone(&hops[0]), Arc::clone(&hops[1]));
        let dispatcher = Dispatcher::new(Arc::clone(&hub), random.one_of(&[1, 2, 5, PLACES_AT_ONCE]));
        let (published, overrun, steps) = (0, 0, 0);
        Self { random, hub, dispatcher, hops, published, open: Vec::new(), closed: Vec::new(), overrun, steps }
    }

    fn publish(&mut self) {
        self.published += 1;
        self.hub.publish(&message(self.published));
        let overrun = self.hops[0].figures().dropped(Reason::QueueFull);
        let oldest = self.hub.ring().oldest();
        for (stream, follower) in &mut self.open {
            let is_overtaken = stream.is_catching_up() && oldest > stream.position().number + 1;
            follower.may_miss |= overrun > self.overrun || is_overtaken;
        }
        self.overrun = overrun;
    }

    fn dispatch(&mut self) -> Dispatched {
        let state = self.dispatcher.dispatch();
        // The first that is not in all queues is in some.
        let handed_out = self.hub.dispatched().min(self.published);
        for (_, follower) in &mut self.open {
            follower.may_miss = follower.may_miss || follower.is_over(self.hub.settings(), handed_out);
        }
        state
    }

    fn open(&mut self) {
        let topics = self.random.one_of(&TOPICS);
        let (oldest, last) = (self.hub.ring().oldest(), self.published);
        let (mut follower, resume) = match self.random.below(8) {
            0 => (Follower::new(topics, oldest - 1), Resume::Earliest),
            1 => (Follower::new(topics, oldest - 1), Resume::Unknown),
            2..6 if !self.closed.is_empty() => {
                let follower = self.closed.swap_remove(self.random.below(self.closed.len() as u64) as usize);
                let position = self.hub.id(follower.position);
                (follower, Resume::After(position))
            }
            _ => (Follower::new(topics, last), Resume::Now),
        };
        follower.may_miss = resume == Resume::Unknown || follower.position + 1 < oldest;
        follower.is_cut_off = false;
        let topics = follower.topics.iter().map(|topic| (*topic).into()).collect();
        match self.hub.open(client(), topics, resume) {
            Ok(stream) => self.open.push((stream, follower)),
            Err(error) => {
                assert_eq!((error, self.open.len()), (OpenError::TooManyStreams(STREAMS_MAX), STREAMS_MAX));
                self.closed.push(follower);
            }
        }
    }

    /// Has a stream take some of what there is for it. Returns whether it goes on.
    fn take(&mut self, index: usize, count: u64) -> bool {
        let (published, settings) = (self.published, self.hub.settings().clone());
        let (stream, follower) = &mut self.open[index];
        for _ in 0..count {
            let next = match self.random.one_in(10) {
                true => stream.next_or_heartbeat(),
                false => match stream.try_next() {
                    Some(next) => next,
                    None if stream.is_catching_up() => continue,
                    None => break,
                },
            };
            if matches!(next, Next::End { .. }) {
                return false;
            }
            follower.see(&next, published, &settings);
            assert_eq!(stream.position().number, follower.position, "{next:?}");
        }
        true
    }

    fn close(&mut self, index: usize) {
        let (stream, follower) = self.open.swap_remove(index);
        drop(stream);
        self.closed.push(follower);
    }

    fn act(&mut self) {
        self.steps += 1;
        match self.random.below(20) {
            0..6 => self.publish(),
            6 => (0..self.random.one_of(&[5, 30, 500])).for_each(|_| self.publish()),
            7..12 => drop(self.dispatch()),
            12 => self.open(),
            13 if !self.open.is_empty() && self.random.one_in(3) => {
                let index = self.random.below(self.open.len() as u64) as usize;
                self.close(index);
            }
            _ if !self.open.is_empty() => {
                let index = self.random.below(self.open.len() as u64) as usize;
                let count = self.random.one_of(&[1, 2, 10, 1_000]);
                if !self.take(index, count) {
                    self.close(index);
                }
            }
            _ => {}
        }
        let counts = self.hub.counts();
        let bounds = self.hub.settings();
        assert!(counts.kept_messages <= bounds.ring_messages_max as u64);
        assert!(counts.kept_bytes <= bounds.ring_bytes_max as u64);
        assert_eq!(counts.open, self.open.len() as u64);
        self.hops.iter().for_each(|hop| assert!(hop.figures().balanced()));
    }

    /// Everybody gets what is left, and nothing is in flight behind that.
    fn end(mut self) -> u64 {
        let (is_drain, due) = (self.random.one_in(2), self.published);
        if is_drain {
            self.hub.end();
        }
        // What still comes in holds up no end.
        while self.dispatch() == Dispatched::Some {
            if is_drain && self.published < due + 100 && self.random.one_in(3) {
                self.publish();
            }
        }
        for index in (0..self.open.len()).rev() {
            let goes_on = self.take(index, u64::MAX);
            let may_end = self.hub.settings().on_slow == OnSlow::CutOff;
            assert!(goes_on || is_drain || may_end, "it ends for a reason");
            assert!(!goes_on || !is_drain, "it goes on");
            if goes_on || !may_end {
                self.open[index].1.has_all_up_to(due);
            }
            self.close(index);
        }
        let [hop, streams_hop] = self.hops.each_ref().map(|hop| hop.figures());
        assert_eq!((hop.entered, hop.in_flight, streams_hop.in_flight), (self.published, 0, 0));
        let told: u64 = self.closed.iter().map(|follower| follower.seen).sum();
        assert_eq!(streams_hop.out, told);
        self.steps
    }
}

#[test]
fn a_stream_misses_nothing_without_being_told() {
    simulate(|random| {
        let steps = random.one_of(&[50, 300, 1_000]);
        let mut world = World::new(random);
        (0..steps).for_each(|_| world.act());
        world.end()
    });
}

/// Counts one down when its thread ends, however it does.
struct Following<'a>(&'a AtomicU64);

impl Drop for Following<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Follows a hub whose ring loses nothing, over as many streams as that takes, until it has everything up to a number.
fn follow(hub: &Arc<Hub>, topics: &'static [&'static str], last: u64) {
    let mut follower = Follower::new(topics, 0);
    let mut takes = 0;
    while follower.position < last {
        let topics = topics.iter().map(|topic| (*topic).into()).collect();
        let mut stream = hub.open(client(), topics, Resume::After(hub.id(follower.position))).expect("room");
        takes += 10;
        for _ in 0..takes {
            match stream.next_or_heartbeat() {
                Next::End { .. } => break,
                // It is cut off, and what is missing comes by the next stream.
                Next::Gap { id, .. } => follower.go_on_after(id.number),
                next => {
                    if matches!(next, Next::Heartbeat { .. }) {
                        thread::yield_now();
                    }
                    follower.see(&next, u64::MAX, hub.settings());
                }
            }
            assert_eq!(stream.position().number, follower.position);
        }
    }
    follower.has_all_up_to(last);
}

/// As the simulation, with threads in place of steps: one publishes, one dispatches, and others follow, break off and resume.
#[test]
fn a_stream_misses_nothing_whoever_comes_and_goes_meanwhile() {
    const EVENTS: u64 = 5_000;
    const FOLLOWERS: usize = 4;
    let hops = [Arc::<Hop>::default(), Arc::default()];
    let settings = Events { ring_messages_max: EVENTS as usize, stream_messages_max: 50, ..Events::default() };
    let hub = Hub::new(settings, Arc::clone(&hops[0]), Arc::clone(&hops[1]));
    let following = AtomicU64::new(FOLLOWERS as u64);
    thread::scope(|scope| {
        scope.spawn(|| {
            // An event is handed out in several goes.
            let mut dispatcher = Dispatcher::new(Arc::clone(&hub), 2);
            while following.load(Ordering::Relaxed) > 0 {
                if dispatcher.dispatch() == Dispatched::Everything {
                    thread::yield_now();
                }
            }
        });
        for topics in &TOPICS[..FOLLOWERS] {
            let (hub, following) = (&hub, Following(&following));
            scope.spawn(move || {
                let _following = following;
                follow(hub, topics, EVENTS);
            });
        }
        (1..=EVENTS).for_each(|number| hub.publish(&message(number)));
    });
    let [hop, streams_hop] = hops.map(|hop| hop.figures());
    assert_eq!((hop.out, hop.entered, hop.in_flight), (EVENTS, EVENTS, 0));
    assert!(streams_hop.balanced() && streams_hop.in_flight == 0, "{streams_hop:?}");
}
