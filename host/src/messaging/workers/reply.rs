//! Whoever waits for the answer of a worker, and what is told: all parts at once, each as it comes, or why there is none.

use crate::byte_budget::{ByteBudget, Held};
use crate::flow::Frames;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{mpsc, oneshot};

/// What each part of an answer counts for beside its bytes, so that empty ones do not come without a bound.
const PART_BYTES: usize = 64;

/// All parts of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) parts: Vec<Frames>,
    /// At which attempt it was given, from 1.
    pub(super) attempt: u32,
}

/// One part of an answer, or its end.
#[derive(Debug)]
pub(super) enum Part {
    /// A part, given at this attempt, from 1.
    One {
        frames: Frames,
        attempt: u32,
        is_last: bool,
        /// Given back when the part is taken.
        room: Held,
    },
    /// Nothing follows.
    End,
    /// Nothing follows, and the answer is not whole.
    Broken(Unanswered),
}

/// Why there is no answer, or not all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// No worker was free in time.
    NoWorker,
    /// The last of so many workers that had it was lost, for this reason.
    WorkerLost { attempts: u32, why: &'static str },
    /// The worker took too long.
    TooLate,
    /// The answer was larger than it may be.
    TooLarge,
    /// Who takes it part by part has not taken as much as may wait.
    NotTaken,
    /// The answers that wait have no more room together.
    NoRoom,
}

/// A part of an answer was not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotPassedOn {
    /// Nobody waits for it any more.
    Gone,
    /// There is no room for it, for this reason.
    NoRoom(Unanswered),
}

/// The pool's end of a reply.
pub(super) struct Reply(Kind);

enum Kind {
    /// Somebody waits for all of it. These parts have come, and have so many bytes.
    Whole { reply: oneshot::Sender<Result<Answer, Unanswered>>, parts: Vec<Frames>, bytes: usize, room: Vec<Held> },
    /// Somebody takes each part as it comes. So many bytes have not been taken yet.
    Parts { parts: mpsc::UnboundedSender<Part>, waiting: Arc<AtomicUsize>, has_begun: bool, is_over: bool },
}

/// The other end of one that comes part by part.
pub(super) struct PartReceiver {
    parts: mpsc::UnboundedReceiver<Part>,
    waiting: Arc<AtomicUsize>,
}

/// The other end of one that comes as a whole.
pub(super) type AnswerReceiver = oneshot::Receiver<Result<Answer, Unanswered>>;

impl Reply {
    /// One that is waited for as a whole.
    pub(super) fn whole() -> (Self, AnswerReceiver) {
        let (reply, answer) = oneshot::channel();
        (Self(Kind::Whole { reply, parts: Vec::new(), bytes: 0, room: Vec::new() }), answer)
    }

    /// One that is taken part by part.
    pub(super) fn in_parts() -> (Self, PartReceiver) {
        let (sender, parts) = mpsc::unbounded_channel();
        let waiting = Arc::<AtomicUsize>::default();
        let kind = Kind::Parts { parts: sender, waiting: Arc::clone(&waiting), has_begun: false, is_over: false };
        (Self(kind), PartReceiver { parts, waiting })
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_unwanted(&self) -> bool {
        match &self.0 {
            Kind::Whole { reply, .. } => reply.is_closed(),
            Kind::Parts { parts, .. } => parts.is_closed(),
        }
    }

    /// Whether a part was passed on, so that another worker cannot begin anew.
    pub(super) fn has_begun(&self) -> bool {
        matches!(self.0, Kind::Parts { has_begun: true, .. })
    }

    /// Forgets the parts of a worker that is lost.
    pub(super) fn begin_anew(&mut self) {
        if let Kind::Whole { parts, bytes, room, .. } = &mut self.0 {
            parts.clear();
            room.clear();
            *bytes = 0;
        }
    }

    /// Adds a part that was given at this attempt. What waits to be taken may have so many bytes, and with what waits of other
    /// answers those of a budget.
    ///
    /// # Errors
    /// When nobody waits any more, or there is no room for it.
    pub(super) fn add(
        &mut self,
        frames: Frames,
        (attempt, is_last): (u32, bool),
        (bytes_max, budget): (usize, &Arc<ByteBudget>),
    ) -> Result<(), NotPassedOn> {
        if self.is_unwanted() {
            return Err(NotPassedOn::Gone);
        }
        let more = part_bytes(&frames);
        // The first part counts by its bytes alone, so that an answer may be as large as it may be.
        let has_room = |held: usize| held + more <= bytes_max + PART_BYTES;
        let why = match &self.0 {
            Kind::Whole { bytes, .. } => (!has_room(*bytes)).then_some(Unanswered::TooLarge),
            Kind::Parts { waiting, has_begun, .. } => {
                let why = if *has_begun { Unanswered::NotTaken } else { Unanswered::TooLarge };
                (!has_room(waiting.load(Ordering::Relaxed))).then_some(why)
            }
        };
        if let Some(why) = why {
            return Err(NotPassedOn::NoRoom(why));
        }
        let mut room = budget.reserve(more).ok_or(NotPassedOn::NoRoom(Unanswered::NoRoom))?;
        room.settle(more);
        match &mut self.0 {
            Kind::Whole { parts, bytes, room: rooms, .. } => {
                *bytes += more;
                parts.push(frames);
                rooms.push(room);
                Ok(())
            }
            Kind::Parts { parts, waiting, has_begun, is_over } => {
                waiting.fetch_add(more, Ordering::Relaxed);
                (*has_begun, *is_over) = (true, is_last);
                parts.send(Part::One { frames, attempt, is_last, room }).map_err(|_| NotPassedOn::Gone)
            }
        }
    }

    /// The answer, given at this attempt, is whole.
    pub(super) fn finish(self, attempt: u32) {
        // Whoever asked may have gone in this moment, and has counted that.
        match self.0 {
            Kind::Whole { reply, parts, .. } => {
                let _ = reply.send(Ok(Answer { parts, attempt }));
            }
            Kind::Parts { parts, is_over: false, .. } => {
                let _ = parts.send(Part::End);
            }
            Kind::Parts { is_over: true, .. } => {}
        }
    }

    /// There is no answer, or no more of it.
    pub(super) fn fail(self, why: Unanswered) {
        match self.0 {
            Kind::Whole { reply, .. } => {
                let _ = reply.send(Err(why));
            }
            Kind::Parts { parts, .. } => {
                let _ = parts.send(Part::Broken(why));
            }
        }
    }
}

impl PartReceiver {
    /// The next part; none if the pool has ended.
    pub(super) async fn next(&mut self) -> Option<Part> {
        let part = self.parts.recv().await?;
        if let Part::One { frames, room, .. } = &part {
            debug_assert_eq!(room.bytes(), part_bytes(frames));
            self.waiting.fetch_sub(part_bytes(frames), Ordering::Relaxed);
        }
        Some(part)
    }
}

fn part_bytes(frames: &Frames) -> usize {
    frames.iter().map(bytes::Bytes::len).sum::<usize>() + PART_BYTES
}
