//! The envelope of a request: taken off before its frames go to the policy, put back around each reply.

/// The frames of one multipart message.
pub(super) type Frames = Vec<Vec<u8>>;

/// Where a request came from, and how its replies must begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    /// 1 to 255 bytes, not necessarily text.
    pub(super) identity: Vec<u8>,
    /// Whether an empty frame stood between identity and body, as REQ clients put it.
    delimited: bool,
}

impl Envelope {
    /// Takes the envelope off a message that came in at the frontend; none where it lacks an identity or a body.
    ///
    /// The first frame after the identity is a delimiter only where it is empty and another frame follows it: a lone
    /// empty frame is a body.
    pub(super) fn split(message: Frames) -> Option<(Self, Frames)> {
        let mut frames = message.into_iter();
        let identity = frames.next()?;
        let mut body: Frames = frames.collect();
        let delimited = body.len() > 1 && body[0].is_empty();
        if delimited {
            body.remove(0);
        }
        (!body.is_empty()).then_some((Self { identity, delimited }, body))
    }

    /// The message that carries `body` back to where the request came from, frame by frame.
    pub(super) fn around<'a>(&'a self, body: &'a [Vec<u8>]) -> impl Iterator<Item = &'a [u8]> {
        let delimiter: Option<&[u8]> = self.delimited.then_some(&[]);
        let body = body.iter().map(Vec::as_slice);
        std::iter::once(self.identity.as_slice()).chain(delimiter).chain(body)
    }

    /// The same as frames of its own.
    pub(super) fn join(self, mut body: Frames) -> Frames {
        let delimiter = self.delimited.then(Vec::new);
        body.splice(0..0, [self.identity].into_iter().chain(delimiter));
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn frames(texts: &[&str]) -> Frames {
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    #[test]
    fn the_envelope_ends_where_the_body_begins() {
        for (message, delimited, body) in [
            (["id", "a"].as_slice(), false, ["a"].as_slice()),
            (&["id", "", "a"], true, &["a"]),
            (&["id", "", ""], true, &[""]),
            (&["id", ""], false, &[""]),
            (&["id", "a", ""], false, &["a", ""]),
            (&["id", "", "", "a"], true, &["", "a"]),
        ] {
            let (envelope, found) = Envelope::split(frames(message)).expect("whole");
            assert_eq!((envelope.delimited, found), (delimited, frames(body)), "{message:?}");
            assert_eq!(envelope.identity, b"id");
        }
    }

    #[test]
    fn a_message_without_a_body_has_no_envelope() {
        assert_eq!(Envelope::split(frames(&["id"])), None);
        assert_eq!(Envelope::split(vec![]), None);
    }

    proptest! {
        #[test]
        fn split_then_join_gives_the_same_frames(message in vec(vec(any::<u8>(), 0..3), 2..6)) {
            let (envelope, body) = Envelope::split(message.clone()).expect("whole");
            prop_assert_eq!(envelope.around(&body).collect::<Vec<_>>(), message.clone());
            prop_assert_eq!(envelope.join(body), message);
        }

        #[test]
        fn a_reply_reads_like_its_request(identity in vec(any::<u8>(), 1..256), delimited: bool,
                                          body in vec(vec(any::<u8>(), 1..3), 1..6)) {
            let envelope = Envelope { identity, delimited };
            prop_assert_eq!(Envelope::split(envelope.clone().join(body.clone())), Some((envelope, body)));
        }
    }
}
