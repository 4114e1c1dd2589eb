//! The origin of a reply: what its dead letter needs, if it cannot be sent.

use crate::flow::ServedBy;
use crate::ledger::Reason;
use crate::messaging::socket::Frames;
use crate::record::dead_letters::{Base64, By, Input, NewLetter};
use crate::request_id::RequestId;
use std::sync::Arc;

/// Kept small, since nearly every reply is sent and then needs no letter.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The id of the request.
    pub(super) id: RequestId,
    /// The number of the request at its hop.
    pub(super) number: u64,
    /// The plugin that answered it.
    pub(super) by: Option<Arc<ServedBy>>,
}

impl Origin {
    /// The dead letter of a reply that could not be sent, whose frames are those of `message`.
    pub(super) fn dead_letter(&self, message: Frames, reason: Reason, error: String) -> NewLetter {
        let by = self.by.as_deref().map(By::from);
        let mut frames = message.into_iter().map(Base64);
        NewLetter {
            id: self.id.to_string(),
            route: by.as_ref().map(|by| by.plugin.clone()).unwrap_or_default(),
            reason,
            error: format!("sending the reply: {error}"),
            by,
            met: None,
            number: self.number,
            input: Input::Reply { identity_base64: frames.next().unwrap_or_default(), frames_base64: frames.collect() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_id::RequestIds;

    #[test]
    fn a_lost_reply_tells_where_it_came_from() {
        let stamp = ServedBy { plugin: "p".to_owned(), generation: 3, digest: "d".to_owned(), ..ServedBy::default() };
        let by = Some(Arc::new(stamp.clone()));
        let ids = RequestIds::default();
        let (id, other) = (ids.next_id(), ids.next_id());
        let message = vec![b"id\0".to_vec(), vec![], b"x".to_vec()];
        let letter = Origin { id, number: 7, by }.dead_letter(message.clone(), Reason::Unroutable, "gone".to_owned());
        assert_eq!((letter.id, letter.route.as_str(), letter.number), (id.to_string(), "p", 7));
        assert_eq!((letter.by, letter.error.as_str()), (Some(By::from(&stamp)), "sending the reply: gone"));
        let frames_base64 = vec![Base64(vec![]), Base64(b"x".to_vec())];
        assert_eq!(letter.input, Input::Reply { identity_base64: Base64(b"id\0".to_vec()), frames_base64 });

        let unknown = Origin { id: other, number: 8, by: None }.dead_letter(message, Reason::ClientFull, String::new());
        assert_eq!((unknown.id, unknown.by), (other.to_string(), None));
    }
}
