//! What a flow is told from outside, and what it tells of itself.

use crate::flow::{Command, State};
use futures_util::task::AtomicWaker;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Shared by a flow's task and those who hold its handle.
#[derive(Debug)]
pub(super) struct FlowControl {
    /// Whether orders have come that the task has not seen.
    is_ordered: AtomicBool,
    orders: Mutex<Orders>,
    progress: Mutex<Progress>,
    /// The task's.
    pub(super) waker: AtomicWaker,
}

/// What a flow is to do.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Orders {
    /// It takes nothing in.
    pub(super) is_shut: bool,
    /// It takes nothing in, in order to be empty.
    pub(super) is_draining: bool,
    /// It goes on with the message that it stopped at.
    pub(super) is_resumed: bool,
    /// It ends once it is empty, or then.
    pub(super) end: Option<Instant>,
}

/// How a flow is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) state: State,
    /// Messages that it has taken from its inlets.
    pub(super) in_flight: usize,
    /// What keeps it from going on.
    pub(super) obstacle: Option<String>,
}

impl FlowControl {
    pub(super) fn new() -> Self {
        let progress = Progress { state: State::Running, in_flight: 0, obstacle: None };
        let (is_ordered, orders, waker) = Default::default();
        Self { is_ordered, orders, progress: Mutex::new(progress), waker }
    }

    pub(super) fn command(&self, command: Command) {
        self.order(|orders| match command {
            Command::Pause => *orders = Orders { is_shut: true, is_draining: false, ..*orders },
            Command::Resume => *orders = Orders { is_shut: false, is_draining: false, is_resumed: true, ..*orders },
            Command::Drain => *orders = Orders { is_shut: true, is_draining: true, ..*orders },
        });
    }

    pub(super) fn end(&self, deadline: Instant) {
        self.order(|orders| orders.end = Some(deadline));
    }

    fn order(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut self.orders.lock().unwrap_or_else(PoisonError::into_inner));
        self.is_ordered.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// For the task: what it is to do, if that has changed.
    pub(super) fn take_orders(&self) -> Option<Orders> {
        self.is_ordered.swap(false, Ordering::Acquire).then(|| {
            let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = *orders;
            orders.is_resumed = false;
            taken
        })
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
