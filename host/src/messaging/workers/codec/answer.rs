//! The answer of a worker that speaks of HTTP: its status and its headers as metadata, and its body.

use super::BadAnswer;
use crate::config::{CONNECTION_HEADERS, WORKER_HEADERS_BYTES_MAX, WORKER_HEADERS_MAX};
use crate::flow::{Message, Metadata};
use bytes::Bytes;
use smallvec::smallvec;

/// How much of what a worker sent stands in an error.
const SHOWN_BYTES_MAX: usize = 100;

/// What is known of an answer so far.
pub(super) struct Answer {
    metadata: Metadata,
    headers: usize,
    header_bytes: usize,
}

impl Answer {
    /// # Errors
    /// When no response can have the status.
    pub(super) fn new(status: i64) -> Result<Self, BadAnswer> {
        if !(200..=599).contains(&status) {
            return Err(BadAnswer::NotOne(format!("its status {status} is no number from 200 to 599")));
        }
        Ok(Self { metadata: vec![("http.status".to_owned(), status.to_string())], headers: 0, header_bytes: 0 })
    }

    /// Adds a header, unless it is about the connection or the length, of which the host alone knows.
    ///
    /// # Errors
    /// When it is no header, or one too many.
    pub(super) fn add_header(&mut self, name: &[u8], value: &[u8]) -> Result<(), BadAnswer> {
        self.headers += 1;
        self.header_bytes += name.len() + value.len();
        if self.headers > WORKER_HEADERS_MAX || self.header_bytes > WORKER_HEADERS_BYTES_MAX {
            return Err(BadAnswer::NotOne(format!(
                "it has more headers than {WORKER_HEADERS_MAX}, or more bytes of them than {WORKER_HEADERS_BYTES_MAX}"
            )));
        }
        let Some(key) = text(name, is_of_name).filter(|name| !name.is_empty()) else {
            return Err(BadAnswer::NotOne(format!("`{}` is no name of a header", shown(name))));
        };
        let key = key.to_ascii_lowercase();
        let Some(value) = text(value, is_of_value) else {
            return Err(BadAnswer::NotOne(format!("its header {} `{}` is no header value", shown(name), shown(value))));
        };
        if key == "content-type" {
            self.metadata.push((key, value.to_owned()));
        } else if key != "content-length" && !CONNECTION_HEADERS.contains(&key.as_str()) {
            self.metadata.push((format!("http.header.{key}"), value.to_owned()));
        }
        Ok(())
    }

    pub(super) fn with_body(self, body: Bytes) -> Message {
        Message { metadata: self.metadata, frames: smallvec![body], ..Message::default() }
    }
}

/// As text, if each byte is of this kind.
fn text(bytes: &[u8], is_of_kind: fn(&u8) -> bool) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|_| bytes.iter().all(is_of_kind))
}

/// A character of a token (RFC 9110, 5.6.2).
fn is_of_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

fn is_of_value(byte: &u8) -> bool {
    *byte == b'\t' || (b' '..=b'~').contains(byte)
}

/// The beginning of what a worker sent, as text that can stand in a line of the log.
pub(super) fn shown(bytes: &[u8]) -> String {
    let (start, rest) = bytes.split_at(bytes.len().min(SHOWN_BYTES_MAX));
    let escaped = String::from_utf8_lossy(start).escape_debug().to_string();
    if rest.is_empty() { escaped } else { escaped + "…" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(&str, &str)]) -> Result<Metadata, String> {
        let mut answer = Answer::new(201).unwrap();
        for (name, value) in headers {
            answer.add_header(name.as_bytes(), value.as_bytes()).map_err(|error| error.to_string())?;
        }
        Ok(answer.with_body(Bytes::new()).metadata)
    }

    #[test]
    fn headers_of_the_connection_are_the_hosts() {
        let given = [
            ("Content-Type", "text/html"),
            ("X-A", "1\t2"),
            ("Connection", "close"),
            ("x-a", ""),
            ("Transfer-Encoding", "chunked"),
            ("Content-Length", "7"),
        ];
        let expected = [
            ("http.status", "201"),
            ("content-type", "text/html"),
            ("http.header.x-a", "1\t2"),
            ("http.header.x-a", ""),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(answer(&given).unwrap(), expected);
    }

    #[test]
    fn what_is_no_header_makes_no_answer() {
        for (header, error) in [
            (("", "a"), "`` is no name of a header"),
            (("a b", "a"), "`a b` is no name of a header"),
            (("ä", "a"), "`ä` is no name of a header"),
            (("a", "b\r\nc: d"), r"its header a `b\r\nc: d` is no header value"),
            (("a", "ä"), "its header a `ä` is no header value"),
            (("content-length", "\0"), r"its header content-length `\0` is no header value"),
        ] {
            assert_eq!(answer(&[header]).unwrap_err(), error);
        }
    }

    #[test]
    fn headers_are_bounded() {
        let many = vec![("connection", "close"); WORKER_HEADERS_MAX + 1];
        let value = "b".repeat(WORKER_HEADERS_BYTES_MAX - 1);
        assert_eq!(answer(&many[1..]).unwrap().len(), 1);
        assert_eq!(answer(&[("a", &value)]).unwrap().len(), 2);
        for bad in [&many[..], &[("ab", &value)]] {
            assert_eq!(answer(bad).unwrap_err(), "it has more headers than 100, or more bytes of them than 131072");
        }
    }

    #[test]
    fn a_response_has_one_of_these_statuses() {
        for status in [200, 599] {
            assert!(Answer::new(status).is_ok());
        }
        for status in [i64::MIN, 0, 100, 199, 600] {
            let text = format!("its status {status} is no number from 200 to 599");
            assert_eq!(Answer::new(status).err(), Some(BadAnswer::NotOne(text)));
        }
    }

    #[test]
    fn an_error_shows_the_beginning_in_one_line() {
        assert_eq!(shown(b"a\n\x1b\xff"), "a\\n\\u{1b}\u{fffd}");
        assert_eq!(shown(&[b'a'; 101]), "a".repeat(100) + "…");
    }
}
