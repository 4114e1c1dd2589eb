//! The core of a flow in simulated worlds: messages, calls that end in any order, plugins that are busy, and sinks that
//! have no room, against a model of what has to come out.

mod parts;

use super::core::{Call, Delivery, FlowCore};
use super::parts::{FlowSettings, FlowStage};
use crate::config::{OnError, Order};
use crate::flow::simulation::{Random, simulate};
use crate::flow::{Failed, Failure, Fault, Inlet, Message, Output, Outputs, Processed, Sink, Taps};
use crate::ledger::{Hop, Reason};
use parts::{Bounded, Counted, Named, Settled, outcome};
use smallvec::smallvec;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

const KEYS: [&str; 3] = ["a", "b", "c"];

struct World<'a> {
    random: &'a mut Random,
    core: FlowCore,
    inlet: Inlet,
    stages: usize,
    order: Order,
    on_error: OnError,
    in_flight_max: usize,
    sinks: Vec<Arc<Bounded>>,
    hop: Arc<Hop>,
    stage_hops: Vec<Arc<Hop>>,
    calls: Vec<Call>,
    arriving: VecDeque<usize>,
    now: Instant,
    /// What came in.
    messages: Vec<Message>,
    letters: usize,
    /// Where the source can deliver messages again: what it has heard of them.
    settled: Option<Arc<Settled>>,
}

impl<'a> World<'a> {
    fn new(random: &'a mut Random) -> Self {
        let order = random.one_of(&[Order::Strict, Order::Key, Order::None]);
        let on_error = random.one_of(&[OnError::DeadLetter, OnError::Drop, OnError::Pass, OnError::Stop]);
        let (stages, in_flight_max) = (random.below(4) as usize, 1 + random.below(6) as usize);
        let is_pending = random.one_in(3);
        let sinks = (0..=random.below(2)).map(|_| Bounded {
            places: 1 + random.below(5) as usize,
            is_pending,
            taken: Mutex::default(),
            held: Mutex::default(),
        });
        let sinks: Vec<_> = sinks.map(Arc::new).collect();
        let stage_hops: Vec<_> = (0..stages).map(|_| Arc::<Hop>::default()).collect();
        let flow_stages = stage_hops
            .iter()
            .enumerate()
            .map(|(index, hop)| FlowStage { stage: Arc::new(Named(index.to_string())), hop: Arc::clone(hop) });
        let in_flight_bytes_max = if random.one_in(2) { 400 } else { usize::MAX };
        let settings = FlowSettings { name: "flow".to_owned(), order, on_error, in_flight_max, in_flight_bytes_max };
        let as_sinks = sinks.iter().map(|sink| Arc::clone(sink) as Arc<dyn Sink>).collect();
        let hop = Arc::<Hop>::default();
        Self {
            core: FlowCore::new(settings, flow_stages.collect(), Arc::default(), as_sinks, Taps::default()),
            inlet: Inlet::new("in", Arc::clone(&hop), 4, usize::MAX),
            stages,
            order,
            on_error,
            in_flight_max,
            sinks,
            hop,
            stage_hops,
            calls: Vec::new(),
            arriving: VecDeque::new(),
            now: Instant::now(),
            messages: Vec::new(),
            letters: 0,
            settled: random.one_in(2).then(Arc::default),
            random,
        }
    }

    /// What has to come out of a message that goes into a stage; none if it fails.
    fn expected(&self, stage: usize, message: &Message) -> Option<Vec<Message>> {
        if stage == self.stages {
            return Some(vec![message.clone()]);
        }
        let made = match outcome(stage, message) {
            Ok(made) => made,
            // What stopped the flow goes through at the next try.
            Err(()) if self.on_error == OnError::Pass || self.on_error == OnError::Stop => vec![message.clone()],
            Err(()) => return None,
        };
        made.iter().try_fold(Vec::new(), |mut all, message| {
            all.extend(self.expected(stage + 1, message)?);
            Some(all)
        })
    }

