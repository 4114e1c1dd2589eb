//! A simulation of the intake under a seed: a socket with messages, flows that take some, end and are replaced, and
//! pauses. After every step all counts balance, and each flow has got what it is to get, in order and once.

use super::*;
use crate::flow::simulation::{Random, simulate};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake};

/// Is set when the intake's waker is woken.
#[derive(Default)]
struct Rung(AtomicBool);

impl Wake for Rung {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A flow that reads the socket.
struct SimulatedFlow {
    inlet: Arc<Inlet>,
    /// The last number that it took.
    last: u64,
}

struct World<'a> {
    random: &'a mut Random,
    intake: Intake,
    rung: Arc<Rung>,
    hop: Arc<Hop>,
    flow_hop: Arc<Hop>,
    flows: Vec<SimulatedFlow>,
    /// The number of the last message that was read.
    read: u64,
    is_paused: bool,
    drops: bool,
}

impl<'a> World<'a> {
    fn new(random: &'a mut Random) -> Self {
        let (rung, hop, flow_hop) = (Arc::<Rung>::default(), Arc::<Hop>::default(), Arc::<Hop>::default());
        let drops = random.one_in(2);
        let without_room = if drops { WithoutRoom::Drop } else { WithoutRoom::Hold };
        let intake = Intake::new(Arc::clone(&hop), without_room, Vec::new(), Waker::from(Arc::clone(&rung)));
        Self { random, intake, rung, hop, flow_hop, flows: Vec::new(), read: 0, is_paused: false, drops }
    }

    fn flow(&mut self) -> SimulatedFlow {
        let (messages_max, bytes_max) = (self.random.one_of(&[1, 2, 10]), self.random.one_of(&[8, 100]));
        let inlet = Arc::new(Inlet::new("source", Arc::clone(&self.flow_hop), messages_max, bytes_max));
        // A message that no flow has taken yet goes to a new one too.
        let is_next = self.intake.held.as_ref().is_some_and(|held| !held.is_given);
        SimulatedFlow { inlet, last: self.read - u64::from(is_next) }
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0 => self.change_flows(),
            1 => {
                self.is_paused ^= true;
                self.intake.pause(self.is_paused);
            }
            2..50 => self.read(),
            _ => self.take_one(),
        }
        if self.rung.0.swap(false, Ordering::Relaxed) {
            self.intake.room();
        }
        self.check();
    }

    /// Some flows end, with what is in them, and others come.
    fn change_flows(&mut self) {
        let mut flows = std::mem::take(&mut self.flows);
        flows.retain(|flow| {
            let stays = self.random.one_in(2);
            if !stays {
                flow.inlet.close();
                while let Poll::Ready(Some(entered)) = flow.inlet.poll_take(&mut Context::from_waker(Waker::noop())) {
                    entered.passage.out();
                }
            }
            stays
        });
        self.flows = flows;
        for _ in 0..self.random.below(3) {
            let flow = self.flow();
            self.flows.push(flow);
        }
        self.intake.set_inlets(self.flows.iter().map(|flow| Arc::clone(&flow.inlet)).collect());
    }

    fn read(&mut self) {
        if self.intake.wants_more() {
            assert!(!self.is_paused && !self.flows.is_empty());
            self.read += 1;
            let body = self.read.to_be_bytes().to_vec();
            self.intake.take(Message::of_topic("", Vec::new(), body));
        }
    }

    /// A flow takes a message, if there is one.
    fn take_one(&mut self) {
        if self.flows.is_empty() {
            return;
        }
        let number = self.random.below(self.flows.len() as u64) as usize;
        let flow = &mut self.flows[number];
        let Poll::Ready(Some(entered)) = flow.inlet.poll_take(&mut Context::from_waker(Waker::noop())) else { return };
        let number = u64::from_be_bytes(entered.message.frames[0][..].try_into().expect("a number"));
        assert!(number > flow.last, "{number} after {}: twice, or out of order", flow.last);
        assert!(self.drops || number == flow.last + 1, "{number} after {}: one was lost", flow.last);
        flow.last = number;
        entered.passage.out();
    }

    fn check(&self) {
        let (counts, flow_counts) = (self.hop.figures(), self.flow_hop.figures());
        assert!(counts.balanced() && flow_counts.balanced(), "{counts:?} {flow_counts:?}");
        assert_eq!(counts.entered, self.read);
        assert_eq!(counts.in_flight, u64::from(self.intake.holds()));
        let refused = flow_counts.dropped(crate::ledger::Reason::FlowFull);
        assert!(self.drops || refused == 0, "what can wait was dropped");
        assert!(!self.drops || !self.intake.holds(), "what cannot wait was held");
    }

    /// All flows take what there is: nothing stays behind, and the socket is read again.
    fn calm_down(&mut self) {
        self.intake.pause(false);
        self.is_paused = false;
        if self.flows.is_empty() {
            let flow = self.flow();
            self.flows.push(flow);
            self.intake.set_inlets(self.flows.iter().map(|flow| Arc::clone(&flow.inlet)).collect());
        }
        for _ in 0..10_000 {
            self.take_one();
            if self.rung.0.swap(false, Ordering::Relaxed) {
                self.intake.room();
            }
        }
        assert!(!self.intake.holds() && self.intake.wants_more(), "a wake-up was lost: a message is held for ever");
        assert_eq!(self.hop.figures().in_flight + self.flow_hop.figures().in_flight, 0);
    }
}

#[test]
fn each_flow_gets_each_message_once_and_in_order_whatever_the_others_do() {
    simulate(|random| {
        let mut world = World::new(random);
        let steps = world.random.one_of(&[100, 1_000, 5_000]);
        for _ in 0..steps {
            world.step();
        }
        world.calm_down();
        world.intake.end();
        assert!(!world.intake.wants_more());
        steps
    });
}
