//! How the publish loop receives changes of subscriptions, and cuts off subscribers that exceed their bounds.

use super::PublishLoop;
use crate::config::SUBSCRIPTION_BYTES_MAX;
use crate::messaging::publisher::core::Excess;
use crate::messaging::socket;
use crate::messaging::socket::monitor::Descriptor;
use std::sync::atomic::Ordering;
use std::time::Instant;
use zmq_sys::beyond::{self, Switch};

impl PublishLoop {
    /// Receives a change of a subscription, if there is one.
    pub(super) fn receive(&mut self) {
        let received = socket::receive_from(&self.socket, 1);
        self.core.received(matches!(received, Ok(Some(_))));
        let taken_in = match received {
            Ok(Some(received)) => self.take_in(received),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = taken_in {
            tracing::warn!(%error, "looking at subscribers");
        }
        self.statistics.subscriptions.store(self.core.subscriptions(), Ordering::Relaxed);
    }

    /// Has libzmq take more changes from subscribers.
    pub(super) fn take_more(&mut self, now: Instant) {
        if let Err(code) = beyond::take_more(self.socket.as_mut_ptr()) {
            tracing::warn!(cause = socket::raw_cause(code), "looking at subscribers");
        }
        self.core.renewed(now, now.elapsed());
    }

    /// Processes the monitor's events: which subscribers have gone.
    ///
    /// # Errors
    /// When the monitor's events cannot be received.
    pub(super) fn receive_events(&mut self) -> zmq::Result<()> {
        for (descriptor, peer) in self.monitor.receive_events()? {
            self.core.gone(descriptor);
            let (address, queue_messages) = (peer.address(), peer.queue_messages);
            if let Some(repeats) = self.monitor.admit_line(address, "subscriber gone") {
                tracing::info!(peer = address, queue_messages, repeats, "subscriber gone");
            }
        }
        Ok(())
    }

    /// Takes in a change of a subscription: `1` and the topic begin one, `0` and the topic end it.
    fn take_in(&mut self, received: socket::Received) -> zmq::Result<()> {
        let socket::Received { frames, descriptor, key } = received;
        let (Some(frame), Some(descriptor)) = (frames.first(), descriptor) else { return Ok(()) };
        if self.monitor.peer(descriptor).is_none() || self.monitor.is_ending(descriptor) {
            // It is a new peer whose event was not processed yet, with the descriptor of another one perhaps, or one that has gone.
            self.receive_events()?;
        }
        if self.monitor.peer(descriptor).is_none() || self.monitor.is_ending(descriptor) {
            return Ok(());
        }
        if !self.access_control.as_ref().is_none_or(|access_control| access_control.lets_in(key.as_deref())) {
            self.monitor.cut_off(descriptor, "its key was removed just before it subscribed");
            return Ok(());
        }
        let change = match frame.split_first() {
            Some((&kind @ (0 | 1), topic)) => Some((kind == 1, topic)),
            _ => None,
        };
        if let Some((subscribes, topic)) = change
            && self.core.retains()
            && topic.len() <= SUBSCRIPTION_BYTES_MAX
        {
            self.subscribe_by_hand(topic, subscribes, descriptor);
        }
        let told = match beyond::told(self.socket.as_mut_ptr()) {
            Ok(told) => told,
            Err(code) => {
                tracing::warn!(cause = socket::raw_cause(code), "looking at subscribers");
                return Ok(());
            }
        };
        let excess = self.core.changed(descriptor, told, frame.len(), Instant::now());
        self.log(descriptor, change);
        self.monitor.update(descriptor, |peer| {
            peer.key.clone_from(&key);
            peer.subscriptions = told.topics;
            peer.has_subscribed |= change.is_some_and(|(subscribes, _)| subscribes);
        });
        if let Some(Excess { peer, connection, why }) = excess {
            self.monitor.shut_out(peer, why);
            if let Err(code) = beyond::end_subscriber(self.socket.as_mut_ptr(), connection) {
                tracing::warn!(cause = socket::raw_cause(code), "looking at subscribers");
            }
        }
        Ok(())
    }

    /// Logs a change: at level info if it is the peer's first subscription, else at debug.
    fn log(&mut self, descriptor: Descriptor, change: Option<(bool, &[u8])>) {
        let Some(peer) = self.monitor.peer(descriptor) else { return };
        if peer.has_subscribed && !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let (peer, is_news, total) = (peer.address().to_owned(), !peer.has_subscribed, self.core.subscriptions());
        match change {
            Some((true, topic)) if is_news => {
                if let Some(repeats) = self.monitor.admit_line(&peer, "subscribed") {
                    tracing::info!(
                        peer,
                        topic = socket::escape_for_log(topic),
                        subscriptions = total,
                        repeats,
                        "subscribed"
                    );
                }
            }
            Some((subscribes, topic)) => {
                let what = if subscribes { "subscribed" } else { "unsubscribed" };
                tracing::debug!(peer, topic = socket::escape_for_log(topic), subscriptions = total, "{what}");
            }
            None => tracing::debug!(peer, "a subscriber sent what is no subscription"),
        }
    }

    /// Makes the subscription that was received last, or ends it, and hands a new subscriber what is retained for it.
    fn subscribe_by_hand(&mut self, topic: &[u8], subscribes: bool, descriptor: Descriptor) {
        let pointer = self.socket.as_mut_ptr();
        if let Err(code) = beyond::subscribe_last(pointer, topic, subscribes) {
            return tracing::warn!(cause = socket::raw_cause(code), "subscribing a peer");
        }
        if !subscribes {
            return;
        }
        let Some(message) = self.core.subscribed(descriptor, topic) else { return };
        // With this switch the next message goes to that peer alone. Switching it off also switches off manual
        // subscriptions.
        let sent =
            beyond::set_switch(pointer, Switch::XpubManualLastValue, true).map_err(socket::raw_cause).and_then(|()| {
                match socket::send(&self.socket, &message.frames, zmq::DONTWAIT) {
                    // The peer may have gone already.
                    Ok(()) | Err(zmq::Error::EHOSTUNREACH) => Ok(()),
                    Err(error) => Err(socket::cause(error)),
                }
            });
        let restored = beyond::set_switch(pointer, Switch::XpubManualLastValue, false)
            .and_then(|()| beyond::set_switch(pointer, Switch::XpubManual, true))
            .map_err(socket::raw_cause);
        if let Err(cause) = sent.and(restored) {
            tracing::warn!(cause, "handing over a retained message");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zmq::Error::EHOSTUNREACH;

    const TIMEOUT_MS: i32 = 60_000;

    fn subscriber(endpoint: &str, topic: &[u8]) -> zmq::Socket {
        let socket = zmq::Context::new().socket(zmq::SUB).expect("a socket");
        socket.set_rcvtimeo(TIMEOUT_MS).expect("a timeout");
        socket.set_subscribe(topic).expect("a subscription");
        socket.connect(endpoint).expect("a connection");
        socket
    }

    /// libzmq would look at what it has freed, and hand it to everybody.
    #[test]
    fn a_message_for_a_subscriber_that_has_gone_is_for_nobody() {
        let mut socket = zmq::Context::new().socket(zmq::XPUB).expect("a socket");
        let pointer = socket.as_mut_ptr();
        let set = |switch, on| beyond::set_switch(pointer, switch, on).expect("a switch");
        socket.set_rcvtimeo(TIMEOUT_MS).expect("a timeout");
        beyond::bound_subscriptions(pointer, 1 << 20, 1 << 10).expect("bounds");
        set(Switch::XpubNodrop, true);
        set(Switch::XpubManual, true);
        let endpoint = socket::bind(&socket, "tcp://127.0.0.1:*").expect("a free port");
        let (gone, other) = (subscriber(&endpoint, b"gone"), subscriber(&endpoint, b"a"));
        for _ in 0..2 {
            let subscription = socket.recv_bytes(0).expect("a subscription");
            beyond::subscribe_last(pointer, &subscription[1..], true).expect("a subscriber");
        }

        gone.set_subscribe(b"ab").expect("one more");
        assert_eq!(socket.poll(zmq::POLLIN, TIMEOUT_MS.into()), Ok(1));
        drop(gone);
        let send = |frames: [&[u8]; 2]| socket::send(&socket, &frames, zmq::DONTWAIT);
        while send([b"gone", b""]) != Err(EHOSTUNREACH) {
            std::thread::yield_now();
        }
        assert_eq!(socket.recv_bytes(0).expect("its last word"), b"\x01ab");
        beyond::subscribe_last(pointer, b"ab", true).expect("nobody to subscribe");
        set(Switch::XpubManualLastValue, true);
        assert_eq!(send([b"ab", b"for who has gone"]), Err(EHOSTUNREACH));
        set(Switch::XpubManualLastValue, false);
        set(Switch::XpubManual, true);
        send([b"a", b"for the other"]).expect("room");
        assert_eq!(other.recv_multipart(0).expect("a message"), [&b"a"[..], b"for the other"]);
    }
}
