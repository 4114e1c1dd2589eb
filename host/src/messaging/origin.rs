//! Where a reply comes from: what its dead letter has to tell, carried along as bytes until there is need of it.

use super::envelope::Frames;
use crate::dead_letters::{Base64, By, Input, Lost};
use crate::ledger::Reason;
use crate::plugin::Stamp;

/// `number id NUL plugin NUL generation NUL digest`, the number as 8 bytes; after the id nothing if no plugin is known.
/// Nearly every reply goes out, and then nobody takes it apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin(Vec<u8>);

impl Origin {
    /// Of the replies to the request of this id, the one with this number at its hop.
    pub(super) fn new(request_id: &str, number: u64, stamp: Option<&Stamp>) -> Self {
        let mut bytes = [&number.to_be_bytes(), request_id.as_bytes()].concat();
        if let Some(Stamp { plugin, generation, digest }) = stamp {
            for part in [plugin, &generation.to_string(), digest] {
                bytes.push(0);
                bytes.extend(part.as_bytes());
            }
        }
        Self(bytes)
    }

    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The reply as it was to go out, which did not.
    pub(super) fn lost(&self, message: Frames, reason: Reason, error: String) -> Lost {
        let (number, text) = self.0.split_first_chunk().unwrap_or((&[0; 8], &[]));
        let text = String::from_utf8_lossy(text);
        let mut parts = text.split('\0');
        let id = parts.next().unwrap_or_default().to_owned();
        let by = match (parts.next(), parts.next(), parts.next()) {
            (Some(plugin), Some(generation), Some(digest)) => Some(By {
                plugin: plugin.to_owned(),
                generation: generation.parse().unwrap_or_default(),
                digest: digest.to_owned(),
            }),
            _ => None,
        };
        let mut frames = message.into_iter().map(Base64);
        Lost {
            id,
            route: by.as_ref().map(|by| by.plugin.clone()).unwrap_or_default(),
            reason,
            error: format!("sending the reply: {error}"),
            by,
            number: u64::from_be_bytes(*number),
            input: Input::Reply { identity_base64: frames.next().unwrap_or_default(), frames_base64: frames.collect() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_reply_tells_where_it_came_from() {
        let stamp = Stamp { plugin: "p".to_owned(), generation: 3, digest: "d".to_owned() };
        let message = vec![b"id\0".to_vec(), vec![], b"x".to_vec()];
        let lost = Origin::new("1-2", 7, Some(&stamp)).lost(message.clone(), Reason::Unroutable, "gone".to_owned());
        assert_eq!((lost.id.as_str(), lost.route.as_str(), lost.number), ("1-2", "p", 7));
        assert_eq!((lost.by, lost.error.as_str()), (Some(By::from(&stamp)), "sending the reply: gone"));
        let frames_base64 = vec![Base64(vec![]), Base64(b"x".to_vec())];
        assert_eq!(lost.input, Input::Reply { identity_base64: Base64(b"id\0".to_vec()), frames_base64 });

        let unknown = Origin::new("1-2", 7, None).lost(message, Reason::ClientFull, String::new());
        assert_eq!((unknown.id.as_str(), unknown.by), ("1-2", None));
    }
}