    fn send(&mut self) {
        let body = format!("{}-", self.messages.len());
        let message = Message::of_topic(self.random.one_of(&KEYS), Vec::new(), body);
        let offered = match &self.settled {
            Some(settled) => self.inlet.offer_settled(message.clone(), || Box::new(Counted(Arc::clone(settled)))),
            None => self.inlet.offer(message.clone()),
        };
        if offered.is_ok() {
            self.messages.push(message);
        }
    }

    fn receive(&mut self) {
        if self.core.has_room()
            && let Poll::Ready(Some(mut entered)) = self.inlet.poll_take(&mut Context::from_waker(Waker::noop()))
        {
            // The name of the inlet, which the stages here pass on as little as any metadata.
            entered.message.metadata.clear();
            self.core.receive(entered);
        }
    }

    fn begin_call(&mut self) {
        self.calls.extend(self.core.next_call(self.now));
    }

    /// Ends one of the calls that run; in a world that comes to its end nobody is busy.
    fn end_call(&mut self, is_over: bool) {
        if self.calls.is_empty() {
            return;
        }
        let index = self.random.below(self.calls.len() as u64) as usize;
        let Call { item, index, message, .. } = self.calls.swap_remove(index);
        let failure = |reason, fault| Failure {
            reason,
            fault,
            detail: "text".to_owned(),
            public_detail: String::new(),
            retry_after: None,
        };
        let is_busy = !is_over && self.random.one_in(5);
        let stops_again = self.on_error == OnError::Stop && (is_over || self.random.one_in(2));
        let output = |message| Output { after: Duration::ZERO, message };
        let result = match outcome(index, &message) {
            _ if is_busy => Err(Failed { failure: failure(Reason::EmptySlot, Fault::Busy), input: message }),
            Ok(made) => Ok(made.into_iter().map(output).collect::<Outputs>()),
            Err(()) if stops_again => Ok(smallvec![output(message)]),
            Err(()) => Err(Failed { failure: failure(Reason::Trapped, Fault::Stage), input: message }),
        };
        self.core.call_ended(item, index, Processed { by: None, result }, self.now);
        while let Some(lost) = self.core.next_lost() {
            assert_eq!((lost.flow.as_str(), &*lost.stage), ("flow", &*index.to_string()));
            self.letters += 1;
        }
    }

    fn deliver(&mut self) -> bool {
        let is_done = matches!(self.core.deliver(), Delivery::Done);
        let arriving = self.core.take_arriving();
        self.arriving.extend(arriving.iter().map(|(item, arrivals)| {
            assert!(!arrivals.is_empty());
            item
        }));
        is_done
    }

    fn make_room(&mut self) {
        let sink = self.random.below(self.sinks.len() as u64) as usize;
        let mut held = self.sinks[sink].held.lock().unwrap();
        *held = held.saturating_sub(1 + self.random.below(3) as usize);
    }

    fn arrive(&mut self) {
        if let Some(item) = self.arriving.pop_front() {
            self.core.arrived(item, Ok(()));
        }
    }

    fn step(&mut self) {
        match self.random.below(8) {
            0 | 1 => self.send(),
            2 => self.receive(),
            3 => self.begin_call(),
            4 => self.end_call(false),
            5 => drop(self.deliver()),
            6 => {
                self.make_room();
                self.arrive();
            }
            _ => {
                self.now += Duration::from_millis(self.random.below(50));
                if self.random.one_in(2) {
                    self.core.resume();
                }
            }
        }
        self.check();
    }

    fn check(&self) {
        assert!(self.core.in_flight() <= self.in_flight_max);
        self.core.check();
        for hop in std::iter::once(&self.hop).chain(&self.stage_hops) {
            let counts = hop.figures();
            let dropped: u64 = counts.dropped.values().sum();
            assert_eq!(counts.entered, counts.out + dropped + counts.in_flight);
        }
    }

    /// Lets all that came in go out.
    fn finish(&mut self) -> u64 {
        let mut rounds = 0;
        while self.hop.figures().in_flight > 0 {
            rounds += 1;
            assert!(rounds < 100_000, "it goes on for ever");
            self.now += Duration::from_secs(2);
            self.core.resume();
            self.receive();
            self.begin_call();
            self.end_call(true);
            self.deliver();
            self.make_room();
            self.arrive();
            self.check();
        }
        assert_eq!(self.core.in_flight(), 0);
        rounds
    }

