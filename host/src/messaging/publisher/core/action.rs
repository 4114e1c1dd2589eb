//! The actions that the publisher's core asks for, and the outcome of sending a message.

use crate::flow::Frames;
use crate::ledger::Passage;
use crate::traces::Span;
use std::time::{Duration, Instant};

/// An action that the loop is to perform.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action<'a> {
    /// Move what is queued to [`messages`](super::PublisherCore::messages), and call
    /// [`taken`](super::PublisherCore::taken).
    Take,
    /// Process which subscribers have come and gone.
    Listen,
    /// Receive one change of a subscription, and report by [`received`](super::PublisherCore::received) whether there
    /// was one.
    Receive,
    /// Have libzmq take more changes from subscribers, and report by [`renewed`](super::PublisherCore::renewed) how
    /// long that took.
    TakeMore,
    /// Send a message, and report the outcome by [`sent`](super::PublisherCore::sent).
    Send(&'a QueuedMessage),
    /// Let libzmq work for so long at most, and process which subscribers have gone.
    Pause(Duration),
    /// Ask libzmq how much is queued to each subscriber.
    AskDepths,
    /// Cut off the subscribers that have no room, and report by [`cut_off`](super::PublisherCore::cut_off) whether
    /// there were any.
    CutOff,
    /// Let messages gather for so long.
    Gather(Duration),
    /// Wait until a message is queued or a subscriber does something, until this time at most.
    Sleep(Instant),
    /// Close the socket, and give subscribers so long to take what is queued to them.
    End(Duration),
}

/// The outcome of sending a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Out,
    /// A subscriber has no room, and nobody got it.
    Full,
    /// Nobody subscribes to its topic.
    NoSubscriber,
    Failed,
}

/// A message that was accepted and is not yet handed to libzmq.
#[derive(Debug)]
pub(crate) struct QueuedMessage {
    /// One or more.
    pub(crate) frames: Frames,
    pub(crate) passage: Passage,
    /// Ends when it is sent or dropped.
    pub(crate) span: Span,
}

/// The topic of a message: the first of several frames. A message of one frame is a body, and has none.
pub(crate) fn topic_of(frames: &Frames) -> &[u8] {
    match &frames[..] {
        [topic, _, ..] => topic,
        _ => &[],
    }
}
