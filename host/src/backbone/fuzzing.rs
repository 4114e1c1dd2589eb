//! Fuzzing of what comes from NATS: a message is read, and read again after it went out, is the same.

use super::frames::{decode, encode, is_of_host};
use super::subject;
use crate::flow::{Message, Metadata};
use crate::messaging::fuzzing::split;
use async_nats::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use std::str::FromStr;

/// Reads the bytes as a payload, a subject and pairs of header and value, each after its length, as the message that NATS delivers
/// so, and sends that on.
pub fn nats(bytes: &[u8]) {
    let mut parts = split(bytes).into_iter();
    let mut next = || parts.next();
    let payload = Bytes::from(next().unwrap_or_default());
    let subject = String::from_utf8_lossy(&next().unwrap_or_default()).into_owned();
    let mut headers = HeaderMap::new();
    while let (Some(name), Some(value)) = (next(), next()) {
        let [name, value] = [name, value].map(|text| String::from_utf8_lossy(&text).into_owned());
        // The client has read them by then.
        if let (Ok(name), Ok(value)) = (HeaderName::from_str(&name), HeaderValue::from_str(&value)) {
            headers.append(name, value);
        }
    }
    let (metadata, frames) = decode(&subject, Some(&headers), &payload);
    assert!(metadata.iter().all(|(key, _)| !is_of_host(key)), "{metadata:?} speaks for the host");
    let body: Vec<_> = frames.iter().skip(1).flatten().copied().collect();
    assert!(payload.ends_with(&body), "{frames:?} is not what came");

    let message = Message { metadata, frames, ..Message::default() };
    let (headers, payload) = encode(&message);
    let (metadata, frames) = decode("", Some(&headers), &payload);
    assert_eq!(frames, message.frames);
    assert_eq!(sorted(metadata), sorted(message.metadata.clone()));

    let template = "x.{topic}.{k}".parse().expect("a template");
    if let Ok(subject) = subject::fill(&template, &message) {
        assert!(subject.split('.').all(|token| !token.is_empty()), "{subject}");
        assert!(subject.bytes().all(|byte| byte.is_ascii_graphic() && !b"*>".contains(&byte)), "{subject}");
    }
}

/// The values of a key stay in order.
fn sorted(mut metadata: Metadata) -> Metadata {
    metadata.sort_by(|(one, _), (other, _)| one.cmp(other));
    metadata
}
