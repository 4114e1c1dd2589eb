//! The work of a shadow: makes each call of the newcomer, behind all traffic, and keeps what it comes to.

use super::running::{Shadow, Taken};
use super::status::ShadowState;
use crate::config::SHADOW_REST_MS;
use crate::flow::{Message, Recorded};
use crate::ledger::Reason;
use crate::record::compare::{Outcome, Rules};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How long one rests that has made all calls there were.
const REST: Duration = Duration::from_millis(SHADOW_REST_MS);

/// Makes a call that was made of what serves, of the newcomer.
pub(super) trait Trial: Send + Sync {
    /// Makes it. What it is compared with may have changed since, of which the shadow is told.
    fn make<'a>(&'a mut self, shadow: &'a Shadow, message: &'a Message, recorded: &'a Recorded)
    -> BoxFuture<'a, Tried>;
}

/// What came of a call.
pub(super) enum Tried {
    /// It was answered by something else than what serves now.
    Superseded,
    /// The machine had no time for it.
    Starved,
    /// Whether the newcomer differs is not known.
    Undecided,
    /// What it came to, and what it comes to now.
    Both(Box<(Outcome, Outcome)>),
}

/// Has a shadow serve if it may.
pub(super) type Promote = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// What makes the calls.
pub(super) struct Calling {
    shadow: Arc<Shadow>,
    trial: Box<dyn Trial>,
    /// Has it serve once it may; none where it is not to by itself.
    promote: Option<Promote>,
    /// What was taken from the queue, and is still to be made.
    taken: VecDeque<Taken>,
}

impl Calling {
    pub(super) fn new(shadow: Arc<Shadow>, trial: Box<dyn Trial>, promote: Option<Promote>) -> Self {
        Self { shadow, trial, promote, taken: VecDeque::new() }
    }

    /// Calls until the shadow ends. Nothing that goes wrong here harms the host.
    pub(super) async fn run(mut self) {
        if AssertUnwindSafe(self.call_all()).catch_unwind().await.is_err() {
            let of = self.shadow.beside.key();
            tracing::error!(of, "a shadow has failed: its work panicked; the host goes on");
            self.shadow.end(ShadowState::Ended, Some("its work panicked, and the log says where".to_owned()));
        }
        self.shadow.finish(std::mem::take(&mut self.taken));
    }

    async fn call_all(&mut self) {
        // The number of the last call that was compared.
        let mut number = 0;
        while let Some(((recorded, passage), _room)) = self.next().await {
            let message =
                Message { metadata: recorded.metadata.clone(), frames: recorded.frames.clone(), ..Message::default() };
            let tried = tokio::select! {
                biased;
                tried = self.trial.make(&self.shadow, &message, &recorded) => tried,
                () = self.shadow.ended.cancelled() => Tried::Superseded,
            };
            match tried {
                Tried::Superseded => {
                    self.shadow.drop_one(passage, Reason::Superseded);
                    continue;
                }
                Tried::Starved => {
                    self.shadow.drop_one(passage, Reason::Starved);
                    continue;
                }
                Tried::Undecided => self.shadow.progress().comparison.add_undecided(),
                Tried::Both(both) => {
                    number += 1;
                    self.shadow.progress().comparison.add(self.rules(), number, &message, &both.0, &both.1);
                }
            }
            passage.out();
            if let Some(promote) = &self.promote {
                tokio::select! {
                    biased;
                    () = promote() => {}
                    () = self.shadow.ended.cancelled() => {}
                }
            }
            // Other long calls have the same threads.
            tokio::task::yield_now().await;
        }
    }

    fn rules(&self) -> &Rules {
        &self.shadow.wanted.rules
    }

    /// The next call; none once the shadow has ended. One that has made all there were rests before it waits for another, so
    /// that traffic need not wake it for each.
    async fn next(&mut self) -> Option<Taken> {
        let queue = &self.shadow.queue;
        if self.taken.is_empty() {
            tokio::select! {
                biased;
                () = self.shadow.ended.cancelled() => return None,
                () = sleep(REST) => {}
            }
            let first = poll_fn(|context| queue.poll_take(context)).await?;
            self.taken.push_back(first);
            queue.take_all(&mut self.taken);
        }
        if queue.is_closed() { None } else { self.taken.pop_front() }
    }
}