    fn check_outcome(&self) {
        let expected: Vec<_> = self.messages.iter().map(|message| (message, self.expected(0, message))).collect();
        let failed = expected.iter().filter(|(_, outputs)| outputs.is_none()).count();
        let (letters, all) = (if self.on_error == OnError::DeadLetter { failed } else { 0 }, expected.len());
        let (own_letters, told) = match &self.settled {
            Some(settled) => (0, (settled.done.load(Ordering::Relaxed), settled.failed.load(Ordering::Relaxed))),
            None => (letters, (all - letters, letters)),
        };
        assert_eq!((self.letters, told), (own_letters, (all - letters, letters)));
        let counts = self.hop.figures();
        assert_eq!((counts.out as usize, counts.entered as usize), (expected.len() - failed, expected.len()));
        for sink in &self.sinks {
            let taken = sink.taken.lock().unwrap();
            let outputs = expected.iter().filter_map(|(_, outputs)| outputs.as_ref()).flatten();
            match self.order {
                Order::Strict => assert!(taken.iter().eq(outputs)),
                Order::Key => {
                    for key in KEYS {
                        let of_key = |message: &&Message| message.frames[0] == key;
                        assert!(taken.iter().filter(of_key).eq(outputs.clone().filter(of_key)), "{key}");
                    }
                }
                Order::None => {
                    // Those of one message leave together, and in their order.
                    let mut by_input = BTreeMap::<_, Vec<_>>::new();
                    let input = |message: &Message| {
                        let body = std::str::from_utf8(&message.frames[1]).unwrap();
                        body.split('-').next().unwrap().parse::<usize>().unwrap()
                    };
                    let inputs: Vec<_> = taken.iter().map(input).collect();
                    let mut runs = inputs.clone();
                    runs.dedup();
                    for (index, message) in inputs.iter().zip(taken.iter()) {
                        by_input.entry(*index).or_default().push(message);
                    }
                    assert_eq!(runs.len(), by_input.len());
                    assert!(by_input.into_values().flatten().eq(outputs));
                }
            }
        }
    }
}

#[test]
fn simulation_of_the_flow_core() {
    simulate(|random| {
        let steps = 50 + random.below(500);
        let mut world = World::new(random);
        (0..steps).for_each(|_| world.step());
        let rounds = world.finish();
        world.check_outcome();
        steps + rounds
    });
}

/// The bytes of what one message becomes have a bound, since they are held together.
#[test]
fn a_message_that_becomes_too_much_fails() {
    let (hop, stage_hop) = (Arc::<Hop>::default(), Arc::<Hop>::default());
    let settings = FlowSettings {
        name: "flow".to_owned(),
        order: Order::Strict,
        on_error: OnError::DeadLetter,
        in_flight_max: 1,
        in_flight_bytes_max: 100,
    };
    let stage = FlowStage { stage: Arc::new(Named("grow".to_owned())), hop: Arc::clone(&stage_hop) };
    let mut core = FlowCore::new(settings, vec![stage.clone(), stage], Arc::default(), Vec::new(), Taps::default());
    let inlet = Inlet::new("in", Arc::clone(&hop), 4, usize::MAX);
    inlet.offer(Message::of_topic("", Vec::new(), "x")).unwrap();
    let Poll::Ready(Some(entered)) = inlet.poll_take(&mut Context::from_waker(Waker::noop())) else { unreachable!() };
    core.receive(entered);
    let call = core.next_call(Instant::now()).unwrap();
    let output = Output { after: Duration::ZERO, message: Message::of_topic("", Vec::new(), vec![0; 101]) };
    let processed = Processed { by: None, result: Ok(smallvec![output]) };
    core.call_ended(call.item, call.index, processed, Instant::now());
    let lost = core.next_lost().unwrap();
    assert!(lost.failure.detail.contains("became 1 of 101 bytes"), "{}", lost.failure.detail);
    assert_eq!(lost.input.frames, Message::of_topic("", Vec::new(), "x").frames);
    assert!(matches!(core.deliver(), Delivery::Done));
    assert_eq!(hop.figures().dropped(Reason::OverOutput), 1);
}
