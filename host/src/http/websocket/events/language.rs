//! What is said on a WebSocket that follows events, in each subprotocol, without I/O.

use super::super::zws::{Decoder, MessageBounds, OwnEnd, Said, encode, subscription};
use super::super::{Close, Outgoing, Received, Subprotocol};
use super::json;
use super::order::Order;
use crate::config::SUBSCRIPTION_FRAME_BYTES_MAX;
use crate::http::events::{EventId, Next, Resume, data};

const PUB: OwnEnd = OwnEnd { kind: "PUB", peers: &["SUB", "XSUB"] };
/// How a text begins that tells of a gap where nothing but text is spoken.
const GAP: &str = "{\"gap\":";

/// How one client speaks.
pub(super) enum Language {
    /// ZWS, of which SUB is the client.
    Zws(Decoder),
    Json,
    Plain,
}

impl Language {
    pub(super) fn new(subprotocol: Subprotocol) -> Self {
        match subprotocol {
            Subprotocol::Zws | Subprotocol::ZwsNull => {
                let bounds = MessageBounds { frames_max: 1, bytes_max: SUBSCRIPTION_FRAME_BYTES_MAX as usize };
                Self::Zws(Decoder::new(subprotocol, PUB, bounds))
            }
            Subprotocol::Json => Self::Json,
            Subprotocol::Plain => Self::Plain,
        }
    }

    /// What is said before anything else.
    pub(super) fn hello(&self) -> Option<Outgoing> {
        match self {
            Self::Zws(decoder) => Some(Outgoing::binary(decoder.hello())),
            Self::Json | Self::Plain => None,
        }
    }

    /// Understands a message of the client.
    ///
    /// # Errors
    /// When it does not keep to what is spoken.
    pub(super) fn understand(&mut self, received: Received) -> Result<Order, Close> {
        match (self, received) {
            (Self::Zws(decoder), Received::Binary(bytes)) => order(decoder.receive(bytes)?),
            (Self::Zws(_), Received::Text(_)) => Err(Close::wrong_data("ZWS is spoken in binary messages")),
            (Self::Json, Received::Text(text)) => Ok(json::order(&text)),
            (Self::Json, Received::Binary(_)) => Err(Close::wrong_data("tidegate.json.v1 is spoken in text messages")),
            (Self::Plain, _) => {
                Err(Close::policy("nothing is taken here without a subprotocol: say topics in the query"))
            }
        }
    }

    /// Tells a client that it follows what it asked for, and from where it would go on after a break.
    pub(super) fn acceptance(&self, position: EventId) -> Option<Outgoing> {
        match self {
            Self::Json => Some(json::position(position)),
            Self::Zws(_) | Self::Plain => None,
        }
    }

    /// Tells a client that what it wants cannot be.
    ///
    /// # Errors
    /// Where there is no other way to tell it than to close.
    pub(super) fn refusal(&self, text: &str) -> Result<Outgoing, Close> {
        match self {
            Self::Json => Ok(json::error(text)),
            Self::Zws(_) | Self::Plain => Err(Close::policy(text.to_owned())),
        }
    }

    /// The messages that tell a client what came. ZWS has no word for a gap.
    pub(super) fn say(&self, next: &Next) -> Vec<Outgoing> {
        match (self, next) {
            (Self::Json, Next::Heartbeat { id }) => vec![json::position(*id)],
            (_, Next::Heartbeat { .. } | Next::End { .. }) | (Self::Zws(_), Next::Gap { .. }) => Vec::new(),
            (Self::Zws(_), Next::Event { event, .. }) => encode(&event.frames).map(Outgoing::binary).collect(),
            (Self::Json, Next::Event { id, event }) => vec![json::event(*id, &event.frames)],
            (Self::Json, Next::Gap { id, missed }) => vec![json::gap(*id, *missed)],
            (Self::Plain, Next::Event { event, .. }) => {
                let text = data::data(event);
                let is_taken_for_gap = text.starts_with(GAP);
                let text =
                    if is_taken_for_gap { data::in_base64(text.as_bytes()).to_string() } else { text.into_owned() };
                vec![Outgoing::text(text)]
            }
            (Self::Plain, Next::Gap { missed: Some(missed), .. }) => vec![Outgoing::text(format!("{GAP}{missed}}}"))],
            (Self::Plain, Next::Gap { missed: None, .. }) => vec![Outgoing::text(format!("{GAP}\"unknown\"}}"))],
        }
    }
}

