//! What a call was given and what came of it, as an example for `examples.toml`.

use super::carried::named;
use crate::config::CALL_EXAMPLE_BYTES_MAX;
use crate::flow::{Message, Metadata, Outputs};
use crate::plugin::call::CallError;
use crate::plugin::handler_request::WrittenRequest;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hyper::Response;
use hyper::header::CONTENT_TYPE;
use toml::{Table, Value};

/// Of a message and what a processor made of it.
pub(crate) fn of_message(input: &Message, result: &Result<Outputs, CallError>) -> Option<String> {
    let expect = expected(result, |outputs| {
        let messages = outputs.iter().map(|output| table([("frames", frames(&output.message.frames))]));
        Table::from_iter([("messages".to_owned(), Value::Array(messages.map(Value::Table).collect()))])
    })?;
    let mut given = table([("frames", frames(&input.frames))]);
    add_metadata(&mut given, &input.metadata);
    written("processor", given, expect)
}

/// Of a request and the replies to it. The identity of who asks is its first frame.
pub(crate) fn of_request(input: &Message, result: &Result<Outputs, CallError>) -> Option<String> {
    let expect = expected(result, |replies| {
        let count = integer(replies.len());
        let delays = replies.iter().map(|reply| reply.after.as_millis());
        let mut expect = table([("replies_min", count.clone()), ("replies_max", count)]);
        if let (Some(least), Some(most)) = (delays.clone().min(), delays.max()) {
            expect.insert("delay_ms_min".to_owned(), integer(least));
            expect.insert("delay_ms_max".to_owned(), integer(most));
        }
        // An example says the same of every reply.
        if let Some(first) = replies.first().map(|reply| &reply.message.frames)
            && replies.iter().all(|reply| reply.message.frames == *first)
        {
            expect.insert("frames".to_owned(), frames(first));
        }
        expect
    })?;
    let (identity, body) = input.frames.split_first()?;
    let mut given = table([("identity", content(identity)), ("frames", frames(body))]);
    add_metadata(&mut given, &input.metadata);
    written("reply-policy", given, expect)
}

/// Of a request of HTTP and the response to it.
pub(crate) fn of_http(input: &WrittenRequest, result: &Result<Response<Bytes>, CallError>) -> Option<String> {
    let expect = expected(result, |response| {
        let mut expect = table([("status", integer(response.status().as_u16())), ("body", content(response.body()))]);
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if let Some(content_type) = content_type {
            expect.insert("headers".to_owned(), Value::Table(table([(CONTENT_TYPE.as_str(), content_type.into())])));
        }
        expect
    })?;
    let WrittenRequest { method, path, headers, body } = input;
    let mut given = Table::new();
    for (key, text) in [("method", method), ("path", path)] {
        given.extend(text.clone().map(|text| (key.to_owned(), text.into())));
    }
    if !headers.is_empty() {
        let mut by_name = Table::new();
        for (name, value) in headers {
            let values = by_name.entry(name.as_str()).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(values) = values {
                values.push(value.as_str().into());
            }
        }
        given.insert("headers".to_owned(), by_name.into());
    }
    given.extend(body.as_ref().map(|body| ("body".to_owned(), content(body))));
    written("http-handler", given, expect)
}

/// The same example under a name.
///
/// # Errors
/// When the text is not that of one example.
pub(crate) fn with_name(text: &str, name: &str) -> Result<String, String> {
    named(text, name)
}

/// What is promised of the end of a call; none of an end that nobody promises.
fn expected<T>(result: &Result<T, CallError>, returned: impl FnOnce(&T) -> Table) -> Option<Table> {
    let error = |kind: &str, text: &str| table([("error", kind.into()), ("error_contains", text.into())]);
    match result {
        Ok(output) => Some(returned(output)),
        Err(CallError::Rejected(text)) => Some(error("rejected", text)),
        Err(CallError::Failed(text)) => Some(error("failed", text)),
        Err(_) => None,
    }
}

