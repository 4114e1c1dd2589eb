//! The codec `zhttp`: one frame, `T` and a tnetstring, as Pushpin sends it to handlers behind `zhttpreq`.

use super::BadAnswer;
use super::answer::{Answer, shown};
use super::request::Request;
use super::tnetstring::{self, Kind, Malformed, Value};
use crate::flow::{Frames, Message};
use smallvec::smallvec;

/// How the frame begins; other formats that were planned have other letters.
const FORMAT: u8 = b'T';
/// The instance that asks, which a handler need not know: its answer finds the way back by its envelope.
const FROM: &str = "tidegate";

pub(super) fn encode(message: &Message) -> Frames {
    let request = Request::of(message);
    let mut headers = Vec::new();
    for (name, value) in &request.headers {
        let mut header = Vec::with_capacity(name.len() + value.len() + 16);
        tnetstring::write(&mut header, Kind::Text, name.as_bytes());
        tnetstring::write(&mut header, Kind::Text, value.as_bytes());
        tnetstring::write(&mut headers, Kind::List, &header);
    }
    // Handlers take the URL apart, and expect a whole one.
    let uri = request.url.map_or_else(|| format!("http://localhost{}", request.path), str::to_owned);
    let mut pairs = Vec::with_capacity(headers.len() + uri.len() + request.body.len() + 128);
    for (key, kind, data) in [
        ("from", Kind::Text, FROM.as_bytes()),
        ("id", Kind::Text, request.id.as_bytes()),
        ("method", Kind::Text, request.method.as_bytes()),
        ("uri", Kind::Text, uri.as_bytes()),
        ("headers", Kind::List, &headers),
        ("body", Kind::Text, &request.body),
    ] {
        tnetstring::write(&mut pairs, Kind::Text, key.as_bytes());
        tnetstring::write(&mut pairs, kind, data);
    }
    let mut frame = Vec::with_capacity(pairs.len() + 16);
    frame.push(FORMAT);
    tnetstring::write(&mut frame, Kind::Map, &pairs);
    smallvec![frame.into()]
}

/// What matters of the map that a handler answers; where a key stands twice, the last one counts.
#[derive(Default)]
struct Response<'a> {
    kind: &'a [u8],
    condition: &'a [u8],
    more: bool,
    code: Option<i64>,
    headers: Vec<(&'a [u8], &'a [u8])>,
    body: &'a [u8],
}

/// # Errors
/// When it is no whole response, or one that says why there is none.
pub(super) fn decode(frames: &Frames) -> Result<Message, BadAnswer> {
    let [frame] = frames.as_slice() else {
        return Err(BadAnswer::NotOne(format!("it has {} frames, and not one", frames.len())));
    };
    let Some((&FORMAT, rest)) = frame.split_first() else {
        return Err(BadAnswer::NotOne(format!("`{}` does not begin with T", shown(frame))));
    };
    let response = read(rest).map_err(|why| BadAnswer::NotOne(format!("`{}` is no response: {why}", shown(frame))))?;
    match response.kind {
        b"" => {}
        b"error" => return Err(BadAnswer::Failed(format!("the worker says `{}`", shown(response.condition)))),
        b"cancel" => return Err(BadAnswer::Failed("the worker cancelled it".to_owned())),
        kind => return Err(BadAnswer::NotOne(format!("its type is `{}`, and not a whole response", shown(kind)))),
    }
    if response.more {
        return Err(BadAnswer::NotOne("it says that more follows, which has to be in it".to_owned()));
    }
    let code = response.code.ok_or_else(|| BadAnswer::NotOne("it has no code".to_owned()))?;
    let mut answer = Answer::new(code)?;
    for (name, value) in response.headers {
        answer.add_header(name, value)?;
    }
    Ok(answer.with_body(frame.slice_ref(response.body)))
}

const NO_HEADERS: Malformed = "its headers are no list of pairs of strings";

fn read(bytes: &[u8]) -> Result<Response<'_>, Malformed> {
    let mut response = Response::default();
    for pair in tnetstring::read(bytes)?.pairs().ok_or("it is no map")? {
        let (key, value) = pair?;
        match key {
            b"type" => response.kind = value.text().ok_or("its type is no string")?,
            b"condition" => response.condition = value.text().ok_or("its condition is no string")?,
            b"body" => response.body = value.text().ok_or("its body is no string")?,
            b"more" => response.more = value.bool().ok_or("its more is no boolean")?,
            b"code" => response.code = Some(value.int().ok_or("its code is no integer")?),
            b"headers" => response.headers = headers(value)?,
            _ => {}
        }
    }
    Ok(response)
}

/// A name and a value.
type Header<'a> = (&'a [u8], &'a [u8]);