fn order(said: Option<Said>) -> Result<Order, Close> {
    match said {
        Some(Said::Message(frames)) => order(Some(subscription(&frames)?)),
        Some(Said::Subscribe(topic)) => Ok(Order::Subscribe(vec![topic], Resume::Now)),
        Some(Said::Cancel(topic)) => Ok(Order::Cancel(vec![topic])),
        Some(Said::Answer(answer)) => Ok(Order::Answer(Outgoing::binary(answer))),
        // A SUB has no use for an identity.
        Some(Said::Hello(_)) | None => Ok(Order::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::events::Event;
    use bytes::Bytes;
    use std::sync::Arc;

    const ID: EventId = EventId { epoch: 1, number: 7 };

    fn understood(language: &mut Language, received: Received) -> Result<Order, u16> {
        language.understand(received).map_err(|close| close.code)
    }

    fn said(language: &Language, frames: &[&'static [u8]]) -> Vec<String> {
        let frames = frames.iter().map(|&frame| Bytes::from_static(frame)).collect();
        let next = Next::Event { id: ID, event: Arc::new(Event::new(7, frames)) };
        texts(language.say(&next))
    }

    fn texts(messages: Vec<Outgoing>) -> Vec<String> {
        messages.into_iter().map(|message| String::from_utf8_lossy(&message.into_data()).into_owned()).collect()
    }

    #[test]
    fn a_sub_subscribes_by_messages_and_gets_frames() {
        let mut zws = Language::new(Subprotocol::Zws);
        assert_eq!(zws.hello(), Some(Outgoing::binary(&b"\0"[..])));
        let mut binary = |bytes: &'static [u8]| understood(&mut zws, Received::Binary(Bytes::from_static(bytes)));
        assert_eq!(binary(b"\0"), Ok(Order::Nothing));
        assert_eq!(binary(b"\0\x01a"), Ok(Order::Subscribe(vec!["a".into()], Resume::Now)));
        assert_eq!(binary(b"\0\0a"), Ok(Order::Cancel(vec!["a".into()])));
        assert_eq!(binary(b"\x02\x09SUBSCRIBEb"), Ok(Order::Subscribe(vec!["b".into()], Resume::Now)));
        assert_eq!(binary(b"\x02\x04PING\0\0x"), Ok(Order::Answer(Outgoing::binary(&b"\x02\x04PONGx"[..]))));
        assert_eq!(binary(b"\0hello"), Err(1008));
        assert_eq!(understood(&mut zws, Received::Text("x".into())), Err(1003));
        assert_eq!(said(&zws, &[b"a", b"", b"c"]), ["\x01a", "\x01", "\0c"]);
        assert!(zws.say(&Next::Gap { id: ID, missed: Some(1) }).is_empty());
    }

    #[test]
    fn whoever_asks_for_nothing_gets_texts_that_cannot_be_mistaken() {
        let mut plain = Language::new(Subprotocol::Plain);
        assert_eq!(said(&plain, &[b"a", b"text"]), ["text"]);
        assert_eq!(said(&plain, &[b"\xff"]), [r#"{"base64":"/w=="}"#]);
        assert_eq!(said(&plain, &[br#"{"gap":1}"#]), [r#"{"base64":"eyJnYXAiOjF9"}"#]);
        assert_eq!(texts(plain.say(&Next::Gap { id: ID, missed: Some(3) })), [r#"{"gap":3}"#]);
        assert_eq!(texts(plain.say(&Next::Gap { id: ID, missed: None })), [r#"{"gap":"unknown"}"#]);
        assert_eq!(understood(&mut plain, Received::Text("x".into())), Err(1008));
    }
}
