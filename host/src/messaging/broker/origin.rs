//! Where a reply comes from: what its dead letter has to tell, if it comes to one.

use crate::dead_letters::{Base64, By, Input, Lost};
use crate::flow::ServedBy;
use crate::ledger::Reason;
use crate::messaging::socket::Frames;
use crate::request_id::RequestId;
use std::sync::Arc;

/// Nearly every reply goes out, and then nobody asks.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// Of the request.
    pub(super) id: RequestId,
    /// Of the request at its hop.
    pub(super) number: u64,
    /// Who answered it.
    pub(super) by: Option<Arc<ServedBy>>,
}

impl Origin {
    /// The reply as it was to go out, which did not.
    pub(super) fn lost(&self, message: Frames, reason: Reason, error: String) -> Lost {
        let by = self.by.as_deref().map(By::from);
        let mut frames = message.into_iter().map(Base64);
        Lost {
            id: self.id.to_string(),
            route: by.as_ref().map(|by| by.plugin.clone()).unwrap_or_default(),
            reason,
            error: format!("sending the reply: {error}"),
            by,
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
        let stamp = ServedBy { plugin: "p".to_owned(), generation: 3, digest: "d".to_owned(), artifact: None };
        let by = Some(Arc::new(stamp.clone()));
        let ids = RequestIds::default();
        let (id, other) = (ids.next_id(), ids.next_id());
        let message = vec![b"id\0".to_vec(), vec![], b"x".to_vec()];
        let lost = Origin { id, number: 7, by }.lost(message.clone(), Reason::Unroutable, "gone".to_owned());
        assert_eq!((lost.id, lost.route.as_str(), lost.number), (id.to_string(), "p", 7));
        assert_eq!((lost.by, lost.error.as_str()), (Some(By::from(&stamp)), "sending the reply: gone"));
        let frames_base64 = vec![Base64(vec![]), Base64(b"x".to_vec())];
        assert_eq!(lost.input, Input::Reply { identity_base64: Base64(b"id\0".to_vec()), frames_base64 });

        let unknown = Origin { id: other, number: 8, by: None }.lost(message, Reason::ClientFull, String::new());
        assert_eq!((unknown.id, unknown.by), (other.to_string(), None));
    }
}
