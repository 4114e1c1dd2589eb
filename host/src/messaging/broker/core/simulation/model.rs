//! A model of the core: what must hold, derived from what goes in and comes out without asking the core.

use super::super::reply::reply_bytes;
use super::traffic::{Client, ClientRoom, Expected, Place, ReplyId, Request, WaitingShare, read_label};
use super::{BATCH, BrokerCommand, Call, Ended, Sent};
use crate::config::{EnvelopeKind, OnFull};
use crate::flow::simulation::Random;
use crate::flow::{Command, State};
use crate::ledger::{HopCounts, Reason};
use crate::messaging::broker::envelope::{Envelope, NoRequest};
use crate::messaging::broker::{Hops, Settings};
use crate::messaging::socket::{Frames, frames_bytes};
use crate::record::dead_letters::{Input, NewLetter};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Instant;

/// More bytes than any result of a call in the simulation takes.
pub(super) const OUTPUT_BYTES_MAX: usize = 2_500;

/// The expected state, updated by every event.
pub(super) struct Model {
    pub(super) hops: Hops,
    pub(super) workers: usize,
    pub(super) replies_max: usize,
    pub(super) bytes_max: usize,
    pub(super) on_full: OnFull,
    pub(super) clients: Vec<Client>,
    pub(super) state: State,
    pub(super) deadline: Option<Instant>,
    pub(super) requests: HashMap<u64, Request>,
    pub(super) by_ticket: HashMap<usize, u64>,
    pub(super) last_begun: u64,
    /// Requests that wait for their call, and calls that run.
    pub(super) waiting: usize,
    pub(super) running: usize,
    pub(super) request_bytes: usize,
    /// The bytes of replies that have not left.
    pub(super) reply_bytes: usize,
    /// The replies that wait for their delay.
    pub(super) scheduled: BTreeMap<(Instant, u64), ReplyId>,
    pub(super) all_scheduled: WaitingShare,
    pub(super) sequence: u64,
    /// Dead letters that are to be written: of a reply, or of a request without an index.
    pub(super) letters: BTreeSet<(u64, Option<usize>, Reason)>,
    pub(super) policy: HopCounts,
    pub(super) schedule: HopCounts,
    pub(super) reply: HopCounts,
    pub(super) hindered_since: Option<Instant>,
    pub(super) is_reported: bool,
}

impl Model {
    pub(super) fn new(settings: &Settings, hops: Hops, clients: usize) -> Self {
        let client = |number| Client {
            identity: format!("client {number}").into_bytes(),
            is_full: false,
            is_gone: false,
            due: VecDeque::new(),
            is_held: false,
            scheduled: WaitingShare::default(),
        };
        Self {
            hops,
            workers: settings.messaging.workers,
            replies_max: settings.messaging.queue_messages_max,
            bytes_max: settings.messaging.queue_bytes_max,
            on_full: settings.broker.on_full,
            clients: (0..clients).map(client).collect(),
            state: State::Running,
            deadline: None,
            requests: HashMap::new(),
            by_ticket: HashMap::new(),
            last_begun: 0,
            waiting: 0,
            running: 0,
            request_bytes: 0,
            reply_bytes: 0,
            scheduled: BTreeMap::new(),
            all_scheduled: WaitingShare::default(),
            sequence: 0,
            letters: BTreeSet::new(),
            policy: HopCounts::default(),
            schedule: HopCounts::default(),
            reply: HopCounts::default(),
            hindered_since: None,
            is_reported: false,
        }
    }

    /// A message of a client, which need not be a request.
    pub(super) fn request(&self, random: &mut Random) -> Frames {
        let identity = &self.clients[random.below(self.clients.len() as u64) as usize].identity;
        let body: &[&str] = match random.below(40) {
            0 => &[""],
            1 => &["", "a", "b", "c", "d"],
            2..10 => &["proxy", "", "a", "b"],
            10..20 => &["", "a", "", "b"],
            _ => &["a"],
        };
        std::iter::once(identity.clone()).chain(body.iter().map(|frame| frame.as_bytes().to_vec())).collect()
    }

    /// A random client begins or ceases to read, goes or comes back.
    pub(super) fn clients_change(&mut self, random: &mut Random) {
        let client = random.below(self.clients.len() as u64) as usize;
        let client = &mut self.clients[client];
        client.is_full = random.one_in(3);
        client.is_gone = random.one_in(4);
    }

    pub(super) fn all_have_room(&mut self) {
        self.clients.iter_mut().for_each(|client| client.is_full = false);
    }

    fn client(&mut self, identity: &[u8]) -> &mut Client {
        self.clients.iter_mut().find(|client| client.identity == identity).expect("a client")
    }

