//! Which sockets have something to do, in the order in which they are visited.

use super::state::SocketId;
use std::collections::{HashSet, VecDeque};

/// Each socket once. One that has more to do than it may in one turn goes to the end.
#[derive(Default)]
pub(super) struct ReadyList {
    order: VecDeque<SocketId>,
    members: HashSet<SocketId>,
}

impl ReadyList {
    /// Adds a socket, unless it waits already.
    pub(super) fn add(&mut self, id: SocketId) {
        if self.members.insert(id) {
            self.order.push_back(id);
        }
    }

    /// Removes the next one.
    pub(super) fn next(&mut self) -> Option<SocketId> {
        let id = self.order.pop_front()?;
        self.members.remove(&id);
        Some(id)
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}
