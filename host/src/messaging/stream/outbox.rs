//! What is to be sent by one socket: taken from its queue, and handed to libzmq as long as that has room.

use super::sink::{Queued, StreamSink};
use crate::flow::Sink;
use crate::flow::mailbox::Room;
use crate::ledger::Reason;
use crate::messaging::socket;
use crate::messaging::socket::statistics::SocketStatistics;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

/// Belongs to the loop's thread.
pub(super) struct Outbox {
    sink: Arc<StreamSink>,
    /// What was taken from the queue. It has its place there until it is sent.
    waiting: VecDeque<(Queued, Room)>,
    more_may_come: bool,
    /// Left with the queue when it is empty.
    queued: Waker,
}

/// How a turn of sending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// There is no more to send for now.
    All,
    /// libzmq has no room, or no peer is connected.
    Full,
    /// The turn is over.
    Enough,
}

impl Outbox {
    pub(super) fn new(sink: Arc<StreamSink>, queued: Waker) -> Self {
        Self { sink, waiting: VecDeque::new(), more_may_come: true, queued }
    }

    /// Takes in no more messages. What is in the queue is still sent.
    pub(super) fn close(&self) {
        self.sink.queue.close();
    }

    /// Whether nothing is left to send and nothing will come.
    pub(super) fn has_ended(&mut self) -> bool {
        self.take_queued();
        self.waiting.is_empty() && !self.more_may_come
    }

    /// Sends up to so many messages, with about so many bytes. Returns also how many it sent.
    pub(super) fn send(
        &mut self,
        socket: &zmq::Socket,
        statistics: &SocketStatistics,
        messages_max: usize,
        bytes_max: usize,
    ) -> (Sent, usize) {
        let (mut messages, mut bytes) = (0, 0);
        while messages < messages_max && bytes < bytes_max {
            if self.waiting.is_empty() {
                self.take_queued();
            }
            let Some((queued, _)) = self.waiting.front() else {
                // A queue that is closed lets nobody sleep.
                let is_all = !self.more_may_come || self.sink.queue.may_sleep(&self.queued);
                if is_all {
                    return (Sent::All, messages);
                }
                continue;
            };
            let size = queued.frames.iter().map(Bytes::len).sum::<usize>();
            let end = match socket::send(socket, &queued.frames, zmq::DONTWAIT) {
                Ok(()) => Ok(()),
                Err(zmq::Error::EAGAIN) => return (Sent::Full, messages),
                Err(error) => {
                    tracing::warn!(surface = self.sink.name(), %error, "sending failed");
                    Err(Reason::SendFailed)
                }
            };
            if end.is_ok() {
                statistics.count_out(size);
            }
            self.settle(end);
            (messages, bytes) = (messages + 1, bytes + size);
        }
        (Sent::Enough, messages)
    }

    fn take_queued(&mut self) {
        self.more_may_come = self.sink.queue.take_all(&mut self.waiting);
    }

    /// Removes the message in front, and counts its end.
    fn settle(&mut self, end: Result<(), Reason>) {
        let Some((Queued { passage, mut span, .. }, _room)) = self.waiting.pop_front() else { return };
        match end {
            Ok(()) => {
                span.settle();
                passage.out();
            }
            Err(reason) => {
                span.fail(reason.as_str(), "");
                passage.dropped(reason);
            }
        }
    }
}

impl Drop for Outbox {
    /// Nobody is to wait for a socket that is gone.
    fn drop(&mut self) {
        self.close();
        self.take_queued();
    }
}