    pub(super) fn is_connected(&self, identity: &[u8]) -> bool {
        self.clients.iter().any(|client| client.identity == identity && !client.is_gone)
    }

    pub(super) fn room_of(&mut self, identity: &[u8]) -> ClientRoom {
        match self.client(identity) {
            Client { is_gone: true, .. } => ClientRoom::Gone,
            Client { is_full: true, .. } => ClientRoom::None,
            _ => ClientRoom::Some,
        }
    }

    pub(super) fn commanded(&mut self, command: BrokerCommand) {
        match command {
            BrokerCommand::Surface(Command::Pause) => self.state = State::Paused,
            BrokerCommand::Surface(Command::Resume) => self.state = State::Running,
            BrokerCommand::Surface(Command::Drain) => self.state = State::Draining,
            BrokerCommand::End(deadline) => self.deadline = Some(deadline),
        }
    }

    pub(super) fn read(&mut self, message: &Frames, is_let_in: bool) {
        assert!(self.may_read().is_ok(), "{:?}", self.may_read());
        self.policy.entered += 1;
        let refused = match Envelope::split(message.clone(), EnvelopeKind::Delimiter, 3) {
            _ if !is_let_in => Reason::KeyRemoved,
            Err(NoRequest::NoBody) => Reason::NoBody,
            Err(NoRequest::TooManyFrames) => Reason::TooLarge,
            Ok((envelope, body)) => {
                let client = self.clients.iter().position(|client| client.identity == message[0]).expect("a client");
                let bytes = envelope.bytes() + frames_bytes(&body);
                let request = Request { client, envelope, bytes, replies: vec![], left: 0, last_sent: None };
                self.requests.insert(self.policy.entered, request);
                self.waiting += 1;
                self.request_bytes += bytes;
                return;
            }
        };
        *self.policy.dropped.entry(refused).or_default() += 1;
    }

