//! Why a client's handshake failed, what the user can do about it, and which failures were reported already.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// What stood in the way, as far as a client can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HandshakeFailure {
    /// The server says so, with this status.
    Refused(u32),
    /// One side speaks CURVE and the other does not.
    OtherMechanism,
    /// What the server sent is against the rules, by this number of libzmq's.
    Protocol(u32),
    /// The server ended the connection without a word.
    Closed,
    /// Nothing answers at the name.
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

/// What was said already, by all clients that share it.
#[derive(Debug, Default)]
pub(crate) struct Said(Mutex<BTreeSet<(String, HandshakeFailure)>>);

impl Said {
    /// Whether this is the first time. Where a reason was said, it is no news that there is none.
    pub(super) fn is_new(&self, endpoint: &str, failure: HandshakeFailure) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = failure == HandshakeFailure::Closed && said.iter().any(|(about, _)| about == endpoint);
        !known && said.insert((endpoint.to_owned(), failure))
    }

    /// Starts anew with an endpoint. Returns whether anything was said of it.
    pub(super) fn forget(&self, endpoint: &str) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = said.len();
        said.retain(|(about, _)| about != endpoint);
        said.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_said_once_until_it_went_well() {
        let said = Said::default();
        assert!(!said.forget("tcp://a:1"));
        assert!(
            said.is_new("tcp://a:1", HandshakeFailure::Closed)
                && said.is_new("tcp://a:1", HandshakeFailure::OtherMechanism)
        );
        assert!(
            said.is_new("tcp://b:1", HandshakeFailure::Closed) && !said.is_new("tcp://a:1", HandshakeFailure::Closed)
        );
        assert!(
            said.is_new("tcp://c:1", HandshakeFailure::OtherMechanism)
                && !said.is_new("tcp://c:1", HandshakeFailure::Closed)
        );
        assert!(said.forget("tcp://a:1"));
        assert!(
            said.is_new("tcp://a:1", HandshakeFailure::Closed) && !said.is_new("tcp://b:1", HandshakeFailure::Closed)
        );
    }
}
