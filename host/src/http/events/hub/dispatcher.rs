//! The dispatcher: puts what came in into the queues of the streams that it is for, so much at a time.

use super::{Hub, lock};
use crate::http::events::directory::{Directory, Place};
use crate::http::events::event::Event;
use crate::ledger::{Passage, Reason};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

/// After so many places in queues others get at the directory, amid an event too, and those are woken that have something.
pub(in crate::http::events) const PLACES_AT_ONCE: usize = 4_096;
/// The same in events.
const EVENTS_AT_ONCE: usize = 256;

/// The only one that hands out what a hub takes in.
pub(in crate::http::events) struct Dispatcher {
    hub: Arc<Hub>,
    places_at_once: usize,
    /// What there were too many places for.
    underway: Option<Underway>,
    has_ended: bool,
}

/// Whether the dispatcher has more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http::events) enum Dispatched {
    Some,
    Everything,
}

/// An event that some queues may have, and others not yet.
struct Underway {
    event: Arc<Event>,
    passage: Passage,
    /// Those from here to the event were overwritten before anybody could see whom they were for, and all streams from this
    /// one on are still to be told.
    missed_from: u64,
    stream: u64,
    /// Where the event is put next.
    place: Place,
}

impl Dispatcher {
    pub(in crate::http::events) fn new(hub: Arc<Hub>, places_at_once: usize) -> Self {
        Self { hub, places_at_once, underway: None, has_ended: false }
    }

    /// Hands some of what waits to the queues of its streams, and wakes those.
    pub(in crate::http::events) fn dispatch(&mut self) -> Dispatched {
        let (mut wakers, mut passages) = (Vec::new(), Vec::new());
        let (mut room, mut state) = (self.places_at_once, Dispatched::Some);
        let hub = Arc::clone(&self.hub);
        let directory = lock(&hub.directory);
        while room > 0 && passages.len() < EVENTS_AT_ONCE {
            let Some(mut underway) = self.underway.take().or_else(|| Underway::begin(&hub)) else {
                state = Dispatched::Everything;
                break;
            };
            if !underway.go_on(&hub, &directory, &mut room, &mut wakers) {
                self.underway = Some(underway);
                break;
            }
            let Underway { event, passage, .. } = underway;
            // All streams may have gone meanwhile, and others have come that begin behind it.
            hub.dispatched.fetch_max(event.number + 1, Ordering::Release);
            passages.push((event.is_lost(), passage));
        }
        if !self.has_ended && hub.dispatched() >= hub.ends_at.load(Ordering::Relaxed) {
            self.has_ended = true;
            wakers.extend(directory.streams(0).filter_map(|(_, queue, _)| lock(queue).end()));
        }
        drop(directory);
        wakers.into_iter().for_each(Waker::wake);
        for (is_lost, passage) in passages {
            match is_lost {
                true => passage.dropped(Reason::TooLarge),
                false => passage.out(),
            }
        }
        state
    }
}

impl Underway {
    fn begin(hub: &Hub) -> Option<Self> {
        let (event, passage) = hub.ring().take()?;
        hub.begun.store(event.number + 1, Ordering::Relaxed);
        Some(Self { event, passage, missed_from: hub.dispatched(), stream: 0, place: Place::default() })
    }

    /// Goes on for as long as there is room. Returns whether that was to the end.
    fn go_on(&mut self, hub: &Hub, directory: &Directory, room: &mut usize, wakers: &mut Vec<Waker>) -> bool {
        let number = self.event.number;
        if self.missed_from < number {
            for (stream, queue, takes_all) in directory.streams(self.stream) {
                if *room == 0 {
                    self.stream = stream;
                    return false;
                }
                *room -= 1;
                wakers.extend(lock(queue).miss(self.missed_from, number - 1, takes_all));
            }
            self.missed_from = number;
        }
        for (place, queue) in directory.takers(&self.event, self.place) {
            if *room == 0 {
                self.place = place;
                return false;
            }
            *room -= 1;
            wakers.extend(lock(queue).push(&self.event, &hub.streams_hop));
        }
        true
    }
}
