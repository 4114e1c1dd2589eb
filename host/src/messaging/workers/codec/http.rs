//! The codec `http`: a frame of JSON that says what a request or an answer has beside its body, and a frame with the body.

use super::BadAnswer;
use super::answer::{Answer, shown};
use super::request::Request;
use crate::config::WORKER_HEADERS_BYTES_MAX;
use crate::flow::{Frames, Message};
use serde::{Deserialize, Serialize};
use smallvec::smallvec;

/// What a worker is told of a request.
#[derive(Serialize)]
struct RequestHead<'a> {
    id: &'a str,
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: &'a [(&'a str, &'a str)],
    /// Which time it is sent, if not the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
}

/// What a worker tells of its answer. A worker may say more, for others who read it.
#[derive(Deserialize)]
struct AnswerHead {
    #[serde(default = "ok")]
    status: i64,
    #[serde(default)]
    headers: Vec<(String, String)>,
}

fn ok() -> i64 {
    200
}

pub(super) fn encode(message: &Message, attempt: u32) -> Frames {
    let request = Request::of(message);
    let head = RequestHead {
        id: request.id,
        method: request.method,
        path: request.path,
        query: request.query(),
        headers: &request.headers,
        attempt: (attempt > 1).then_some(attempt),
    };
    // Text and numbers alone can always be written.
    let head = serde_json::to_vec(&head).unwrap_or_default();
    smallvec![head.into(), request.body]
}

/// # Errors
/// When there are more frames than a head and a body, or the head is none.
pub(super) fn decode(frames: Frames) -> Result<Message, BadAnswer> {
    let count = frames.len();
    let mut frames = frames.into_iter();
    let (head, body) = match (frames.next(), frames.next(), frames.next()) {
        (Some(body), None, None) => return Ok(Answer::new(ok())?.with_body(body)),
        (Some(head), Some(body), None) => (head, body),
        _ => {
            let text = format!("it has {count} frames, and not a head and a body, or a body alone");
            return Err(BadAnswer::NotOne(text));
        }
    };
    if head.len() > WORKER_HEADERS_BYTES_MAX {
        let text = format!("its head has {} bytes, more than {WORKER_HEADERS_BYTES_MAX}", head.len());
        return Err(BadAnswer::NotOne(text));
    }
    let head: AnswerHead = serde_json::from_slice(&head).map_err(|error| {
        let error = shown(error.to_string().as_bytes());
        BadAnswer::NotOne(format!("its head `{}` is no JSON with status and headers: {error}", shown(&head)))
    })?;
    let mut answer = Answer::new(head.status)?;
    for (name, value) in &head.headers {
        answer.add_header(name.as_bytes(), value.as_bytes())?;
    }
    Ok(answer.with_body(body))
}

#[cfg(test)]
mod tests {
    use super::super::request::tests::message;
    use super::*;

    fn decoded(frames: &[&str]) -> Result<Message, String> {
        let frames = frames.iter().map(|frame| frame.as_bytes().to_vec().into()).collect();
        decode(frames).map_err(|error| error.to_string())
    }

    #[test]
    fn a_worker_gets_a_head_and_the_body() {
        let message = message(&[
            ("tidegate.request-id", "r1"),
            ("http.content-type", "text/plain"),
            ("http.method", "PUT"),
            ("http.path", "/score/a%20b"),
            ("http.url", "http://h:1/score/a%20b?x=%C3%A4&y"),
            ("http.header.accept", "a\"b"),
            ("http.header.x-a", "1"),
            ("http.header.x-a", "2"),
            ("query.x", "ä"),
        ]);
        let head = concat!(
            r#"{"id":"r1","method":"PUT","path":"/score/a%20b","query":"x=%C3%A4&y","#,
            r#""headers":[["content-type","text/plain"],["accept","a\"b"],["x-a","1"],["x-a","2"]]"#
        );
        for (attempt, end) in [(1, "}"), (2, r#","attempt":2}"#)] {
            let expected: Frames = smallvec![format!("{head}{end}").into(), "body".into()];
            assert_eq!(encode(&message, attempt), expected);
        }
    }

    #[test]
    fn an_answer_has_a_status_and_headers() {
        let head = r#"{"status":404,"headers":[["X-A","1"],["Content-Length","9"]],"more":{"a":[null]}}"#;
        let answer = decoded(&[head, "b"]).unwrap();
        let pairs = [("http.status", "404"), ("http.header.x-a", "1")];
        assert_eq!(answer.metadata, pairs.map(|(key, text)| (key.to_owned(), text.to_owned())));
        assert_eq!(answer.frames.as_slice(), ["b"]);
        assert_eq!(decoded(&["{}", ""]).unwrap().metadata, [("http.status".to_owned(), "200".to_owned())]);
        // Whatever a single frame looks like, it is a body.
        let alone = decoded(&[head]).unwrap();
        assert_eq!((alone.frames.as_slice(), alone.metadata.len()), ([head].map(Into::into).as_slice(), 1));
    }

    #[test]
    fn what_is_no_head_makes_no_answer() {
        let long = format!("{{\"a\":\"{}\"}}", "a".repeat(WORKER_HEADERS_BYTES_MAX));
        for (frames, error) in [
            (&[][..], "it has 0 frames"),
            (&["{}", "", ""], "it has 3 frames, and not a head and a body, or a body alone"),
            (&["", "b"], "its head `` is no JSON with status and headers: EOF while parsing"),
            (&["[]x", "b"], "its head `[]x` is no JSON"),
            (&[r#"{"status":"200"}"#, "b"], "invalid type: string"),
            (&[r#"{"status":1e400}"#, "b"], "number out of range"),
            (&[r#"{"status":204.5}"#, "b"], "invalid type: floating point"),
            (&[r#"{"status":99999999999999999999}"#, "b"], "is no JSON"),
            (&[r#"{"status":100}"#, "b"], "its status 100 is no number from 200 to 599"),
            (&[r#"{"headers":{"a":"b"}}"#, "b"], "invalid type: map"),
            (&[r#"{"headers":[["a"]]}"#, "b"], "invalid length 1"),
            (&[r#"{"headers":[["a","b","c"]]}"#, "b"], "is no JSON"),
            (&[r#"{"headers":[["a","b\n"]]}"#, "b"], r"its header a `b\n` is no header value"),
            (&[&long, "b"], "its head has 131080 bytes, more than 131072"),
            (&[&"[".repeat(100_000), "b"], "is no JSON"),
        ] {
            let told = decoded(frames).unwrap_err();
            assert!(told.contains(error) && told.len() < 400, "{told}");
        }
    }
}
