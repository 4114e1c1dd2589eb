//! Access control of a guarded socket: admits authorized keys, and cuts off peers whose key was removed.

use super::Curve;
use super::authenticator::Authenticator;
use crate::messaging::socket::monitor::Monitor;
use crate::messaging::socket::statistics::{KeyNames, SocketStatistics};
use std::sync::Arc;

/// Belongs to the thread that owns the socket.
pub(crate) struct AccessControl {
    curve: Curve,
    /// Shared by the guarded sockets of a context. Dropped with their thread, before the context.
    _authenticator: Arc<Authenticator>,
    removals: u64,
}

impl AccessControl {
    /// Guards the only socket of a context that is guarded, which is not bound yet: libzmq must find the authenticator
    /// when the first clients connect. Its statistics tell of keys by the names of their files.
    ///
    /// # Errors
    /// When the authenticator cannot be started, or libzmq refuses an option of the socket.
    pub(crate) fn guard(
        curve: &Curve,
        context: &zmq::Context,
        socket: &mut zmq::Socket,
        statistics: &SocketStatistics,
    ) -> Result<Self, String> {
        Self::guard_with(Arc::new(curve.guard(context)?), curve, socket, statistics)
    }

    /// As [`Self::guard`], for one of several sockets of a context, with the context's authenticator.
    ///
    /// # Errors
    /// When libzmq refuses an option of the socket.
    pub(crate) fn guard_with(
        authenticator: Arc<Authenticator>,
        curve: &Curve,
        socket: &mut zmq::Socket,
        statistics: &SocketStatistics,
    ) -> Result<Self, String> {
        curve.protect(socket)?;
        statistics.set_key_names(Arc::clone(curve.keys()) as Arc<dyn KeyNames>);
        Ok(Self { curve: curve.clone(), _authenticator: authenticator, removals: curve.keys().removals() })
    }

    /// Whether a message with this key is still accepted: it may have been queued before the key was removed.
    pub(crate) fn lets_in(&self, key: Option<&str>) -> bool {
        key.is_some_and(|key| self.curve.keys().contains(key))
    }

    /// If keys were removed, ends the connections of all peers but those whose key is known to be authorized. A peer
    /// that has sent nothing yet has no known key; if its key is authorized, it reconnects and is admitted.
    pub(crate) fn cut_off_removed_keys(&mut self, monitor: &mut Monitor) {
        let removals = self.curve.keys().removals();
        if std::mem::replace(&mut self.removals, removals) != removals {
            for descriptor in monitor.select(|peer| !self.lets_in(peer.key.as_deref())) {
                monitor.cut_off(descriptor, "a key was removed, and this peer has not shown another one");
            }
        }
    }
}
