//! What has to become of each message, and of each worker.

mod choices;

use super::*;
use tokio::sync::oneshot::error::TryRecvError;

/// A message as its sender knows it.
pub(super) struct SimJob {
    answer: Option<AnswerReceiver>,
    pub(super) is_idempotent: bool,
    state: SimState,
    /// How many workers have got it.
    sent: u32,
    parts: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SimState {
    Waiting {
        until: Instant,
    },
    InHand {
        deadline: Instant,
    },
    /// So its sender has to be told now.
    Over(Result<usize, Unanswered>),
    Done,
}

/// A peer, with what it has.
#[derive(Clone)]
pub(super) struct SimPeer {
    pub(super) from: Sender,
    pub(super) protocol: Protocol,
    heard: Instant,
    is_draining: bool,
    in_hand: Vec<(Token, usize)>,
}

impl SimPeer {
    pub(super) fn has_messages(&self) -> bool {
        !self.in_hand.is_empty()
    }
}

pub(super) struct Model {
    pub(super) jobs: Vec<SimJob>,
    peers: Vec<SimPeer>,
    /// Those whose connection has ended.
    gone: Vec<SimPeer>,
    /// The connections of those that can take a message, in the order in which they are to get one.
    ready: VecDeque<Descriptor>,
    pub(super) passed_on: u64,
    wait_max: Duration,
    deadline: Duration,
    heartbeat: Duration,
    retry: Retry,
    retries_max: u32,
    capacity: usize,
    looked: Instant,
    /// A message could not be sent since the last check.
    gave_back: bool,
}

impl Model {
    pub(super) fn new(settings: &CoreSettings, now: Instant) -> Self {
        Self {
            jobs: Vec::new(),
            peers: Vec::new(),
            gone: Vec::new(),
            ready: VecDeque::new(),
            passed_on: 0,
            wait_max: settings.wait_max,
            deadline: settings.deadline,
            heartbeat: settings.heartbeat,
            retry: settings.retry,
            retries_max: settings.retries_max,
            capacity: settings.in_flight_per_worker_max,
            looked: now,
            gave_back: false,
        }
    }

    pub(super) fn submit(&mut self, answer: AnswerReceiver, now: Instant) -> usize {
        let state = SimState::Waiting { until: now + self.wait_max };
        self.jobs.push(SimJob { answer: Some(answer), is_idempotent: false, state, sent: 0, parts: 0 });
        self.jobs.len() - 1
    }

    pub(super) fn connect(&mut self, from: &Sender, protocol: Protocol, now: Instant) {
        let same = self.peers.iter().find(|peer| peer.from.identity == from.identity).map(|peer| peer.from.connection);
        same.into_iter().for_each(|connection| self.lose(connection, now));
        self.peers.push(SimPeer { from: from.clone(), protocol, heard: now, is_draining: false, in_hand: Vec::new() });
        self.ready.push_back(from.connection);
    }

    pub(super) fn begin_again(&mut self, peer: &SimPeer, now: Instant) {
        self.lose(peer.from.connection, now);
        self.connect(&peer.from, peer.protocol, now);
    }

    fn peer(&mut self, connection: Descriptor) -> Option<&mut SimPeer> {
        self.peers.iter_mut().find(|peer| peer.from.connection == connection)
    }

    pub(super) fn note_heard(&mut self, connection: Descriptor, now: Instant) {
        self.peer(connection).into_iter().for_each(|peer| peer.heard = now);
    }

    pub(super) fn lose(&mut self, connection: Descriptor, now: Instant) {
        let Some(index) = self.peers.iter().position(|peer| peer.from.connection == connection) else { return };
        let peer = self.peers.remove(index);
        self.ready.retain(|ready| *ready != connection);
        for (_, number) in peer.in_hand {
            let (retry, retries_max, until) = (self.retry, self.retries_max, now + self.wait_max);
            let job = &mut self.jobs[number];
            if !matches!(job.state, SimState::InHand { .. }) {
                continue;
            }
            let may = match retry {
                Retry::Never => false,
                Retry::Idempotent => job.is_idempotent,
                Retry::Always => true,
            };
            job.parts = 0;
            job.state = match may && job.sent <= retries_max {
                true => SimState::Waiting { until },
                false => SimState::Over(Err(Unanswered::WorkerLost { attempts: job.sent, why: "" })),
            };
        }
    }

    /// A connection has ended.
    pub(super) fn vanish(&mut self, peer: SimPeer, now: Instant) {
        self.lose(peer.from.connection, now);
        self.gone.push(peer);
    }

    pub(super) fn drain(&mut self, connection: Descriptor) {
        self.ready.retain(|ready| *ready != connection);
        let Some(peer) = self.peer(connection) else { return };
        peer.is_draining = true;
        self.let_go_if_done(connection);
    }

    fn let_go_if_done(&mut self, connection: Descriptor) {
        self.peers.retain(|peer| {
            let goes = peer.is_draining && peer.in_hand.is_empty() && peer.protocol.disconnect().is_some();
            peer.from.connection != connection || !goes
        });
    }

    /// The client of a message goes.
    pub(super) fn give_up(&mut self, random: &mut Random) {
        if !self.jobs.is_empty() {
            let number = random.below(self.jobs.len() as u64) as usize;
            self.jobs[number].answer = None;
        }
    }

