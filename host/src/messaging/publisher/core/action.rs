//! What the publisher's core wants to be done, and what comes of it.

use crate::ledger::Passage;
use bytes::Bytes;
use std::time::{Duration, Instant};

/// What is to be done next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action<'a> {
    /// Move what is queued into [`messages`](super::Core::messages), and tell of it by
    /// [`taken`](super::Core::taken).
    Take,
    /// Take in who has come and gone.
    Listen,
    /// Receive one change of a subscription, and tell by [`received`](super::Core::received) whether there was one.
    Receive,
    /// Let subscribers hand over more changes, and tell by [`renewed`](super::Core::renewed) what that has cost.
    TakeMore,
    /// Send a message, and tell by [`sent`](super::Core::sent) what has come of it.
    Send(&'a Message),
    /// Let libzmq work for so long at most, and take in who has gone.
    Pause(Duration),
    /// Ask how much is queued to each subscriber.
    AskDepths,
    /// End the connections of the subscribers that have no room, and tell by [`cut_off`](super::Core::cut_off) whether there
    /// were any.
    CutOff,
    /// Let messages gather for so long.
    Nap(Duration),
    /// Wait until something is queued or a subscriber does something, until then at most.
    Sleep(Instant),
    /// Close the socket, and give subscribers so long to take what they have not yet.
    End(Duration),
}

/// What has come of sending a message.
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
pub(crate) struct Message {
    pub(crate) topic: Bytes,
    pub(crate) body: Bytes,
    pub(crate) passage: Passage,
}
