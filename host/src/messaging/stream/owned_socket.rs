//! A socket as the loop's thread owns it: reads, writes and looks after its peers, each for a bounded time.

use super::intake::Intake;
use super::outbox::{Outbox, Sent};
use super::receive::{Bounds, Incoming, receive};
use super::sequence::{Numbered, Sequence};
use super::state::SocketState;
use crate::config::LOG_LIMIT_INTERVAL_MS;
use crate::flow::{Inlet, Message, Metadata};
use crate::ledger::Reason;
use crate::log_limit::LogLimit;
use crate::messaging::curve::access_control::AccessControl;
use crate::messaging::socket::connections::Connections;
use crate::messaging::socket::monitor::{Descriptor, Monitor};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// After so many messages in one direction, or so many bytes, the other sockets have their turn.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 1 << 20;

/// What a socket is opened with.
pub(super) struct Parts {
    pub(super) monitor: Monitor,
    pub(super) access_control: Option<AccessControl>,
    pub(super) connections: Connections,
    pub(super) intake: Option<Intake>,
    pub(super) queued: Waker,
    pub(super) sequence: Option<Sequence>,
    pub(super) bounds: Bounds,
    /// The key that each peer has shown that it was connected to.
    pub(super) server_key: Option<String>,
    pub(super) state: Arc<SocketState>,
}

/// Whether a socket is to be visited again at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visit {
    /// It may have more to do.
    More,
    /// It has nothing to do until its descriptor is readable.
    Done,
}

/// Belongs to the loop's thread.
pub(super) struct OwnedSocket {
    // Dropped before the socket.
    monitor: Monitor,
    access_control: Option<AccessControl>,
    socket: zmq::Socket,
    connections: Connections,
    intake: Option<Intake>,
    outbox: Option<Outbox>,
    sequence: Option<Sequence>,
    bounds: Bounds,
    server_key: Option<String>,
    state: Arc<SocketState>,
    end: Option<End>,
    gap_log_limit: LogLimit,
    log_limit: LogLimit<&'static str>,
}

/// The end of a socket that was asked for.
struct End {
    by: Instant,
    /// Dropped when it is closed.
    _closed: oneshot::Sender<()>,
}

impl OwnedSocket {
    pub(super) fn new(socket: zmq::Socket, parts: Parts) -> Self {
        let Parts { monitor, access_control, connections, intake, queued, sequence, bounds, server_key, state } = parts;
        Self {
            monitor,
            access_control,
            socket,
            connections,
            intake,
            outbox: state.sink.clone().map(|sink| Outbox::new(sink, queued)),
            sequence,
            bounds,
            server_key,
            state,
            end: None,
            gap_log_limit: LogLimit::default(),
            log_limit: LogLimit::new(1, Duration::from_millis(LOG_LIMIT_INTERVAL_MS)),
        }
    }

    /// The descriptors that are readable when libzmq has something to do for the socket, and for its monitor.
    ///
    /// # Errors
    /// When libzmq does not say.
    pub(super) fn descriptors(&self) -> zmq::Result<[Descriptor; 2]> {
        Ok([self.socket.get_fd()?, self.monitor.descriptor()?])
    }

    /// Writes and reads as much as it may in one turn. `frame` is a buffer. Returns also how many messages that were.
    ///
    /// # Errors
    /// When libzmq fails.
    pub(super) fn visit(&mut self, frame: &mut zmq::Message) -> zmq::Result<(Visit, usize)> {
        // libzmq processes what its connections did only when the socket is used.
        let events = self.socket.get_events()?;
        let (sent, written) = match &mut self.outbox {
            Some(outbox) if events.contains(zmq::POLLOUT) => {
                outbox.send(&self.socket, &self.state.statistics, BATCH, BATCH_BYTES)
            }
            _ => (Sent::All, 0),
        };
        let (is_more, read) = if events.contains(zmq::POLLIN) { self.read(frame)? } else { (false, 0) };
        // What one direction did may have taken in what the descriptor announced for the other.
        let is_both = self.outbox.is_some() && self.intake.is_some() && written + read > 0;
        let again = sent == Sent::Enough || is_more || is_both;
        Ok((if again { Visit::More } else { Visit::Done }, written + read))
    }

    /// Reads as much as it may in one turn. Returns whether there may be more, and how many messages it read.
    fn read(&mut self, frame: &mut zmq::Message) -> zmq::Result<(bool, usize)> {
        let asks_for_sender = self.sequence.is_some() || self.access_control.is_some() || self.connections.listens();
        let (mut messages, mut bytes) = (0, 0);
        while self.intake.as_ref().is_some_and(Intake::wants_more) {
            if messages == BATCH || bytes > BATCH_BYTES {
                return Ok((true, messages));
            }
            let Some(incoming) = receive(&self.socket, frame, self.bounds, asks_for_sender)? else { break };
            (messages, bytes) = (messages + 1, bytes + incoming.bytes);
            self.take_in(incoming);
        }
        Ok((false, messages))
    }

