//! The keeper of a guarded socket: lets authorized keys in, and sends those away that are authorized no more.

use super::Curve;
use super::authenticator::Authenticator;
use crate::messaging::socket::monitor::Monitor;

/// Belongs to the thread that owns the socket.
pub(crate) struct AccessControl {
    curve: Curve,
    /// Ends with the socket's thread, before the context does.
    _gate: Authenticator,
    removals: u64,
}

impl AccessControl {
    /// Guards a socket that is not bound yet: libzmq must find the authenticator when the first clients connect.
    ///
    /// # Errors
    /// When the authenticator cannot be started, or libzmq refuses an option of the socket.
    pub(crate) fn guard(curve: &Curve, context: &zmq::Context, socket: &mut zmq::Socket) -> Result<Self, String> {
        let gate = curve.guard(context)?;
        curve.protect(socket)?;
        Ok(Self { curve: curve.clone(), _gate: gate, removals: curve.keys().removals() })
    }

    /// Whether a message is taken in that came with this key: it may have been queued before the key was removed.
    pub(crate) fn lets_in(&self, key: Option<&str>) -> bool {
        key.is_some_and(|key| self.curve.keys().contains(key))
    }

    /// Ends the connections of peers whose key was removed. A peer that has said nothing yet may be one of them; if it is
    /// not, it comes back and is let in.
    pub(crate) fn make_rounds(&mut self, monitor: &mut Monitor) {
        let removals = self.curve.keys().removals();
        if std::mem::replace(&mut self.removals, removals) != removals {
            for descriptor in monitor.select(|peer| !self.lets_in(peer.key.as_deref())) {
                monitor.cut_off(descriptor, "a key was removed, and this peer has not shown another one");
            }
        }
    }
}