fn headers(value: Value<'_>) -> Result<Vec<Header<'_>>, Malformed> {
    value.items().ok_or(NO_HEADERS)?.map(|value| header(value?)).collect()
}

fn header(value: Value<'_>) -> Result<(&[u8], &[u8]), Malformed> {
    let mut parts = value.items().ok_or(NO_HEADERS)?;
    match (parts.next().transpose()?, parts.next().transpose()?, parts.next()) {
        (Some(name), Some(value), None) => name.text().zip(value.text()).ok_or(NO_HEADERS),
        _ => Err(NO_HEADERS),
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::tests::message;
    use super::*;

    fn decoded(frame: &str) -> Result<Message, BadAnswer> {
        decode(&smallvec![frame.as_bytes().to_vec().into()])
    }

    /// A frame with these pairs.
    fn map(pairs: &str) -> String {
        format!("T{}:{pairs}}}", pairs.len())
    }

    fn error(frame: &str) -> String {
        match decoded(frame).expect_err(frame) {
            BadAnswer::NotOne(text) => text,
            BadAnswer::Failed(text) => panic!("{text}"),
        }
    }

    #[test]
    fn a_handler_gets_what_pushpin_would_send_it() {
        let pairs = [
            ("tidegate.request-id", "r1"),
            ("http.method", "GET"),
            ("http.path", "/a"),
            ("http.url", "http://h:1/a?b=c"),
            ("http.header.accept", "*/*"),
        ];
        let expected = "T116:4:from,8:tidegate,2:id,2:r1,6:method,3:GET,3:uri,16:http://h:1/a?b=c,\
                        7:headers,19:15:6:accept,3:*/*,]]4:body,4:body,}";
        let frames = encode(&message(&pairs));
        assert_eq!(frames.len(), 1);
        assert_eq!(String::from_utf8_lossy(&frames[0]), expected);
        let frames = encode(&message(&[]));
        let expected = "T96:4:from,8:tidegate,2:id,0:,6:method,4:POST,3:uri,17:http://localhost/,\
                        7:headers,0:]4:body,4:body,}";
        assert_eq!(String::from_utf8_lossy(&frames[0]), expected);
    }

    /// The bytes that Pushpin's own `reqhandler.py` answers, but for the id.
    #[test]
    fn an_answer_of_a_handler_is_one() {
        let text = "T108:2:id,2:r1,4:code,3:200#6:reason,2:OK,7:headers,34:30:12:Content-Type,10:text/plain,]]\
                    4:body,12:hello world\n,}";
        let answer = decoded(text).unwrap();
        let pairs = [("http.status", "200"), ("content-type", "text/plain")];
        assert_eq!(answer.metadata, pairs.map(|(key, text)| (key.to_owned(), text.to_owned())));
        assert_eq!(answer.frames.as_slice(), ["hello world\n"]);
        // Headers and body may be missing, keys that nobody knows may be there, and the last of two counts.
        let answer = decoded(&map("4:code,3:500#4:code,3:204#3:ext,15:5:multi,4:true!}4:more,5:false!")).unwrap();
        assert_eq!(answer.metadata, [("http.status".to_owned(), "204".to_owned())]);
        assert_eq!(answer.frames.as_slice(), [""]);
    }

    #[test]
    fn an_error_is_the_handlers_word() {
        let failed = |text: &str| Some(BadAnswer::Failed(text.to_owned()));
        let text = "T52:2:id,2:r1,4:type,5:error,9:condition,11:bad-request,}";
        assert_eq!(decoded(text).err(), failed("the worker says `bad-request`"));
        assert_eq!(decoded("T16:4:type,6:cancel,}").err(), failed("the worker cancelled it"));
    }

    #[test]
    fn what_is_no_response_makes_no_answer() {
        for (frame, why) in [
            ("", "`` does not begin with T"),
            ("J{}", "`J{}` does not begin with T"),
            ("T", "`T` is no response: a length is missing"),
            ("T0:}x", "`T0:}x` is no response: bytes follow"),
            ("T0:]", "`T0:]` is no response: it is no map"),
            ("T0:}", "it has no code"),
            ("T4:1:a,}", "`T4:1:a,}` is no response: a key has no value"),
        ] {
            let told = error(frame);
            assert_eq!(told, why, "{frame}");
        }
        let no_headers = "its headers are no list of pairs of strings";
        for (pairs, why) in [
            ("4:code,3:200,", "its code is no integer"),
            ("4:code,3:2x0#", "its code is no integer"),
            ("4:code,3:199#", "its status 199 is no number from 200 to 599"),
            ("4:type,6:credit,", "its type is `credit`, and not a whole response"),
            ("4:type,4:true!", "its type is no string"),
            ("4:more,1:1#", "its more is no boolean"),
            ("4:code,3:200#4:more,4:true!", "it says that more follows, which has to be in it"),
            ("4:code,3:200#4:body,1:1#", "its body is no string"),
            ("4:code,3:200#4:body,2:1#", "a value is shorter than its length"),
            ("7:headers,0:}", no_headers),
            ("7:headers,4:1:a,]", no_headers),
            ("7:headers,7:4:1:a,]]", no_headers),
            ("7:headers,11:8:1:a,1:1#]]", no_headers),
            ("7:headers,16:12:1:a,1:b,1:c,]]", no_headers),
            ("7:headers,7:4:2:a,]]", "a value is shorter than its length"),
            ("4:code,3:200#7:headers,11:8:1:a,1:\n,]]", r"its header a `\n` is no header value"),
        ] {
            let told = error(&map(pairs));
            assert!(told.ends_with(why), "{pairs}: {told}");
        }
        assert_eq!(decode(&smallvec![]).unwrap_err().to_string(), "it has 0 frames, and not one");
    }
}
