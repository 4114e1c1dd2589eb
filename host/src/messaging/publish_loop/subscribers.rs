//! What the publish loop hears of subscribers: who comes and goes, subscribes, and does more of it than a peer may.

use super::{PublishLoop, send};
use crate::config::SUBSCRIPTION_BYTES_MAX;
use crate::messaging::monitor::Descriptor;
use crate::messaging::socket;
use crate::messaging::subscriptions::Excess;
use std::sync::atomic::Ordering;
use std::time::Instant;
use zmq_sys::beyond::{self, Switch};

/// After so many changes of subscriptions the loop publishes again.
const CHANGES: usize = 256;

impl PublishLoop {
    /// Takes in a bounded number of changes: the messages are to have their turn.
    pub(super) fn hear(&mut self) -> zmq::Result<()> {
        let began = Instant::now();
        // Makes the socket take in what its connections did.
        self.socket.get_events()?;
        self.hear_monitor()?;
        let mut changes = 0;
        while changes < CHANGES
            && let Some(received) = socket::receive_from(&self.socket, 1)?
        {
            self.take_in(received)?;
            changes += 1;
        }
        let now = Instant::now();
        if changes > 0 {
            self.renewal.spend(now - began);
        }
        if changes < CHANGES && self.renewal.due() <= now {
            if let Err(code) = beyond::take_more(self.socket.as_mut_ptr()) {
                tracing::warn!(cause = socket::raw_cause(code), "looking at subscribers");
            }
            self.renewal.renewed(now, now.elapsed());
        }
        self.figures.subscriptions.store(self.subscriptions.total(), Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn hear_monitor(&mut self) -> zmq::Result<()> {
        for (descriptor, peer) in self.monitor.hear()? {
            self.subscriptions.gone(descriptor);
            if let Some(retained) = &mut self.retained {
                retained.gone(descriptor);
            }
            let (address, queue_messages) = (peer.address(), peer.queue_messages);
            if let Some(repeats) = self.monitor.admit_line(address, "subscriber gone") {
                tracing::info!(peer = address, queue_messages, repeats, "subscriber gone");
            }
        }
        Ok(())
    }

    /// A subscription is `1` and the topic, its end `0` and the topic.
    fn take_in(&mut self, received: socket::Received) -> zmq::Result<()> {
        let socket::Received { frames, descriptor, key } = received;
        let (Some(frame), Some(descriptor)) = (frames.first(), descriptor) else { return Ok(()) };
        if self.monitor.peer(descriptor).is_none() {
            // It has come since libzmq was asked; else it has gone.
            self.hear_monitor()?;
        }
        if self.monitor.peer(descriptor).is_none() || self.monitor.is_ending(descriptor) {
            return Ok(());
        }
        if !self.keeper.as_ref().is_none_or(|keeper| keeper.lets_in(key.as_deref())) {
            self.monitor.cut_off(descriptor, "its key was removed just before it subscribed");
            return Ok(());
        }
        let change = match frame.split_first() {
            Some((&kind @ (0 | 1), topic)) => Some((kind == 1, topic)),
            _ => None,
        };
        if let Some((subscribes, topic)) = change
            && self.retained.is_some()
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
        let excess = self.subscriptions.take_in(descriptor, told, frame.len(), Instant::now());
        self.log(descriptor, change);
        self.monitor.update(descriptor, |peer| {
            peer.key.clone_from(&key);
            peer.subscriptions = told.topics;
            peer.has_subscribed |= change.is_some_and(|(subscribes, _)| subscribes);
        });
        if let Some(Excess { peer, connection, why }) = excess {
            let closed = self.monitor.shut_out(peer, why);
            if let Err(code) = beyond::end_subscriber(self.socket.as_mut_ptr(), connection, closed) {
                tracing::warn!(cause = socket::raw_cause(code), "looking at subscribers");
            }
        }
        Ok(())
    }

    /// Logs what a peer did: as news, that it is a subscriber from now on.
    fn log(&mut self, descriptor: Descriptor, change: Option<(bool, &[u8])>) {
        let Some(peer) = self.monitor.peer(descriptor) else { return };
        if peer.has_subscribed && !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let (peer, is_news, total) = (peer.address().to_owned(), !peer.has_subscribed, self.subscriptions.total());
        match change {
            Some((true, topic)) if is_news => {
                if let Some(repeats) = self.monitor.admit_line(&peer, "subscribed") {
                    tracing::info!(peer, topic = socket::shown(topic), subscriptions = total, repeats, "subscribed");
                }
            }
            Some((subscribes, topic)) => {
                let what = if subscribes { "subscribed" } else { "unsubscribed" };
                tracing::debug!(peer, topic = socket::shown(topic), subscriptions = total, "{what}");
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
        let Some(message) = self.retained.as_mut().and_then(|retained| retained.hand_over(topic, Some(descriptor)))
        else {
            return;
        };
        // The switch makes the next message go to that peer alone; switching it off switches manual subscriptions off.
        let sent =
            beyond::set_switch(pointer, Switch::XpubManualLastValue, true).map_err(socket::raw_cause).and_then(|()| {
                match send(&self.socket, &message.topic, &message.body) {
                    // It has gone already.
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
