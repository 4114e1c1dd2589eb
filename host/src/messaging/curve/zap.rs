//! ZAP (RFC 27): the request of libzmq when a client shows its key, and the answer.

use super::authorized_keys::AuthorizedKeys;
use super::denials::{Denial, Denials};
use crate::messaging::socket::Frames;
use std::sync::Arc;

/// The ZAP domain of guarded sockets. Without a domain libzmq admits every client whose handshake it can decrypt.
pub(super) const DOMAIN: &str = "tidegate";
const VERSION: &[u8] = b"1.0";

/// What the authenticators of all contexts share.
#[derive(Debug)]
pub(super) struct Guarding {
    pub(super) keys: Arc<AuthorizedKeys>,
    pub(super) denials: Denials,
}

/// A ZAP request: `[version, request id, domain, address, identity, mechanism, credentials …]`.
#[derive(Debug, PartialEq, Eq)]
struct ZapRequest<'a> {
    request_id: &'a [u8],
    peer: String,
    /// The peer's key in Z85; or why it is denied whatever its key is.
    key: Result<String, Denial>,
}

impl<'a> ZapRequest<'a> {
    fn read(frames: &'a [Vec<u8>]) -> Self {
        let frame = |index: usize| frames.get(index).map_or(&[][..], Vec::as_slice);
        // Control characters could forge log lines.
        let peer: String = String::from_utf8_lossy(frame(3)).chars().filter(|letter| !letter.is_control()).collect();
        let key = match frames {
            [version, _, domain, _, _, mechanism, credentials @ ..] if version == VERSION => {
                if domain != DOMAIN.as_bytes() || mechanism != b"CURVE" {
                    Err(Denial::Foreign)
                } else if let [key] = credentials
                    && key.len() == 32
                {
                    zmq::z85_encode(key).map_err(|_| Denial::Malformed)
                } else {
                    Err(Denial::Malformed)
                }
            }
            _ => Err(Denial::Malformed),
        };
        Self { request_id: frame(1), peer, key }
    }
}

impl Guarding {
    /// The answer: `[version, request id, status code, status text, user id, metadata]`. libzmq attaches the user id,
    /// which is the key, to each message of the peer.
    pub(super) fn answer(&self, frames: &Frames) -> Frames {
        let ZapRequest { request_id, peer, key } = ZapRequest::read(frames);
        let verdict = key
            .as_ref()
            .map_err(|denial| *denial)
            .and_then(|key| if self.keys.contains(key) { Ok(key) } else { Err(Denial::UnknownKey) });
        let (code, text, user_id) = match verdict {
            Ok(key) => {
                tracing::debug!(peer, key, file = self.keys.file_of(key), "key accepted");
                ("200", "OK", key.as_str())
            }
            Err(denial) => {
                self.denials.note(denial, &peer, key.as_deref().unwrap_or(""), self.keys.directory());
                // Not 300: libzmq would neither answer the peer nor close the connection.
                ("400", denial.as_str(), "")
            }
        };
        [VERSION, request_id, code.as_bytes(), text.as_bytes(), user_id.as_bytes(), b""].map(<[u8]>::to_vec).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messaging::curve::key::KeyPair;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_question_is_answered_and_only_a_listed_key_gets_in(mut frames in vec(vec(any::<u8>(), 0..40), 0..9),
                                                                  sound: bool, listed: bool) {
            let directory = tempfile::tempdir().expect("a directory");
            let client = KeyPair::generate().expect("a pair");
            let keys = Arc::new({
                std::fs::write(directory.path().join("client"), &client.public).expect("a file");
                AuthorizedKeys::load(directory.path()).expect("readable")
            });
            let guarding = Guarding { keys, denials: Denials::new() };
            if sound {
                let key = zmq::z85_decode(&client.public).expect("a key");
                frames = ["1.0", "7", DOMAIN, "127.0.0.1", "", "CURVE"].map(|text| text.as_bytes().to_vec()).into();
                frames.push(if listed { key } else { vec![7; 32] });
            }
            let answer = guarding.answer(&frames);
            prop_assert_eq!(answer.len(), 6);
            prop_assert_eq!(answer[2] == b"200", sound && listed);
            prop_assert_eq!(answer[2] == b"400", !(sound && listed));
            prop_assert_eq!(&answer[1], &frames.get(1).cloned().unwrap_or_default());
        }
    }
}
