//! In which order messages leave a flow: behind those that entered their lane before them.

use crate::config::Order;
use crate::flow::Message;
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};

/// The items of a flow in the order in which they entered, in one lane, in one for each key, or in none.
#[derive(Debug)]
pub(super) enum Lanes {
    Strict(VecDeque<usize>),
    Key(HashMap<Bytes, VecDeque<usize>>),
    None,
}

impl Lanes {
    pub(super) fn new(order: Order) -> Self {
        match order {
            Order::Strict => Self::Strict(VecDeque::new()),
            Order::Key => Self::Key(HashMap::new()),
            Order::None => Self::None,
        }
    }

    /// What a message has to keep its place behind: its first frame, where that matters.
    pub(super) fn key_of(&self, message: &Message) -> Bytes {
        match self {
            Self::Key(_) => message.frames.first().cloned().unwrap_or_default(),
            Self::Strict(_) | Self::None => Bytes::new(),
        }
    }

    /// An item enters behind all others of its lane.
    pub(super) fn enter(&mut self, item: usize, key: &Bytes) {
        match self {
            Self::Strict(lane) => lane.push_back(item),
            Self::Key(lanes) => lanes.entry(key.clone()).or_default().push_back(item),
            Self::None => {}
        }
    }

    /// Whether it is an item's turn to leave.
    pub(super) fn is_first(&self, item: usize, key: &Bytes) -> bool {
        match self {
            Self::Strict(lane) => lane.front() == Some(&item),
            Self::Key(lanes) => lanes.get(key).and_then(VecDeque::front) == Some(&item),
            Self::None => true,
        }
    }

    /// The first item of a lane leaves. Returns the one whose turn it is then.
    pub(super) fn leave(&mut self, key: &Bytes) -> Option<usize> {
        match self {
            Self::Strict(lane) => {
                lane.pop_front();
                lane.front().copied()
            }
            Self::Key(lanes) => {
                let lane = lanes.get_mut(key)?;
                lane.pop_front();
                let next = lane.front().copied();
                if next.is_none() {
                    lanes.remove(key);
                }
                next
            }
            Self::None => None,
        }
    }
}
