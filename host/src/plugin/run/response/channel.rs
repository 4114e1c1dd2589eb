//! Between the guest that writes a response and whoever sends it: what was written, and the room that it has.

use super::BrokenOff;
use crate::byte_budget::Held;
use bytes::{Bytes, BytesMut};
use hyper::http::response::Parts;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// A response on its way.
pub(crate) struct Channel(Mutex<ChannelState>);

/// What there is of it.
pub(crate) struct ChannelState {
    pub(crate) head: Option<Parts>,
    /// What was written and not taken yet: in one piece, for a guest may write byte by byte.
    pub(crate) written: BytesMut,
    /// For what was not taken yet, and what may still be written.
    room: Held,
    pub(crate) end: Option<Result<(), BrokenOff>>,
    pub(crate) reader: Option<Waker>,
}

impl ChannelState {
    /// What was written and not taken yet, with its part of the room.
    pub(crate) fn take(&mut self) -> Bytes {
        let piece = self.written.split();
        self.room.split(piece.len()).keep(piece)
    }

    /// Nothing more is written. Only the first end counts.
    pub(crate) fn end(&mut self, end: Result<(), BrokenOff>) {
        self.end.get_or_insert(end);
        self.room.settle(self.written.len());
    }
}

impl Channel {
    /// With `room` for all that may be written.
    pub(crate) fn new(room: Held) -> Arc<Self> {
        let state = ChannelState { head: None, written: BytesMut::new(), room, end: None, reader: None };
        Arc::new(Self(Mutex::new(state)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, ChannelState> {
        // The state is whole at every panic: each change is a few assignments.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut ChannelState)) {
        let mut state = self.lock();
        change(&mut state);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}
