//! A dead letter: which message was lost, why, and what a replay needs.

mod by;
mod input;

pub use by::By;
pub use input::{Base64, Input, REQUEST_ID};

use crate::ledger::Reason;
use crate::record::choice::PlaceKind;
use serde::{Deserialize, Serialize};

/// What the route of a message that a flow failed at begins with, before the name of the flow.
const FLOWS: &str = "flows.";
/// About how much a letter takes in memory beside its contents.
const LETTER_BYTES: usize = 512;

/// A letter as it is handed in: without the time and the seed, which the writer adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLetter {
    /// The request's.
    pub id: String,
    /// The route or the plugin that it was for, by its name.
    pub route: String,
    /// What the ledger counts it as.
    pub reason: Reason,
    /// The whole error.
    pub error: String,
    /// Who failed; none where no plugin was reached.
    pub by: Option<By>,
    /// All plugins that were called, where the message was on its way through several.
    pub met: Option<String>,
    /// The number of the message at the hop of its call, from which the call's random numbers derive. A reply has that
    /// of its request.
    pub number: u64,
    /// The thing itself.
    pub input: Input,
}

/// A letter as it stands in the file: one line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Letter {
    /// The request's, as in the log.
    pub id: String,
    /// When, as RFC 3339 has it.
    pub time: String,
    /// Where it was lost.
    pub hop: LetterHop,
    /// The route or the plugin that it was for, by its name.
    pub route: String,
    /// What the ledger counts it as.
    pub reason: String,
    /// The whole error; of a trap with its backtrace.
    pub error: String,
    /// Who failed; without it no plugin was reached.
    #[serde(flatten)]
    pub by: Option<By>,
    /// All plugins that were called, as `parse@7 → enrich@3`, where the message was on its way through several: then it is
    /// what went into the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met: Option<String>,
    /// The seed that the plugin's random numbers came from.
    pub seed: LetterSeed,
    /// The number of the message at the hop of its call, from which the call's random numbers derive. A reply has that
    /// of its request.
    pub number: u64,
    /// The thing itself.
    #[serde(flatten)]
    pub input: Input,
}

/// The hop at which something was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LetterHop {
    /// A call for a message with a topic and a body at most, as those of HTTP are.
    Transform,
    /// A call for a message with other frames.
    Processor,
    /// A call for a request of a broker client.
    Policy,
    /// A reply on its way to its client.
    Reply,
}

/// The seed of a host's deterministic random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct LetterSeed {
    /// The seed.
    pub value: u64,
    /// Whether the user set it. Then the clocks of plugins are deterministic too.
    pub fixed: bool,
}

impl NewLetter {
    /// For a call that failed: `route` is the name of the slot that was called, `number` the message's at its hop.
    pub fn of_call(
        route: &str,
        number: u64,
        by: Option<impl Into<By>>,
        reason: Reason,
        error: String,
        input: impl Into<Input>,
    ) -> Self {
        let (input, by) = (input.into(), by.map(Into::into));
        Self { id: input.request_id().to_owned(), route: route.to_owned(), reason, error, by, met: None, number, input }
    }

    /// For a message that a flow failed at.
    pub fn of_flow(
        flow: &str,
        number: u64,
        by: Option<impl Into<By>>,
        reason: Reason,
        error: String,
        input: impl Into<Input>,
    ) -> Self {
        Self::of_call(&Letter::route_of(PlaceKind::Flow, flow), number, by, reason, error, input)
    }

    /// For a message that was on its way through several plugins, and met these.
    pub fn after(self, met: String) -> Self {
        Self { met: Some(met), ..self }
    }

    /// About how much it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        LETTER_BYTES + self.id.len() + self.route.len() + self.error.len() + self.input.bytes()
    }
}

impl Letter {
    /// About how much it takes in memory.
    pub fn bytes(&self) -> usize {
        LETTER_BYTES + self.error.len() + self.input.bytes()
    }

    /// As a host with this seed writes it at this time.
    pub fn new(letter: NewLetter, time: jiff::Timestamp, seed: LetterSeed) -> Self {
        let NewLetter { id, route, reason, error, by, met, number, input } = letter;
        let (time, hop, reason) = (format!("{time:.3}"), LetterHop::of(&input), reason.as_str().to_owned());
        Self { id, time, hop, route, reason, error, by, met, seed, number, input }
    }

    /// Whether there is a call that can be made again: a reply has none.
    pub fn is_call(&self) -> bool {
        !matches!(self.input, Input::Reply { .. })
    }

    /// The route of a letter of this place.
    pub fn route_of(kind: PlaceKind, name: &str) -> String {
        match kind {
            PlaceKind::Flow => format!("{FLOWS}{name}"),
            PlaceKind::Route | PlaceKind::Policy => name.to_owned(),
        }
    }

    /// Where it came in, and the name of that: by what was lost, whatever the letter says of its hop.
    pub fn place(&self) -> (PlaceKind, &str) {
        place_of(&self.route, LetterHop::of(&self.input).as_str())
    }

