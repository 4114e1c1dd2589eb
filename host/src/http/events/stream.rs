//! A stream of events: what one client follows.

use super::directory::SharedQueue;
use super::event::{Event, EventId};
use super::hub::{Hub, StreamStart, lock};
use super::queue::{Given, Missed};
use super::ring::Read;
use crate::config::SUBSCRIPTION_BYTES_MAX;
use crate::ledger::Reason;
use bytes::Bytes;
use std::collections::{HashSet, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};

/// How much of the ring is read at a time, for which who publishes may have to wait.
const READ_AT_ONCE: usize = 64;
/// How often in one go, for which other tasks may have to wait.
const READS_AT_ONCE: usize = 16;

/// What comes next in a stream.
#[derive(Debug)]
pub enum Next {
    /// An event. It counts as delivered.
    Event {
        /// Its id.
        id: EventId,
        /// The event.
        event: Arc<Event>,
    },
    /// Events are missing here.
    Gap {
        /// After which the stream goes on, and so does another one that resumes here.
        id: EventId,
        /// How many are missing; none if nobody knows.
        missed: Option<u64>,
    },
    /// Nothing has come for long.
    Heartbeat {
        /// The client has everything up to this one that is for it.
        id: EventId,
    },
    /// Nothing more comes.
    End {
        /// When the client may come back.
        retry_ms: u64,
    },
}

/// Why a stream does not take a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// It has as many as it may.
    #[error("a stream takes no more topics than topics_max {0}")]
    TooMany(usize),
    /// It is too long.
    #[error("a topic has no more than {0} bytes")]
    TooLong(usize),
}

/// The events of some topics, in order, each at most once. It ends when it is dropped.
pub struct EventStream {
    hub: Arc<Hub>,
    id: u64,
    queue: SharedQueue,
    topics: HashSet<Bytes>,
    /// What it reads of the ring; none once everything comes by the queue.
    catch_up: Option<CatchUp>,
    /// Everything up to this number was given, is missing and told, or is not for it.
    position: u64,
    /// When anything was given last, for the heartbeat.
    spoke: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    _permit: OwnedSemaphorePermit,
}

/// Where a stream is that has not caught up.
struct CatchUp {
    /// The number of the event that is read next.
    next: u64,
    /// What was read.
    read: VecDeque<Arc<Event>>,
    missed: Missed,
}

impl EventStream {
    pub(super) fn new(hub: Arc<Hub>, queue: SharedQueue, start: StreamStart) -> Self {
        let StreamStart { id, from, missed, permit } = start;
        let missed = if missed { Missed::Unknown } else { Missed::Exactly(0) };
        Self {
            hub,
            id,
            queue,
            topics: HashSet::new(),
            catch_up: Some(CatchUp { next: from, read: VecDeque::new(), missed }),
            position: from.saturating_sub(1),
            spoke: Instant::now(),
            timer: None,
            _permit: permit,
        }
    }

    /// Goes on to the queue at once where nothing is to be caught up with. What is gone by now was not lost to this stream.
    pub(super) fn begin(&mut self) {
        let oldest = self.hub.ring().oldest();
        self.skip_to(oldest);
        if let Some(CatchUp { next, missed: Missed::Exactly(0), .. }) = self.catch_up
            && self.hub.go_live(&self.queue, next)
        {
            self.catch_up = None;
        }
    }

    /// Takes the events whose first frame begins with a topic, too.
    ///
    /// # Errors
    /// When it is too long, or the stream has as many as it may.
    pub fn subscribe(&mut self, topic: Bytes) -> Result<(), TopicError> {
        if self.topics.contains(&topic) {
            return Ok(());
        }
        check_topic(&topic, self.topics.len(), self.hub.settings().topics_max)?;
        self.hub.add_topic(self.id, &topic);
        self.topics.insert(topic);
        Ok(())
    }

    /// Takes those of this topic no more, unless another one that it takes fits them.
    pub fn unsubscribe(&mut self, topic: &Bytes) {
        if self.topics.remove(topic) {
            self.hub.remove_topic(self.id, topic);
        }
    }

    /// From where a stream would go on that resumed this one: the client has everything up to there that is for it.
    pub fn position(&self) -> EventId {
        self.hub.id(self.position)
    }

    /// Whether a gap comes next that belongs to how the stream began: one that resumes at its position is not told of that.
    pub fn begins_with_gap(&self) -> bool {
        self.catch_up.as_ref().is_some_and(|catch_up| catch_up.missed != Missed::Exactly(0))
    }

    /// How long a client is to wait before it opens another one after a break.
    pub fn retry_ms(&self) -> u64 {
        self.hub.retry_ms(false)
    }

    /// The next that is there already. None too where much of what is kept was looked through, and more is to be.
    pub fn try_next(&mut self) -> Option<Next> {
        self.take(None)
    }