    /// A message was sent to the peer of this identity, or could not be.
    pub(super) fn sent(&mut self, to: &Bytes, token: Token, number: usize, fails: bool, now: Instant) {
        let connection = self.ready.pop_front().expect("a worker that can take a message");
        let (capacity, deadline) = (self.capacity, self.deadline);
        let peer = self.peer(connection).expect("a peer");
        assert_eq!(peer.from.identity, to, "the one that has waited for longest");
        assert!(!peer.is_draining && peer.in_hand.len() < capacity);
        peer.in_hand.push((token, number));
        if peer.in_hand.len() < capacity {
            self.ready.push_back(connection);
        }
        // Those that nobody waits for are passed over.
        self.forget_unwanted(number);
        let first =
            self.jobs.iter().position(|job| job.answer.is_some() && matches!(job.state, SimState::Waiting { .. }));
        // What was given back meanwhile is assigned behind what was assigned before.
        assert!(self.gave_back || first == Some(number), "the one that came first: {first:?}, not {number}");
        let job = &mut self.jobs[number];
        if fails {
            self.gave_back = true;
            // It never got there, so it waits as before.
            let peer = self.peer(connection).expect("a peer");
            peer.in_hand.retain(|(other, _)| *other != token);
            self.lose(connection, now);
        } else {
            job.state = SimState::InHand { deadline: now + deadline };
            job.sent += 1;
        }
    }

    fn forget_unwanted(&mut self, below: usize) {
        for job in &mut self.jobs[..below] {
            if job.answer.is_none() && matches!(job.state, SimState::Waiting { .. }) {
                job.state = SimState::Done;
            }
        }
    }

    pub(super) fn answer(&mut self, connection: Descriptor, token: Token, is_last: bool, now: Instant) {
        let capacity = self.capacity;
        let peer = self.peer(connection).expect("a peer");
        peer.heard = now;
        let number = peer.in_hand.iter().find(|(other, _)| *other == token).expect("in hand").1;
        if is_last {
            let was_full = peer.in_hand.len() == capacity;
            peer.in_hand.retain(|(other, _)| *other != token);
            if was_full && !peer.is_draining {
                self.ready.push_back(connection);
            }
            self.let_go_if_done(connection);
        }
        let job = &mut self.jobs[number];
        match (job.state, job.answer.is_some()) {
            (SimState::InHand { .. }, true) => {
                job.parts += 1;
                self.passed_on += 1;
                if is_last {
                    job.state = SimState::Over(Ok(job.parts));
                }
            }
            (SimState::InHand { .. }, false) => job.state = SimState::Done,
            _ => {}
        }
    }

    /// What is over by the time alone.
    pub(super) fn pass_time(&mut self, now: Instant) {
        for job in &mut self.jobs {
            match job.state {
                SimState::Waiting { until } if until <= now => job.state = SimState::Over(Err(Unanswered::NoWorker)),
                SimState::InHand { deadline } if deadline <= now => {
                    job.state = SimState::Over(Err(Unanswered::TooLate))
                }
                _ => {}
            }
        }
        if now >= self.looked + self.heartbeat / LOOKS {
            self.looked = now;
            let is_silent =
                |peer: &&SimPeer| peer.protocol.has_heartbeats() && now - peer.heard > self.heartbeat * LIVENESS;
            let silent: Vec<_> = self.peers.iter().filter(is_silent).map(|peer| peer.from.connection).collect();
            silent.into_iter().for_each(|connection| self.lose(connection, now));
        }
    }

    /// Whether each sender knows what it has to know, and no more.
    pub(super) fn check(&mut self) {
        self.gave_back = false;
        if !self.ready.is_empty() {
            self.forget_unwanted(self.jobs.len());
        }
        for (number, job) in self.jobs.iter_mut().enumerate() {
            let Some(answer) = &mut job.answer else {
                if matches!(job.state, SimState::Over(_)) {
                    job.state = SimState::Done;
                }
                continue;
            };
            let told = match answer.try_recv() {
                Ok(Ok(answer)) => {
                    assert_eq!(answer.attempt, job.sent, "{number}");
                    Some(Ok(answer.parts.len()))
                }
                Ok(Err(Unanswered::WorkerLost { attempts, .. })) => {
                    Some(Err(Unanswered::WorkerLost { attempts, why: "" }))
                }
                Ok(Err(why)) => Some(Err(why)),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Closed) if job.state == SimState::Done => continue,
                Err(TryRecvError::Closed) => panic!("{number} was forgotten"),
            };
            match (told, job.state) {
                (Some(told), SimState::Over(expected)) if told == expected => job.state = SimState::Done,
                (None, SimState::Waiting { .. } | SimState::InHand { .. }) => {}
                (told, state) => panic!("{number} was told {told:?} in {state:?}"),
            }
        }
    }

    pub(super) fn check_all_are_over(&self) {
        for (number, job) in self.jobs.iter().enumerate() {
            assert!(job.state == SimState::Done, "{number}: {:?}", job.state);
        }
    }

    pub(super) fn in_hand(&self) -> usize {
        self.peers.iter().map(|peer| peer.in_hand.len()).sum()
    }

    pub(super) fn waiting(&self) -> usize {
        let waits = |job: &&SimJob| job.answer.is_some() && matches!(job.state, SimState::Waiting { .. });
        self.jobs.iter().filter(waits).count()
    }
}