    /// When it was lost, in nanoseconds since 1970; none if that is no time.
    pub fn nanoseconds(&self) -> Option<u64> {
        nanoseconds_of(&self.time)
    }

    /// The flow that failed at it; none if it was for a route or a plugin.
    pub fn flow(&self) -> Option<&str> {
        self.route.strip_prefix(FLOWS)
    }

    /// The line of the file, with its end.
    pub fn into_line(self) -> Vec<u8> {
        // This cannot fail: a letter has strings and numbers, and only strings as keys.
        let mut line = serde_json::to_vec(&self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

/// Where a letter of this route and this hop came in, and the name of that.
pub(super) fn place_of<'a>(route: &'a str, hop: &str) -> (PlaceKind, &'a str) {
    match route.strip_prefix(FLOWS) {
        Some(flow) => (PlaceKind::Flow, flow),
        None if hop == LetterHop::Policy.as_str() || hop == LetterHop::Reply.as_str() => (PlaceKind::Policy, route),
        None => (PlaceKind::Route, route),
    }
}

/// The time of a letter in nanoseconds since 1970; none if it is no such time.
pub(super) fn nanoseconds_of(time: &str) -> Option<u64> {
    u64::try_from(time.parse::<jiff::Timestamp>().ok()?.as_nanosecond()).ok()
}

impl LetterHop {
    /// That of what was lost.
    pub fn of(input: &Input) -> Self {
        match input {
            Input::Message { .. } => Self::Transform,
            Input::Frames { .. } => Self::Processor,
            Input::Request { .. } => Self::Policy,
            Input::Reply { .. } => Self::Reply,
        }
    }

    /// As it stands in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transform => "transform",
            Self::Processor => "processor",
            Self::Policy => "policy",
            Self::Reply => "reply",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Message;
    use bytes::Bytes;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn letter(by: Option<By>, input: Input) -> Letter {
        let reason = Reason::Trapped;
        let letter = NewLetter {
            id: "1-2".into(),
            route: "p".into(),
            reason,
            error: "a\nb".into(),
            by,
            met: None,
            number: 3,
            input,
        };
        let seed = LetterSeed { value: u64::MAX, fixed: false };
        Letter::new(letter, "2026-01-02T03:04:05.6789Z".parse().unwrap(), seed)
    }

    #[test]
    fn a_letter_is_one_line_with_these_fields() {
        let by = By { plugin: "p".to_owned(), generation: 4, digest: "d".to_owned() };
        let metadata = vec![("k".to_owned(), "v".to_owned())];
        let input = Input::Message { topic: String::new(), metadata, body_base64: Base64(b"\xff\n".to_vec()) };
        let line = String::from_utf8(letter(Some(by), input).into_line()).unwrap();
        let expected = concat!(
            r#"{"id":"1-2","time":"2026-01-02T03:04:05.678Z","hop":"transform","route":"p","reason":"trapped","#,
            r#""error":"a\nb","plugin":"p","generation":4,"digest":"d","#,
            r#""seed":{"value":18446744073709551615,"fixed":false},"number":3,"#,
            r#""message":{"topic":"","metadata":[["k","v"]],"body_base64":"/wo="}}"#,
            "\n"
        );
        assert_eq!(line, expected);
    }

    #[test]
    fn a_message_is_kept_frame_by_frame() {
        let message = |frames: &[&'static [u8]]| Message {
            metadata: vec![("k".to_owned(), "v".to_owned())],
            frames: frames.iter().map(|frame| Bytes::from_static(frame)).collect(),
            ..Message::default()
        };
        for (frames, is_message) in [
            (&[&b"body"[..]][..], true),
            (&[b"topic", b"body"], true),
            (&[b"", b"body"], false),
            (&[b"\xff", b"body"], false),
            (&[b"a", b"", b"c"], false),
            (&[], false),
        ] {
            let input = Input::from(message(frames));
            assert_eq!(matches!(input, Input::Message { .. }), is_message, "{frames:?}");
            let line = letter(None, input).into_line();
            let read: Letter = serde_json::from_slice(&line).unwrap();
            assert_eq!(read.hop.as_str(), if is_message { "transform" } else { "processor" });
            assert_eq!(read.input.into_message(), Some(message(frames)));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(identity in vec(any::<u8>(), 0..9), frames in vec(vec(any::<u8>(), 0..9), 0..4),
                                        known: bool, replied: bool) {
            let identity_base64 = Base64(identity);
            let frames_base64 = frames.into_iter().map(Base64).collect();
            let input = if replied {
                Input::Reply { identity_base64, frames_base64 }
            } else {
                Input::Request { identity_base64, metadata: vec![], frames_base64 }
            };
            let by = known.then(|| By { plugin: "é".to_owned(), generation: 1, digest: "0".to_owned() });
            let letter = letter(by, input);
            let line = letter.clone().into_line();
            prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            prop_assert_eq!(serde_json::from_slice::<Letter>(&line).unwrap(), letter);
        }
    }
}
