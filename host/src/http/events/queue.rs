//! What waits for one stream, within its bounds: the events that its client has not taken, and how many it missed.

use super::event::Event;
use crate::config::OnSlow;
use crate::ledger::{Hop, Passage, Reason};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::task::Waker;

/// How much may wait, and what happens where more would.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueueSettings {
    pub(super) messages_max: usize,
    pub(super) bytes_max: usize,
    pub(super) on_slow: OnSlow,
}

/// How many events a client missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missed {
    Exactly(u64),
    /// At least one, or so it seems.
    Unknown,
}

impl Missed {
    const NONE: Self = Self::Exactly(0);

    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Exactly(some), Self::Exactly(more)) => Self::Exactly(some + more),
            _ => Self::Unknown,
        }
    }

    /// The number where it is known.
    pub(super) fn count(self) -> Option<u64> {
        match self {
            Self::Exactly(count) => Some(count),
            Self::Unknown => None,
        }
    }
}

/// What a stream is given next.
#[derive(Debug)]
pub(super) enum Given {
    Event(Arc<Event>, Passage),
    /// So many are missing; the client has been told of everything up to the number.
    Gap {
        up_to: u64,
        missed: Missed,
    },
    /// There is nothing more, and never will be.
    End,
}

/// An event that waits, and how many are missing before it.
struct Waiting {
    event: Arc<Event>,
    passage: Passage,
    missed: Missed,
}

/// One stream's own queue.
pub(super) struct Queue {
    settings: QueueSettings,
    waiting: BTreeMap<u64, Waiting>,
    bytes: usize,
    /// The newest event of each topic, once only those wait.
    newest: Option<HashMap<Bytes, u64>>,
    /// How many are missing behind the last that waits, and the number of the last of those.
    missed: Missed,
    missed_up_to: u64,
    /// How many more the client does not get, once its stream is cut off.
    cut_off: Option<Missed>,
    /// The number of the first event that is for the stream to get from here; none while it reads the ring.
    from: Option<u64>,
    is_ended: bool,
    waker: Option<Waker>,
}

impl Queue {
    pub(super) fn new(settings: QueueSettings) -> Self {
        Self {
            settings,
            waiting: BTreeMap::new(),
            bytes: 0,
            newest: None,
            missed: Missed::NONE,
            missed_up_to: 0,
            cut_off: None,
            from: None,
            is_ended: false,
            waker: None,
        }
    }

    /// From this number on events come by the queue.
    pub(super) fn go_live(&mut self, from: u64) {
        self.from = Some(from);
    }

    /// Puts an event in, which counts at `hop`, unless it has been put in, or comes another way. Returns whom to wake.
    pub(super) fn push(&mut self, event: &Arc<Event>, hop: &Hop) -> Option<Waker> {
        let from = self.from?;
        if event.number < from || self.is_ended {
            return None;
        }
        self.from = Some(event.number + 1);
        if event.is_lost() {
            hop.refuse(Reason::TooLarge);
            return self.note_missed(Missed::Exactly(1), event.number);
        }
        let passage = hop.enter().of_client();
        let missed = std::mem::replace(&mut self.missed, Missed::NONE);
        self.bytes += event.bytes();
        self.waiting.insert(event.number, Waiting { event: Arc::clone(event), passage, missed });
        self.keep_newest(event);
        if self.is_over() {
            self.make_room();
        }
        self.waker.take()
    }

    /// The events from the `first` number to the `last` will never come. Returns whom to wake.
    pub(super) fn miss(&mut self, first: u64, last: u64, takes_all: bool) -> Option<Waker> {
        let first = self.from?.max(first);
        if last < first || self.is_ended {
            return None;
        }
        self.from = Some(last + 1);
        self.note_missed(if takes_all { Missed::Exactly(last - first + 1) } else { Missed::Unknown }, last)
    }

    fn note_missed(&mut self, missed: Missed, up_to: u64) -> Option<Waker> {
        self.missed = self.missed.and(missed);
        self.missed_up_to = up_to;
        self.waker.take()
    }

