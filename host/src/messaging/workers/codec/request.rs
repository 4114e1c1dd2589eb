//! What a message says of the request that it is, for workers that are told of it.

use crate::flow::Message;
use bytes::Bytes;

const HEADER: &str = "http.header.";
const CONTENT_TYPE: &str = "content-type";

/// A request; a message that is none, such as one that a SUB socket received, looks like a POST of its body to `/`.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// Its id; empty if it has none.
    pub(super) id: &'a str,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    /// The whole URL as the client sent it, if it came by HTTP.
    pub(super) url: Option<&'a str>,
    /// Names in lower case, with their values.
    pub(super) headers: Vec<(&'a str, &'a str)>,
    pub(super) body: Bytes,
}

impl<'a> Request<'a> {
    pub(super) fn of(message: &'a Message) -> Self {
        let pair = |wanted: &str| {
            let pair = message.metadata.iter().find(|(key, _)| key == wanted);
            pair.map(|(_, text)| text.as_str())
        };
        // What a plugin says of the body's type counts more than what the client said of the one that the plugin took.
        let content_type = pair(CONTENT_TYPE).or_else(|| pair("http.content-type"));
        let mut headers: Vec<_> = content_type.map(|text| (CONTENT_TYPE, text)).into_iter().collect();
        let others = message.metadata.iter().filter_map(|(key, text)| Some((key.strip_prefix(HEADER)?, text.as_str())));
        headers.extend(others.filter(|(name, _)| content_type.is_none() || *name != CONTENT_TYPE));
        Self {
            id: pair("tidegate.request-id").unwrap_or_default(),
            method: pair("http.method").unwrap_or("POST"),
            path: pair("http.path").unwrap_or("/"),
            url: pair("http.url"),
            headers,
            body: message.frames.last().cloned().unwrap_or_default(),
        }
    }

    /// The query as it came, without its `?`.
    pub(super) fn query(&self) -> &'a str {
        self.url.and_then(|url| url.split_once('?')).map_or("", |(_, query)| query)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use smallvec::smallvec;

    /// A message with two frames and these pairs.
    pub(in super::super) fn message(pairs: &[(&str, &str)]) -> Message {
        let metadata = pairs.iter().map(|&(key, text)| (key.to_owned(), text.to_owned())).collect();
        Message { metadata, frames: smallvec!["topic".into(), "body".into()], ..Message::default() }
    }

    #[test]
    fn a_message_that_is_no_request_looks_like_one() {
        let message = message(&[]);
        let request = Request::of(&message);
        assert_eq!((request.method, request.path, request.query(), request.id), ("POST", "/", "", ""));
        assert_eq!((request.headers, request.body), (vec![], Bytes::from("body")));
        assert_eq!(Request::of(&Message::default()).body, Bytes::new());
    }

    #[test]
    fn the_type_of_the_body_is_said_once() {
        let asked = [("http.content-type", "text/plain"), ("http.header.content-type", "text/plain")];
        let said = |pairs: &[(&str, &str)]| {
            let message = message(pairs);
            let headers = Request::of(&message).headers;
            headers.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>()
        };
        assert_eq!(said(&asked), ["content-type: text/plain"]);
        assert_eq!(said(&asked[1..]), ["content-type: text/plain"]);
        assert_eq!(said(&[&asked[..], &[("content-type", "text/html")]].concat()), ["content-type: text/html"]);
    }
}
