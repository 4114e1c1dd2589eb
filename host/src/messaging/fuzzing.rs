//! Fuzzing of what is read from frames: envelopes, and lines of the log.

use super::broker::envelope::{Envelope, Frames, NoRequest};
use crate::clients::line::{self, LineWriter};
use crate::config::EnvelopeKind;
use std::time::UNIX_EPOCH;

/// Takes the bytes for the frames of a message, each after its length.
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

/// Takes the bytes for the frames of a message, and writes it as a line of the subscriber's log.
pub fn line(bytes: &[u8]) {
    let message = split(bytes);
    let mut writer = LineWriter::default();
    writer.begin(UNIX_EPOCH);
    message.iter().for_each(|frame| writer.add(frame));
    let written = std::str::from_utf8(writer.end()).expect("a line is text");
    let text = written.strip_suffix('\n').expect("a line has an end");
    let (time, columns) = text.split_once(' ').expect("a line begins with a time");
    assert_eq!(time, "1970-01-01T00:00:00.000Z");
    assert!(!columns.contains(|character: char| character.is_control() && character != '\t'));
    let read: Frames = columns.split('\t').map(line::unescaped).collect();
    assert_eq!(read, if message.is_empty() { vec![vec![]] } else { message });
}

/// Frames of up to 255 bytes, the last one as long as the bytes last.
fn split(mut bytes: &[u8]) -> Frames {
    let mut frames = Vec::new();
    while let Some((&length, rest)) = bytes.split_first() {
        let (frame, rest) = rest.split_at(rest.len().min(length.into()));
        frames.push(frame.to_vec());
        bytes = rest;
    }
    frames
}