    /// Nothing more comes in. Returns whom to wake.
    pub(super) fn end(&mut self) -> Option<Waker> {
        self.is_ended = true;
        self.waker.take()
    }

    /// The next in order. If there is nothing, and somebody waits, that one is woken later.
    pub(super) fn take(&mut self, waker: Option<&Waker>) -> Option<Given> {
        if let Some(mut first) = self.waiting.first_entry() {
            let missed = std::mem::replace(&mut first.get_mut().missed, Missed::NONE);
            if missed != Missed::NONE {
                return Some(Given::Gap { up_to: first.key() - 1, missed });
            }
            let Waiting { event, passage, .. } = first.remove();
            self.forget(&event);
            return Some(Given::Event(event, passage));
        }
        if self.missed != Missed::NONE {
            let missed = std::mem::replace(&mut self.missed, Missed::NONE);
            return Some(Given::Gap { up_to: self.missed_up_to, missed });
        }
        if let Some(missed) = self.cut_off.take() {
            return Some(Given::Gap { up_to: self.missed_up_to, missed });
        }
        if self.is_ended {
            return Some(Given::End);
        }
        if let Some(waker) = waker {
            self.waker = Some(waker.clone());
        }
        None
    }

    /// How many events wait, and their bytes.
    pub(super) fn depth(&self) -> (u64, u64) {
        (self.waiting.len() as u64, self.bytes as u64)
    }

    fn is_over(&self) -> bool {
        let count = self.waiting.len();
        count > self.settings.messages_max || self.bytes > self.settings.bytes_max && count > 1
    }

    /// Drops what the client is too slow for.
    fn make_room(&mut self) {
        match self.settings.on_slow {
            OnSlow::CutOff => self.cut_off(),
            OnSlow::DropOldest => {}
            OnSlow::Conflate if self.newest.is_none() => {
                self.newest = Some(HashMap::new());
                let events: Vec<_> = self.waiting.values().map(|waiting| Arc::clone(&waiting.event)).collect();
                events.iter().for_each(|event| self.keep_newest(event));
            }
            OnSlow::Conflate => {}
        }
        while self.is_over() {
            let Some(oldest) = self.waiting.first_key_value().map(|(&number, _)| number) else { return };
            self.drop_one(oldest);
        }
    }

    /// Everything goes that waits. The client comes back for what follows the last event that it was given.
    fn cut_off(&mut self) {
        let Some(first) = self.waiting.first_key_value().map(|(&number, _)| number) else { return };
        self.missed_up_to = first - 1;
        let mut cut_off = Missed::NONE;
        for (number, Waiting { passage, missed, .. }) in std::mem::take(&mut self.waiting) {
            let before = if number == first { &mut self.missed } else { &mut cut_off };
            *before = before.and(missed);
            cut_off = cut_off.and(Missed::Exactly(1));
            passage.dropped(Reason::SubscriberFull);
        }
        self.cut_off = Some(cut_off);
        self.bytes = 0;
        self.is_ended = true;
    }

    /// Where only the newest of each topic waits, drops what this one takes the place of.
    fn keep_newest(&mut self, event: &Event) {
        let Some(newest) = &mut self.newest else { return };
        if let Some(older) = newest.insert(event.topic(), event.number) {
            self.drop_one(older);
        }
    }

    /// Drops one that waits and is not the newest; it is missing before the next.
    fn drop_one(&mut self, number: u64) {
        let Some(Waiting { event, passage, missed }) = self.waiting.remove(&number) else { return };
        passage.dropped(Reason::SubscriberFull);
        self.forget(&event);
        let missed = missed.and(Missed::Exactly(1));
        if let Some((_, next)) = self.waiting.range_mut(number..).next() {
            next.missed = missed.and(next.missed);
        }
    }

    /// Counts one out that does not wait any more. When none does, the client has caught up.
    fn forget(&mut self, event: &Event) {
        self.bytes -= event.bytes();
        if self.waiting.is_empty() {
            self.newest = None;
        } else if let Some(newest) = &mut self.newest
            && newest.get(&event.topic()) == Some(&event.number)
        {
            newest.remove(&event.topic());
        }
    }
}
