//! `tidegate.json.v1`: events as JSON, for a few lines of JavaScript.

use super::super::Outgoing;
use super::order::Order;
use crate::http::events::data::item;
use crate::http::events::{EventId, Resume};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

/// What a client says, of which one of the first two has to be there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    sub: Option<Topics>,
    unsub: Option<Topics>,
    last: Option<String>,
}

/// One topic, or several at once.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a topic is a text, and several are a list of texts")]
enum Topics {
    One(String),
    Several(Vec<String>),
}

impl From<Topics> for Vec<Bytes> {
    fn from(topics: Topics) -> Self {
        match topics {
            Topics::One(topic) => vec![topic.into()],
            Topics::Several(topics) => topics.into_iter().map(Bytes::from).collect(),
        }
    }
}

/// What a client wants. What cannot be understood is answered so.
pub(super) fn order(text: &str) -> Order {
    match serde_json::from_str(text) {
        Ok(Wanted { sub: Some(topics), unsub: None, last }) => {
            Order::Subscribe(topics.into(), last.map_or(Resume::Now, |last| Resume::of(&last)))
        }
        Ok(Wanted { sub: None, unsub: Some(topics), last: None }) => Order::Cancel(topics.into()),
        Ok(_) => {
            Order::Answer(error("say {\"sub\":\"TOPIC\"}, with \"last\":\"ID\" if you like, or {\"unsub\":\"TOPIC\"}"))
        }
        Err(cause) => Order::Answer(error(&format!("this is not understood: {cause}"))),
    }
}

/// One event. A message of one frame has no topic, and one of more than two has `frames` in place of `data`.
pub(super) fn event(id: EventId, frames: &[Bytes]) -> Outgoing {
    let id = id.to_string();
    say(match frames {
        [] => json!({"id": id, "topic": "", "data": ""}),
        [body] => json!({"id": id, "topic": "", "data": item(body)}),
        [topic, body] => json!({"id": id, "topic": item(topic), "data": item(body)}),
        [topic, bodies @ ..] => {
            let frames: Vec<_> = bodies.iter().map(|frame| item(frame)).collect();
            json!({"id": id, "topic": item(topic), "frames": frames})
        }
    })
}

/// The client has everything up to here that is for it.
pub(super) fn position(id: EventId) -> Outgoing {
    say(json!({"id": id.to_string()}))
}

/// Events are missing here.
pub(super) fn gap(id: EventId, missed: Option<u64>) -> Outgoing {
    let missed = missed.map_or_else(|| Value::from("unknown"), Value::from);
    say(json!({"gap": missed, "id": id.to_string()}))
}

/// What the client wants cannot be.
pub(super) fn error(text: &str) -> Outgoing {
    say(json!({ "error": text }))
}

fn say(value: Value) -> Outgoing {
    Outgoing::text(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_subscribes_and_cancels_and_is_told_what_is_wrong() {
        let subscribed = |text: &str| order(text);
        let topics = |topics: &[&'static str]| topics.iter().map(|&topic| Bytes::from(topic)).collect::<Vec<_>>();
        let (now, earliest) = (Resume::Now, Resume::Earliest);
        assert_eq!(subscribed(r#"{"sub":"a"}"#), Order::Subscribe(topics(&["a"]), now));
        assert_eq!(subscribed(r#"{"last":"earliest","sub":""}"#), Order::Subscribe(topics(&[""]), earliest));
        let last = Resume::After(EventId { epoch: 10, number: 3 });
        let text = r#"{"sub":["é","a"],"last":"000000000000000a-3"}"#;
        assert_eq!(subscribed(text), Order::Subscribe(topics(&["é", "a"]), last));
        assert_eq!(subscribed(r#"{"sub":"a","last":null}"#), Order::Subscribe(topics(&["a"]), now));
        assert_eq!(subscribed(r#"{"unsub":"a"}"#), Order::Cancel(topics(&["a"])));
        assert_eq!(subscribed(r#"{"unsub":["a","b"]}"#), Order::Cancel(topics(&["a", "b"])));
        for wrong in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"sub":1}"#,
            r#"{"sub":["a",1]}"#,
            r#"{"sub":"a","unsub":"b"}"#,
            r#"{"unsub":"a","last":"x"}"#,
            r#"{"x":1}"#,
        ] {
            let Order::Answer(answer) = order(wrong) else { panic!("{wrong}") };
            assert!(answer.to_string().starts_with(r#"{"error":""#), "{wrong} {answer}");
        }
    }

    #[test]
    fn an_event_is_an_object() {
        let shown = |frames: &[&'static [u8]]| {
            let frames: Vec<_> = frames.iter().map(|&frame| Bytes::from_static(frame)).collect();
            event(EventId { epoch: 1, number: 7 }, &frames).to_string()
        };
        let id = r#""id":"0000000000000001-7""#;
        assert_eq!(shown(&[b"t", b"a\r\n\0"]), format!(r#"{{"data":"a\r\n\u0000",{id},"topic":"t"}}"#));
        assert_eq!(shown(&[b"a"]), format!(r#"{{"data":"a",{id},"topic":""}}"#));
        assert_eq!(
            shown(&[b"\xff", b"\xfe"]),
            format!(r#"{{"data":{{"base64":"/g=="}},{id},"topic":{{"base64":"/w=="}}}}"#)
        );
        assert_eq!(shown(&[b"t", b"a", b"b"]), format!(r#"{{"frames":["a","b"],{id},"topic":"t"}}"#));
        let id = EventId { epoch: 1, number: 7 };
        assert_eq!(position(id).to_string(), r#"{"id":"0000000000000001-7"}"#);
        assert_eq!(gap(id, Some(2)).to_string(), r#"{"gap":2,"id":"0000000000000001-7"}"#);
        assert_eq!(gap(id, None).to_string(), r#"{"gap":"unknown","id":"0000000000000001-7"}"#);
    }
}
