//! Fuzzing of what workers answer.

use super::tnetstring::{Kind, Malformed, Value, read, write};
use super::{BadAnswer, decode};
use crate::config::WorkerCodec;
use crate::flow::{Frames, Message};
use crate::messaging::fuzzing::split;
use bytes::Bytes;
use smallvec::smallvec;

/// As deep as the fuzzer goes into a tnetstring, which the host never does.
const DEPTH_MAX: usize = 20;

/// Reads the bytes as an answer of a handler of Pushpin, and their frames as one of a head and a body.
pub fn answer(bytes: &[u8]) {
    let frame = Bytes::copy_from_slice(bytes);
    check(decode(WorkerCodec::Zhttp, smallvec![frame.clone()]), &frame);
    let frames: Frames = split(bytes).into_iter().map(Bytes::from).collect();
    let last = frames.last().cloned().unwrap_or_default();
    check(decode(WorkerCodec::Http, frames), &last);
    if let Ok(value) = read(bytes) {
        assert_eq!(rewritten(value, DEPTH_MAX), bytes);
    }
}

fn check(answer: Result<Message, BadAnswer>, last: &Bytes) {
    let Ok(message) = answer else { return };
    let [body] = message.frames.as_slice() else { panic!("{message:?} is not one body") };
    assert!(body.is_empty() || last.windows(body.len()).any(|part| part == body));
    let (status, headers) = message.metadata.split_first().expect("an answer has a status");
    assert!(status.0 == "http.status" && (200..=599).contains(&status.1.parse().unwrap_or(0)));
    for (key, value) in headers {
        assert!(key == "content-type" || key.starts_with("http.header."), "{key}");
        assert!(key.chars().all(|letter| letter.is_ascii_graphic() && !letter.is_ascii_uppercase()), "{key}");
        assert!(value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)), "{value}");
    }
}

fn rewritten(value: Value<'_>, depth: usize) -> Vec<u8> {
    let mut inner = Vec::new();
    let is_whole = depth > 0
        && match value.kind {
            Kind::List => {
                let items = value.items().into_iter().flatten().map(|item| item.map(|item| rewritten(item, depth - 1)));
                items.collect::<Result<Vec<_>, _>>().map(|items| inner = items.concat()).is_ok()
            }
            Kind::Map => {
                let pairs = value.pairs().into_iter().flatten().map(|pair| {
                    let (key, value) = pair?;
                    let mut written = Vec::new();
                    write(&mut written, Kind::Text, key);
                    written.extend(rewritten(value, depth - 1));
                    Ok::<_, Malformed>(written)
                });
                pairs.collect::<Result<Vec<_>, _>>().map(|pairs| inner = pairs.concat()).is_ok()
            }
            _ => false,
        };
    let mut written = Vec::new();
    write(&mut written, value.kind, if is_whole { &inner } else { value.data });
    written
}
