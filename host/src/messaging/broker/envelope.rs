//! The envelope of a request: taken off before its frames go to the policy, and put back around each reply.

use crate::config::{EnvelopeKind, IDENTITY_BYTES_MAX};
use crate::messaging::socket::{Frames, frames_bytes};
use std::sync::Arc;

/// Where a request came from, and how its replies must begin (RFC 28): the identity, the identities that proxies have
/// added on its way, and the empty frame that ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// The identity of the client, or of the proxy that passed its request on: 1 to 255 bytes, not necessarily text.
    pub(crate) identity: Vec<u8>,
    /// The frames between identity and delimiter; none if there are none.
    route: Option<Arc<Frames>>,
    /// Whether an empty frame ends it, as REQ clients and proxies expect.
    delimited: bool,
}

/// Why a message that came in at the frontend is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRequest {
    /// An envelope with nothing in it: a ROUTER's probe, or a client that sent a lone delimiter.
    NoBody,
    /// More frames in the envelope, or behind it, than a request may have.
    TooManyFrames,
}

impl Envelope {
    /// Takes the envelope off a message that came in at the frontend. Body and route have `frames_max` frames at most.
    ///
    /// The envelope goes up to the first empty frame, if each frame before that is short enough for an identity; else
    /// it is the identity alone. As [`EnvelopeKind::Identity`] it is the identity alone, with the empty frame directly
    /// behind it if there is one.
    ///
    /// # Errors
    /// When the message has no body, or its body or its route has more frames than that.
    pub(crate) fn split(message: Frames, kind: EnvelopeKind, frames_max: usize) -> Result<(Self, Frames), NoRequest> {
        let mut frames = message.into_iter();
        let identity = frames.next().ok_or(NoRequest::NoBody)?;
        let mut body: Frames = frames.collect();
        let hops = match kind {
            EnvelopeKind::Delimiter => hops(&body),
            EnvelopeKind::Identity => body.first().is_some_and(Vec::is_empty).then_some(0),
        };
        let mut route = None;
        if let Some(hops) = hops {
            if hops > frames_max {
                return Err(NoRequest::TooManyFrames);
            }
            if hops > 0 {
                route = Some(Arc::new(body.drain(..hops).collect()));
            }
            // The delimiter.
            body.remove(0);
        }
        match body.len() {
            0 => Err(NoRequest::NoBody),
            frames if frames > frames_max => Err(NoRequest::TooManyFrames),
            _ => Ok((Self { identity, route, delimited: hops.is_some() }, body)),
        }
    }

    /// About how much it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.identity.len() + self.route.as_ref().map_or(0, |route| frames_bytes(route))
    }

    /// How many frames of a message have to be kept to see that it has too many.
    pub(crate) fn frames_read(frames_max: usize) -> usize {
        // A route and a body of the largest number of frames, identity and delimiter, and one over the bound.
        frames_max.saturating_mul(2).saturating_add(3)
    }

    /// The message that carries `body` back to where the request came from, frame by frame.
    pub(crate) fn around<'a, F: AsRef<[u8]>>(&'a self, body: &'a [F]) -> impl Iterator<Item = &'a [u8]> {
        let delimiter: Option<&[u8]> = self.delimited.then_some(&[]);
        let route = self.route.iter().flat_map(|route| route.iter().map(Vec::as_slice));
        let body = body.iter().map(AsRef::as_ref);
        std::iter::once(self.identity.as_slice()).chain(route).chain(delimiter).chain(body)
    }

    /// As [`Self::around`], with owned frames.
    pub(crate) fn join(self, mut body: Frames) -> Frames {
        let delimiter = self.delimited.then(Vec::new);
        let route = self.route.map(Arc::unwrap_or_clone).unwrap_or_default();
        body.splice(0..0, std::iter::once(self.identity).chain(route).chain(delimiter));
        body
    }
}

/// How many identities are before the delimiter; none if there is no delimiter.
fn hops(frames: &[Vec<u8>]) -> Option<usize> {
    let hops = frames.iter().position(Vec::is_empty)?;
    frames[..hops].iter().all(|frame| frame.len() <= IDENTITY_BYTES_MAX).then_some(hops)
}

#[cfg(test)]
mod tests {
    use super::*;
    use EnvelopeKind::{Delimiter, Identity};
    use proptest::collection::vec;
    use proptest::prelude::*;

