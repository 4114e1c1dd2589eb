//! Refused handshakes: why, what to do about it, and a log line for it.

use crate::log_limit::LogLimit;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a refusal is logged for each host and reason. A client whose handshake fails tries again ten times a
/// second.
const REPEATED_AFTER: Duration = Duration::from_secs(60);

/// Why a connection did not get past its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Refusal {
    /// The client's key is not authorized. The authenticator logs it, with the key.
    Denied,
    /// The client encrypted for another server key than this host's.
    WrongServerKey,
    /// One side speaks CURVE and the other does not.
    OtherMechanism,
    /// The client did not speak ZMTP, or broke the rules of its handshake.
    Protocol,
    /// The client did not go on with the handshake.
    TimedOut,
    /// The client went away during the handshake.
    ClosedEarly,
    /// The authenticator has died, so no client is admitted.
    NoAuthenticator,
    /// As many descriptors are taken as peers may take.
    NoDescriptors,
}

impl Refusal {
    /// For the value of `ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL`.
    pub(super) fn of_protocol_error(code: u64) -> Self {
        match u32::try_from(code) {
            Ok(zmq_sys::ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC) => Self::WrongServerKey,
            Ok(zmq_sys::ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH) => Self::OtherMechanism,
            _ => Self::Protocol,
        }
    }

    /// For the value of `ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL`, an error number, and how long the connection was open.
    pub(super) fn of_system_error(code: u64, open_for: Duration, handshake_timeout: Duration) -> Self {
        // libzmq's error for a ZAP request without an authenticator.
        if i32::try_from(code) == Ok(zmq_sys::errno::EFAULT) {
            Self::NoAuthenticator
        // When its timer expires, libzmq reports whatever error number was set last. The event that the connection was
        // accepted came a little late, so it seems to have been open for less than the timeout.
        } else if open_for >= handshake_timeout * 9 / 10 {
            Self::TimedOut
        } else {
            Self::ClosedEarly
        }
    }

    /// The name under which it is counted.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::WrongServerKey => "wrong-server-key",
            Self::OtherMechanism => "other-mechanism",
            Self::Protocol => "protocol",
            Self::TimedOut => "timed-out",
            Self::ClosedEarly => "closed-early",
            Self::NoAuthenticator => "no-zap",
            Self::NoDescriptors => "no-descriptors",
        }
    }

    /// What happened and what to do; `curve` says whether the host's socket speaks CURVE.
    fn advice(self, curve: bool) -> &'static str {
        match (self, curve) {
            (Self::Denied, _) => "its key is not authorized",
            (Self::WrongServerKey, _) => {
                "the client has another server key: give it the public key of this host's curve.secret_key_file"
            }
            (Self::OtherMechanism, true) => {
                "the client speaks no CURVE: give it this host's public key (--server-key) and a key of its own (--key)"
            }
            (Self::OtherMechanism, false) => {
                "the client asks for another mechanism than NULL, and this host has no CURVE: set curve.secret_key_file \
                 and curve.authorized_keys_dir here, or connect without keys"
            }
            (Self::Protocol, _) => {
                "what it sent is no ZMTP 3 handshake: is this the port it means, and its library newer than libzmq 3?"
            }
            (Self::TimedOut, _) => "it did not finish the handshake within messaging.handshake_timeout_ms",
            (Self::ClosedEarly, true) => {
                "it went away during the handshake: its server key may be wrong, or it may speak no CURVE"
            }
            (Self::ClosedEarly, false) => "it went away during the handshake: it may ask for CURVE, which is off here",
            (Self::NoDescriptors, _) => {
                "as many descriptors are taken as peers may take: raise the limit on open files (ulimit -Hn, LimitNOFILE=)"
            }
            (Self::NoAuthenticator, _) => {
                "the thread that looks keys up has died, and nobody is let in: restart the host"
            }
        }
    }

    /// The same where the host's socket has connected to the peer.
    fn advice_to_client(self) -> &'static str {
        match self {
            Self::Denied => "the peer does not let in the key of this host's curve.secret_key_file",
            Self::WrongServerKey => "the peer has another key than the socket's server_key",
            Self::OtherMechanism => {
                "one side speaks CURVE and the other does not: set the socket's server_key, or leave it out"
            }
            Self::TimedOut => "it did not finish the handshake within messaging.handshake_timeout_ms",
            Self::ClosedEarly => {
                "it went away during the handshake: it may not let this host's key in, or speak CURVE where the socket does not"
            }
            Self::Protocol | Self::NoAuthenticator | Self::NoDescriptors => {
                "what it sent is no ZMTP 3 handshake of a socket type that fits: is this the endpoint that is meant?"
            }
        }
    }
}

/// Logs refused handshakes, at a limited rate.
pub(super) struct Refusals {
    surface: Arc<str>,
    curve: bool,
    log_limit: LogLimit<(String, Refusal)>,
}

impl Refusals {
    pub(super) fn new(surface: &Arc<str>, curve: bool) -> Self {
        Self { surface: Arc::clone(surface), curve, log_limit: LogLimit::new(1, REPEATED_AFTER) }
    }

    /// Logs a refusal, unless the same one of the same host was logged a short while ago.
    pub(super) fn log(&mut self, refusal: Refusal, peer: &str, is_outgoing: bool, now: Instant) {
        if refusal == Refusal::Denied && !is_outgoing {
            return;
        }
        if let Some(repeats) = self.log_limit.admit((host(peer).to_owned(), refusal), now) {
            let advice = if is_outgoing { refusal.advice_to_client() } else { refusal.advice(self.curve) };
            let (surface, reason) = (&*self.surface, refusal.as_str());
            tracing::warn!(surface, peer, reason, repeats, "handshake refused: {advice}");
        }
    }
}

/// The host of an address, without the port, which differs for each connection.
pub(super) fn host(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ports_of_a_host_are_one() {
        assert_eq!(["127.0.0.1:1", "[::1]:2", "/run/x.sock"].map(host), ["127.0.0.1", "[::1]", "/run/x.sock"]);
    }
}