fn written(role: &str, input: Table, expect: Table) -> Option<String> {
    let example = table([("input", input.into()), ("expect", expect.into())]);
    let text = toml::to_string(&table([(role, Value::Array(vec![example.into()]))])).ok()?;
    (text.len() <= CALL_EXAMPLE_BYTES_MAX).then_some(text)
}

/// The pairs that the call was given; its id is another one in each call.
fn add_metadata(given: &mut Table, metadata: &Metadata) {
    let pairs = metadata.iter().filter(|(key, _)| key != "tidegate.request-id");
    let pairs: Vec<Value> = pairs.map(|(key, value)| vec![key.as_str(), value.as_str()].into()).collect();
    if !pairs.is_empty() {
        given.insert("metadata".to_owned(), pairs.into());
    }
}

fn table<const N: usize>(pairs: [(&str, Value); N]) -> Table {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn frames(frames: &[Bytes]) -> Value {
    frames.iter().map(|frame| content(frame)).collect::<Vec<_>>().into()
}

/// Text, or any bytes as `{ base64 = "…" }`.
fn content(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => table([("base64", BASE64_STANDARD.encode(bytes).into())]).into(),
    }
}

fn integer(number: impl TryInto<i64>) -> Value {
    Value::Integer(number.try_into().unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Output;
    use crate::plugin::Examples;
    use smallvec::smallvec;
    use std::time::Duration;

    fn output(frames: &[&'static [u8]], after_ms: u64) -> Output {
        let frames = frames.iter().map(|&frame| Bytes::from_static(frame)).collect();
        Output { after: Duration::from_millis(after_ms), message: Message { frames, ..Message::default() } }
    }

    #[test]
    fn what_is_written_reads_as_an_example() {
        let pairs = [("tidegate.request-id", "1"), ("query.a", "\"]\n[x]")];
        let metadata: Metadata = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let input = Message::of_topic("'t\"", metadata, b"\xff".to_vec());
        let ok = Ok(smallvec![output(&[b"t", b"\xff\n"], 0), output(&[b"]]"], 0)]);
        let replies = Ok(smallvec![output(&[b"a"], 5), output(&[b"a"], 7)]);
        let headers = vec![("X-A".to_owned(), "1".to_owned()), ("X-A".to_owned(), "2".to_owned())];
        let request = WrittenRequest { method: None, path: Some("/a?b".to_owned()), headers, body: Some(vec![0xff]) };
        let response = Ok(Response::builder().status(201).header("content-type", "a/b").body("x".into()).unwrap());
        for text in [
            of_message(&input, &ok),
            of_message(&input, &Ok(Outputs::new())),
            of_message(&input, &Err(CallError::Rejected("no \"x\"".to_owned()))),
            of_request(&input, &replies),
            of_request(&input, &Err(CallError::Failed(String::new()))),
            of_http(&request, &response),
        ] {
            let text = text.expect("an example");
            let read = Examples::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert_eq!(read.count(), 1, "{text}");
            assert!(!text.contains("request-id"), "{text}");
        }
        let text = of_message(&Message::of_topic("", Vec::new(), "AbC"), &Ok(smallvec![output(&[b"abc"], 0)]));
        let lines: Vec<_> = text.as_deref().unwrap().lines().filter(|line| !line.is_empty()).collect();
        let expected = [
            "[[processor]]",
            "[[processor.expect.messages]]",
            "frames = [\"abc\"]",
            "[processor.input]",
            "frames = [\"AbC\"]",
        ];
        assert_eq!(lines.into_iter().filter(|line| *line != "[processor.expect]").collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_nobody_promises_is_no_example_nor_what_is_too_long() {
        let input = Message::of_topic("", Vec::new(), "a");
        assert_eq!(of_message(&input, &Err(CallError::DeadlineExceeded(1))), None);
        let long = Message::of_topic("", Vec::new(), vec![b'x'; CALL_EXAMPLE_BYTES_MAX]);
        assert_eq!(of_message(&long, &Ok(Outputs::new())), None);
    }
}