    const FRAMES_MAX: usize = 8;

    fn frames(texts: &[&str]) -> Frames {
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    #[test]
    fn the_envelope_ends_with_the_first_empty_frame() {
        let (identity, longer) = ("i".repeat(255), "i".repeat(256));
        for (message, kind, body) in [
            (["id", "a"].as_slice(), Delimiter, ["a"].as_slice()),
            (&["id", "", "a"], Delimiter, &["a"]),
            (&["id", "", ""], Delimiter, &[""]),
            (&["id", "", "", "a"], Delimiter, &["", "a"]),
            (&["id", "proxy", "", "a", "", "b"], Delimiter, &["a", "", "b"]),
            (&["id", "proxy", "another", &identity, "", "a"], Delimiter, &["a"]),
            // No identity is so long, so this is a body with an empty frame in it.
            (&["id", "proxy", &longer, "", "a"], Delimiter, &["proxy", &longer, "", "a"]),
            (&["id", "a", "b"], Delimiter, &["a", "b"]),
            (&["id", "a"], Identity, &["a"]),
            (&["id", "a", "", "b"], Identity, &["a", "", "b"]),
            (&["id", "a", ""], Identity, &["a", ""]),
            (&["id", "", "a", "", "b"], Identity, &["a", "", "b"]),
        ] {
            let (envelope, found) = Envelope::split(frames(message), kind, FRAMES_MAX).expect("whole");
            assert_eq!((&found, envelope.identity.as_slice()), (&frames(body), &b"id"[..]), "{message:?}");
            assert!(envelope.around(&found).eq(message.iter().map(|frame| frame.as_bytes())), "{message:?}");
        }
    }

    #[test]
    fn an_envelope_without_a_body_is_no_request() {
        for (message, kind) in [
            (&["id"][..], Delimiter),
            (&["id", ""], Delimiter),
            (&["id", "proxy", ""], Delimiter),
            (&["id", ""], Identity),
            (&[], Identity),
        ] {
            assert_eq!(Envelope::split(frames(message), kind, FRAMES_MAX), Err(NoRequest::NoBody), "{message:?}");
        }
    }

    #[test]
    fn body_and_route_have_their_bounds() {
        let message = |hops: usize, body: usize| {
            let hops = std::iter::repeat_n("hop", hops);
            frames(
                &["id"].into_iter().chain(hops).chain([""]).chain(std::iter::repeat_n("x", body)).collect::<Vec<_>>(),
            )
        };
        let split =
            |hops, body| Envelope::split(message(hops, body), Delimiter, FRAMES_MAX).map(|(_, body)| body.len());
        assert_eq!(split(FRAMES_MAX, FRAMES_MAX), Ok(FRAMES_MAX));
        assert_eq!(message(FRAMES_MAX, FRAMES_MAX).len(), Envelope::frames_read(FRAMES_MAX) - 1);
        assert_eq!(split(FRAMES_MAX + 1, 1), Err(NoRequest::TooManyFrames));
        assert_eq!(split(1, FRAMES_MAX + 1), Err(NoRequest::TooManyFrames));
    }

    proptest! {
        #[test]
        fn split_then_join_gives_the_same_frames(message in vec(vec(any::<u8>(), 0..3), 1..8), delimited: bool) {
            let kind = if delimited { Delimiter } else { Identity };
            if let Ok((envelope, body)) = Envelope::split(message.clone(), kind, FRAMES_MAX) {
                prop_assert_eq!(envelope.around(&body).collect::<Vec<_>>(), message.clone());
                prop_assert_eq!(envelope.join(body), message);
            } else {
                prop_assert!(message.last().is_none_or(Vec::is_empty) || message.len() == 1);
            }
        }

        #[test]
        fn a_reply_reads_like_its_request(identity in vec(any::<u8>(), 1..256), route in vec(vec(any::<u8>(), 1..9), 0..4),
                                          body in vec(vec(any::<u8>(), 0..3), 1..6)) {
            let route = (!route.is_empty()).then(|| Arc::new(route));
            let envelope = Envelope { identity, route, delimited: true };
            let message = envelope.clone().join(body.clone());
            prop_assert_eq!(Envelope::split(message, Delimiter, FRAMES_MAX), Ok((envelope, body)));
        }
    }
}
