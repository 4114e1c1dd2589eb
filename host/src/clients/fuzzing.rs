//! Fuzzing of the lines of the subscriber's log.

use super::line::{self, LineWriter};
use crate::messaging::fuzzing::split;
use crate::messaging::socket::Frames;
use std::time::UNIX_EPOCH;

/// Reads the bytes as the frames of a message, writes that as a line of the subscriber's log, and reads the line back.
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