    /// Whether the core may read a request now.
    ///
    /// # Errors
    /// When it may not; says why.
    pub(super) fn may_read(&self) -> Result<(), &'static str> {
        let obstacles = [
            (self.state != State::Running, "it is paused or drained"),
            (self.deadline.is_some(), "it ends"),
            (self.waiting + self.running >= 2 * self.workers + 100, "too many are in flight"),
            (self.request_bytes >= self.bytes_max, "they take too much memory"),
        ];
        obstacles.into_iter().find(|(is_so, _)| *is_so).map_or(Ok(()), |(_, why)| Err(why))
    }

    /// Whether there is room for what one more call may return: as much as it may, or what is left where it is alone.
    pub(super) fn has_room(&self) -> bool {
        let taken = self.reply_bytes + self.running * OUTPUT_BYTES_MAX;
        taken + OUTPUT_BYTES_MAX <= self.bytes_max || (self.running == 0 && taken < self.bytes_max)
    }

    pub(super) fn begun(&mut self, call: &Call) {
        assert!(call.number > self.last_begun, "calls begin in the order of their requests");
        assert!(self.running < self.workers && self.has_room(), "a call begins without room");
        let client = &self.clients[self.requests[&call.number].client];
        assert_eq!(call.message.frames[0], client.identity);
        self.last_begun = call.number;
        self.by_ticket.insert(call.ticket, call.number);
        self.waiting -= 1;
        self.running += 1;
    }

    pub(super) fn ended(&mut self, ended: &Ended) {
        let number = self.by_ticket.remove(&ended.ticket).expect("it has begun");
        let request = self.requests.get_mut(&number).expect("it is in flight");
        self.running -= 1;
        self.request_bytes -= request.bytes;
        let replies = match &ended.result {
            Ok(replies) => replies,
            Err(failure) => {
                let reason = failure.failure.reason;
                *self.policy.dropped.entry(reason).or_default() += 1;
                self.letters.insert((number, None, reason));
                self.requests.remove(&number);
                return;
            }
        };
        self.policy.out += 1;
        self.schedule.entered += replies.len() as u64;
        let client = &mut self.clients[request.client];
        let delayed = replies.iter().skip_while(|reply| reply.after.is_zero());
        let bytes = |reply| reply_bytes(&request.envelope, reply);
        let more = delayed.fold(WaitingShare::default(), |share, reply| share.plus(bytes(reply)));
        // A client with some already may have at most a third of what is left free.
        let is_in_bounds = client.scheduled.replies + more.replies
            <= self.replies_max.saturating_sub(self.all_scheduled.replies) / 3
            && client.scheduled.bytes + more.bytes <= self.bytes_max.saturating_sub(self.all_scheduled.bytes) / 3;
        let is_refused = more.replies > 0 && client.scheduled.replies > 0 && !is_in_bounds;
        let mut due = ended.at;
        for (index, reply) in replies.iter().enumerate() {
            due += reply.after;
            let (name, bytes) = ((number, index), reply_bytes(&request.envelope, reply));
            self.reply_bytes += bytes;
            let place = if is_refused {
                *self.schedule.dropped.entry(Reason::TooManyWaiting).or_default() += 1;
                self.letters.insert((number, Some(index), Reason::TooManyWaiting));
                Place::Refused
            } else if due > ended.at {
                self.sequence += 1;
                self.scheduled.insert((due, self.sequence), name);
                client.scheduled = client.scheduled.plus(bytes);
                self.all_scheduled = self.all_scheduled.plus(bytes);
                Place::Scheduled(self.sequence)
            } else {
                self.schedule.out += 1;
                self.reply.entered += 1;
                client.due.push_back(name);
                Place::Due
            };
            request.replies.push(Expected { due, bytes, place });
        }
        if replies.is_empty() {
            self.requests.remove(&number);
        }
    }

    /// Replies become due, in the order of time and then of arrival, a batch at most.
    pub(super) fn pass_time(&mut self, now: Instant) {
        for _ in 0..BATCH {
            let Some((&(due, _), &name)) = self.scheduled.first_key_value() else { return };
            if due > now {
                return;
            }
            let client = self.leaves_the_schedule(name);
            self.clients[client].due.push_back(name);
        }
    }

    /// A reply was to be sent.
    pub(super) fn offered(&mut self, message: &Frames, sent: &Sent, now: Instant) {
        let name = read_label(message);
        let request = self.requests.get_mut(&name.0).expect("it is in flight");
        let Expected { due, place, .. } = request.replies[name.1];
        assert!(request.envelope.around(&message[message.len() - 2..]).eq(message.iter().map(Vec::as_slice)));
        assert!(now >= due && place == Place::Due, "{name:?} leaves before its time, or twice: {place:?}");
        let client = &mut self.clients[request.client];
        assert_eq!(client.due.front(), Some(&name), "what became due first leaves first");
        client.is_held = matches!(sent, Sent::Full) && self.on_full == OnFull::Block;
        let reason = match sent {
            _ if client.is_held => return,
            Sent::Out => {
                assert!(request.last_sent < Some(name.1), "the replies to a request keep their order");
                request.last_sent = Some(name.1);
                self.reply.out += 1;
                return self.leaves(name);
            }
            Sent::Full => Reason::ClientFull,
            Sent::Failed(reason, _) => *reason,
        };
        *self.reply.dropped.entry(reason).or_default() += 1;
        self.letters.insert((name.0, Some(name.1), reason));
    }

    /// Moves a reply from the schedule to the hop behind it. Returns its client.
    fn leaves_the_schedule(&mut self, name: ReplyId) -> usize {
        let request = self.requests.get_mut(&name.0).expect("it is in flight");
        let reply = &mut request.replies[name.1];
        let Place::Scheduled(sequence) = std::mem::replace(&mut reply.place, Place::Due) else {
            panic!("{name:?} is not in the schedule");
        };
        self.scheduled.remove(&(reply.due, sequence));
        self.schedule.out += 1;
        self.reply.entered += 1;
        let client = &mut self.clients[request.client];
        client.scheduled = client.scheduled.minus(reply.bytes);
        self.all_scheduled = self.all_scheduled.minus(reply.bytes);
        request.client
    }

    /// Removes a reply.
    fn leaves(&mut self, name: ReplyId) {
        let request = self.requests.get_mut(&name.0).expect("it is in flight");
        request.left += 1;
        self.reply_bytes -= request.replies[name.1].bytes;
        self.clients[request.client].due.pop_front_if(|first| *first == name);
        if request.left == request.replies.len() {
            self.requests.remove(&name.0);
        }
    }

    pub(super) fn cut_off(&mut self, identity: &[u8]) {
        assert_eq!(self.on_full, OnFull::CutOff);
        let client = self.client(identity);
        assert!(client.is_full);
        client.is_gone = true;
    }

    pub(super) fn letter_written(&mut self, letter: &NewLetter) {
        let Input::Reply { frames_base64, .. } = &letter.input else {
            assert!(self.letters.remove(&(letter.number, None, letter.reason)), "{letter:?} was not lost");
            return;
        };
        let frames: Frames = frames_base64.iter().map(|frame| frame.0.clone()).collect();
        let name = read_label(&frames);
        if !self.letters.remove(&(name.0, Some(name.1), letter.reason)) {
            // The schedule was crowded, and the client has gone.
            let client = self.leaves_the_schedule(name);
            assert!(letter.reason == Reason::Unroutable && self.clients[client].is_gone, "{letter:?} was not lost");
            *self.reply.dropped.entry(Reason::Unroutable).or_default() += 1;
        }
        self.leaves(name);
    }
}