    /// The next, or a heartbeat. Nothing is lost where it is not waited for to the end.
    pub async fn next(&mut self) -> Next {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// As [`Self::next`], for who polls.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Next> {
        loop {
            if let Some(next) = self.take(Some(context.waker())) {
                self.spoke = Instant::now();
                return Poll::Ready(next);
            }
            let (spoke, interval) = (self.spoke, Duration::from_millis(self.hub.settings().heartbeat_ms));
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(interval)));
            ready!(timer.as_mut().poll(context));
            let due = spoke + interval;
            if due > Instant::now() {
                timer.as_mut().reset(due);
                continue;
            }
            self.spoke = Instant::now();
            timer.as_mut().reset(self.spoke + interval);
            return Poll::Ready(self.next_or_heartbeat());
        }
    }

    /// The next if it has come at the last moment, else a heartbeat.
    pub(super) fn next_or_heartbeat(&mut self) -> Next {
        // What is dispatched is asked before the queue is found empty: so all of it was taken.
        let dispatched = self.hub.dispatched();
        self.take(None).unwrap_or_else(|| {
            if self.catch_up.is_none() {
                self.position = self.position.max(dispatched - 1);
            }
            Next::Heartbeat { id: self.position() }
        })
    }

    /// Whether it reads the ring.
    #[cfg(test)]
    pub(super) fn is_catching_up(&self) -> bool {
        self.catch_up.is_some()
    }

    fn take(&mut self, waker: Option<&Waker>) -> Option<Next> {
        let mut reads = 0;
        while let Some(catch_up) = &mut self.catch_up {
            if catch_up.missed != Missed::Exactly(0) {
                let missed = std::mem::replace(&mut catch_up.missed, Missed::Exactly(0));
                self.position = catch_up.next - 1;
                return Some(self.gap(missed));
            }
            if let Some(event) = catch_up.read.pop_front() {
                self.position = event.number;
                return Some(self.read_event(event));
            }
            if reads == READS_AT_ONCE {
                waker.into_iter().for_each(Waker::wake_by_ref);
                return None;
            }
            reads += 1;
            self.read_on();
        }
        let given = lock(&self.queue).take(waker)?;
        Some(match given {
            Given::Event(event, passage) => {
                self.position = event.number;
                passage.out();
                Next::Event { id: self.position(), event }
            }
            Given::Gap { up_to, missed } => {
                self.position = up_to;
                self.gap(missed)
            }
            Given::End => Next::End { retry_ms: self.hub.retry_ms(true) },
        })
    }

    /// Reads some more of the ring, or goes on to the queue if that was all.
    fn read_on(&mut self) {
        let Some(catch_up) = &mut self.catch_up else { return };
        if self.hub.go_live(&self.queue, catch_up.next) {
            self.catch_up = None;
            return;
        }
        let Read { events, oldest } = self.hub.ring().read(catch_up.next, READ_AT_ONCE);
        if oldest > catch_up.next {
            // Nobody knows which of these it would have taken, unless it takes all.
            let missed = self.skip_to(oldest);
            self.hub.streams_hop().refuse_many(Reason::SubscriberFull, missed.count().unwrap_or(1));
            return;
        }
        catch_up.next += events.len() as u64;
        let topics = &self.topics;
        let is_wanted = |event: &Arc<Event>| topics.iter().any(|topic| event.first_frame().starts_with(topic));
        catch_up.read = events.into_iter().filter(is_wanted).collect();
        if catch_up.read.is_empty() {
            self.position = catch_up.next - 1;
        }
    }

    /// Goes on from the oldest event that is kept, if that comes later. Returns what is missing.
    fn skip_to(&mut self, oldest: u64) -> Missed {
        let takes_all = self.topics.contains(&b""[..]);
        let Some(catch_up) = self.catch_up.as_mut().filter(|catch_up| catch_up.next < oldest) else {
            return Missed::Exactly(0);
        };
        let missed = if takes_all { Missed::Exactly(oldest - catch_up.next) } else { Missed::Unknown };
        catch_up.missed = catch_up.missed.and(missed);
        catch_up.next = oldest;
        missed
    }

    /// An event of the ring, which waited in no queue.
    fn read_event(&self, event: Arc<Event>) -> Next {
        if event.is_lost() {
            self.hub.streams_hop().refuse(Reason::TooLarge);
            return self.gap(Missed::Exactly(1));
        }
        self.hub.streams_hop().pass();
        Next::Event { id: self.position(), event }
    }

    fn gap(&self, missed: Missed) -> Next {
        Next::Gap { id: self.position(), missed: missed.count() }
    }
}

/// Whether a stream can take this topic, of which it has so many.
fn check_topic(topic: &Bytes, has: usize, topics_max: usize) -> Result<(), TopicError> {
    if topic.len() > SUBSCRIPTION_BYTES_MAX {
        return Err(TopicError::TooLong(SUBSCRIPTION_BYTES_MAX));
    }
    if has >= topics_max {
        return Err(TopicError::TooMany(topics_max));
    }
    Ok(())
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.hub.remove(self.id, self.topics.iter());
    }
}