    fn take_in(&mut self, incoming: Incoming) {
        let Incoming { frames, bytes, is_too_large, descriptor, key } = incoming;
        self.state.statistics.count_in(bytes);
        if let Some(descriptor) = descriptor
            && key.is_some()
            && self.monitor.peer(descriptor).is_some_and(|peer| peer.key != key)
        {
            self.monitor.update(descriptor, |peer| peer.key.clone_from(&key));
        }
        if self.connections.listens()
            && let Some(peer) = descriptor.and_then(|descriptor| self.monitor.peer(descriptor))
        {
            self.connections.heard(peer.endpoint());
        }
        let is_let_in = self.access_control.as_ref().is_none_or(|access| access.lets_in(key.as_deref()));
        let Some(intake) = &mut self.intake else { return };
        if !is_let_in {
            return intake.hop().refuse(Reason::KeyRemoved);
        }
        if is_too_large {
            intake.hop().refuse(Reason::TooLarge);
            return self.warn("dropped: a message with more frames or bytes than one may have");
        }
        if let Some(sequence) = &mut self.sequence {
            let numbered = sequence.take_in(descriptor.unwrap_or(-1), &frames);
            self.note_number(numbered);
        }
        let key = key.or_else(|| self.server_key.clone());
        let metadata = Metadata::from_iter(key.map(|key| ("tidegate.curve-key".to_owned(), key)));
        if let Some(intake) = &mut self.intake {
            intake.take(Message { metadata, frames, ..Message::default() });
            self.state.holds.store(intake.holds(), Ordering::Relaxed);
        }
    }

    fn note_number(&mut self, numbered: Numbered) {
        let Some(counts) = &self.state.gaps else { return };
        match numbered {
            Numbered::InOrder => {}
            Numbered::After { missing } => {
                let gaps = counts.gaps.fetch_add(1, Ordering::Relaxed) + 1;
                let missing = counts.missing.fetch_add(missing, Ordering::Relaxed).saturating_add(missing);
                if let Some(times) = self.gap_log_limit.note(Instant::now()) {
                    let surface = &*self.state.name;
                    tracing::warn!(
                        surface,
                        gaps,
                        missing,
                        times,
                        "messages did not come: there are gaps in their numbers"
                    );
                }
            }
            Numbered::Unreadable => {
                counts.unreadable.fetch_add(1, Ordering::Relaxed);
                self.warn("a message has no number in the frame that `sequence` names, or one that is not eight bytes");
            }
        }
    }

    fn warn(&mut self, what: &'static str) {
        if let Some(repeats) = self.log_limit.admit(what, Instant::now()) {
            tracing::warn!(surface = &*self.state.name, repeats, "{what}");
        }
    }

    /// A flow may have room for the message that is held.
    pub(super) fn room(&mut self) {
        self.change_intake(Intake::room);
    }

    /// From now on these flows read the socket.
    pub(super) fn set_inlets(&mut self, inlets: Vec<Arc<Inlet>>) {
        self.change_intake(|intake| intake.set_inlets(inlets));
    }

    /// Reads no messages, or does again.
    pub(super) fn pause(&mut self, is_paused: bool) {
        self.change_intake(|intake| intake.pause(is_paused));
    }

    fn change_intake(&mut self, change: impl FnOnce(&mut Intake)) {
        if let Some(intake) = &mut self.intake {
            change(intake);
            self.state.holds.store(intake.holds(), Ordering::Relaxed);
        }
    }

    /// Reads nothing any more, and hands over what is held and sends what is queued by this time.
    pub(super) fn end(&mut self, by: Instant, closed: oneshot::Sender<()>) {
        self.change_intake(Intake::end);
        if let Some(outbox) = &self.outbox {
            outbox.close();
        }
        self.end = Some(End { by, _closed: closed });
    }

    /// Whether it was to end, and may be dropped: all was handed over and sent, or its time is over.
    pub(super) fn has_ended(&mut self, now: Instant) -> bool {
        let Some(end) = &self.end else { return false };
        let is_done =
            self.intake.as_ref().is_none_or(Intake::has_ended) && self.outbox.as_mut().is_none_or(Outbox::has_ended);
        now >= end.by || is_done
    }

    /// Closes it. libzmq sends what it was handed until the time for that is over.
    pub(super) fn close(self, now: Instant) {
        let Some(end) = &self.end else { return };
        let linger = end.by.saturating_duration_since(now).as_millis();
        if let Err(error) = self.socket.set_linger(i32::try_from(linger).unwrap_or(i32::MAX)) {
            tracing::warn!(surface = &*self.state.name, %error, linger, "setting the linger");
        }
    }

    /// Processes the monitor's events: which peers came and went.
    ///
    /// # Errors
    /// When the monitor's events cannot be received.
    pub(super) fn receive_events(&mut self) -> zmq::Result<()> {
        for (descriptor, peer) in self.monitor.receive_events()? {
            if let Some(sequence) = &mut self.sequence {
                sequence.gone(descriptor);
            }
            tracing::debug!(surface = &*self.state.name, peer = peer.address(), "peer gone");
        }
        Ok(())
    }

    /// What is done once in a while: asks for queue depths, connects where that is due, and cuts off peers whose key was
    /// removed.
    ///
    /// # Errors
    /// When libzmq fails.
    pub(super) fn maintain(&mut self, now: Instant) -> zmq::Result<()> {
        self.receive_events()?;
        self.monitor.poll_peers(&mut self.socket, now);
        let is_read = self.intake.as_ref().is_none_or(Intake::wants_more);
        self.connections.maintain(&self.socket, &mut self.monitor, &self.state.name, (is_read, now));
        if let Some(access_control) = &mut self.access_control {
            access_control.cut_off_removed_keys(&mut self.monitor);
        }
        Ok(())
    }

    /// When [`Self::maintain`] or [`Self::has_ended`] has something to do, if nothing happens before.
    pub(super) fn due(&self) -> Option<Instant> {
        self.connections.due().into_iter().chain(self.end.as_ref().map(|end| end.by)).min()
    }
}
