//! Fuzzing of the parser of envelopes.

use super::broker::envelope::{Envelope, NoRequest};
use super::socket::Frames;
use crate::config::EnvelopeKind;

/// Reads the bytes as the frames of a message, each after its length, and splits their envelope off.
pub fn frames(bytes: &[u8]) {
    const FRAMES_MAX: usize = 16;
    let message = split(bytes);
    for kind in [EnvelopeKind::Delimiter, EnvelopeKind::Identity] {
        match Envelope::split(message.clone(), kind, FRAMES_MAX) {
            Ok((envelope, body)) => {
                assert!((1..=FRAMES_MAX).contains(&body.len()));
                assert!(envelope.around(&body).eq(message.iter().map(Vec::as_slice)));
                assert_eq!(envelope.join(body), message);
            }
            Err(NoRequest::NoBody) => assert!(message.len() < 2 || message.last().is_some_and(Vec::is_empty)),
            Err(NoRequest::TooManyFrames) => assert!(message.len() > FRAMES_MAX),
        }
    }
}

/// Splits bytes into frames of up to 255 bytes; the last one is shorter if the bytes end before it does.
pub(crate) fn split(mut bytes: &[u8]) -> Frames {
    let mut frames = Vec::new();
    while let Some((&length, rest)) = bytes.split_first() {
        let (frame, rest) = rest.split_at(rest.len().min(length.into()));
        frames.push(frame.to_vec());
        bytes = rest;
    }
    frames
}
