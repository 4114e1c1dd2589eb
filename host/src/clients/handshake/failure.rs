//! Why a client's handshake failed, what the user can do about it, and which failures were reported already.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Why a handshake failed, as far as a client can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HandshakeFailure {
    /// The server refused the client with this status.
    Refused(u32),
    /// One side speaks CURVE and the other does not.
    OtherMechanism,
    /// The server broke the rules of the handshake, with this error number of libzmq's.
    Protocol(u32),
    /// The server closed the connection without a reason.
    Closed,
    /// Nothing answers at the host name.
    Unanswered,
}

impl HandshakeFailure {
    /// What happened and what to do, for a client with this public key or with none.
    pub(super) fn advice(self, key: Option<&str>) -> String {
        match (self, key) {
            (Self::Refused(400), Some(key)) => format!(
                "the server refused this client's key: ask its operator to put the public key '{key}' into its directory of \
                 authorized keys"
            ),
            (Self::Refused(status), _) => format!("the server refused this client with status {status}"),
            (Self::OtherMechanism, Some(_)) => {
                "the server speaks no CURVE: connect without --server-key and --key, or have it guarded".to_owned()
            }
            (Self::OtherMechanism, None) => {
                "the server lets in nobody without keys: give its public key with --server-key, and your own with --key \
                 (`tidegate keygen` makes one)"
                    .to_owned()
            }
            (Self::Protocol(code), _) => {
                format!("what answers there breaks the rules of a ZeroMQ handshake (0x{code:08x}): is it the right port?")
            }
            (Self::Closed, Some(_)) => "the server closed the connection during the handshake: --server-key may not be \
                                        its key, or it may speak no CURVE"
                .to_owned(),
            (Self::Unanswered, _) => "nothing answers there".to_owned(),
            (Self::Closed, None) => "the server closed the connection during the handshake: it may want keys \
                                     (--server-key and --key), or not be a ZeroMQ socket"
                .to_owned(),
        }
    }
}

/// The failures and addresses that were reported already, by all clients that share this.
#[derive(Debug, Default)]
pub(crate) struct ReportedFailures {
    failures: Mutex<BTreeSet<(String, HandshakeFailure)>>,
    /// The addresses of names that were told of.
    addresses: Mutex<BTreeSet<String>>,
}

impl ReportedFailures {
    /// Whether this failure is to be reported: it was not yet. A close without a reason is not reported after any other
    /// failure of the same endpoint.
    pub(super) fn is_new(&self, endpoint: &str, failure: HandshakeFailure) -> bool {
        let mut reported = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let known = failure == HandshakeFailure::Closed && reported.iter().any(|(about, _)| about == endpoint);
        !known && reported.insert((endpoint.to_owned(), failure))
    }

    /// Whether it is to be told that a name has this address: it was not yet.
    pub(super) fn has_come(&self, endpoint: &str) -> bool {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).insert(endpoint.to_owned())
    }

    /// The same where the address has left its name.
    pub(super) fn has_left(&self, endpoint: &str) -> bool {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).remove(endpoint)
    }

    /// Forgets the failures of an endpoint. Returns whether there were any.
    pub(super) fn forget(&self, endpoint: &str) -> bool {
        let mut reported = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let before = reported.len();
        reported.retain(|(about, _)| about != endpoint);
        reported.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_said_once_until_it_went_well() {
        let reported = ReportedFailures::default();
        assert!(!reported.forget("tcp://a:1"));
        assert!(
            reported.is_new("tcp://a:1", HandshakeFailure::Closed)
                && reported.is_new("tcp://a:1", HandshakeFailure::OtherMechanism)
        );
        assert!(
            reported.is_new("tcp://b:1", HandshakeFailure::Closed)
                && !reported.is_new("tcp://a:1", HandshakeFailure::Closed)
        );
        assert!(
            reported.is_new("tcp://c:1", HandshakeFailure::OtherMechanism)
                && !reported.is_new("tcp://c:1", HandshakeFailure::Closed)
        );
        assert!(reported.forget("tcp://a:1"));
        assert!(
            reported.is_new("tcp://a:1", HandshakeFailure::Closed)
                && !reported.is_new("tcp://b:1", HandshakeFailure::Closed)
        );
    }
}
