//! What hyper refuses before anybody else sees it, a head that is too large or is none: it answers with a bare status,
//! and here it gets the words that every other error has.

use super::statistics::ServerStatistics;
use crate::http::problem::Problem;
use bytes::Bytes;
use std::fmt::Write;
use std::sync::Arc;

const NOT_HTTP: &str = "the head of the request is not as HTTP/1.1 has it (RFC 9112)";

/// The bounds on heads, by which they are refused.
#[derive(Clone, Debug)]
pub(super) struct HeadRefusals {
    pub(super) head_bytes_max: usize,
    pub(super) headers_max: usize,
    pub(super) uri_bytes_max: usize,
    pub(super) statistics: Arc<ServerStatistics>,
}

impl HeadRefusals {
    /// An answer of hyper's own, which is a head alone, with a body that says why.
    pub(super) fn with_words(&self, answer: &[u8]) -> Bytes {
        let unchanged = || Bytes::copy_from_slice(answer);
        let Some(head) = std::str::from_utf8(answer).ok().and_then(|head| head.strip_suffix("\r\n\r\n")) else {
            return unchanged();
        };
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let problem = match status {
            Some(400) => Problem::Malformed(NOT_HTTP.to_owned()),
            Some(414) => Problem::UriTooLong(self.uri_bytes_max),
            Some(431) => self.head_too_large(),
            _ => return unchanged(),
        };
        self.statistics.count_answer(status.unwrap_or_default());
        let body = problem.body();
        let mut text = String::with_capacity(head.len() + body.len() + 100);
        for line in head.split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("content-length:")) {
            text += line;
            text += "\r\n";
        }
        text += "content-type: application/problem+json\r\nx-content-type-options: nosniff\r\n";
        let _ = write!(text, "content-length: {}\r\n\r\n", body.len());
        [text.as_bytes(), &body].concat().into()
    }

    pub(super) fn head_too_large(&self) -> Problem {
        Problem::HeadTooLarge { bytes_max: self.head_bytes_max, headers_max: self.headers_max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_status_gets_words_and_anything_else_stays_as_it_is() {
        let statistics = Arc::new(ServerStatistics::default());
        let refusals = HeadRefusals {
            head_bytes_max: 9_000,
            headers_max: 7,
            uri_bytes_max: 5,
            statistics: Arc::clone(&statistics),
        };
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nconnection: close\r\n\r\n";
        let worded = refusals.with_words(bare);
        let (head, body) = std::str::from_utf8(&worded).unwrap().split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 431 ") && head.contains("\r\nconnection: close\r\n"), "{head}");
        assert!(head.ends_with(&format!("\r\ncontent-length: {}", body.len())), "{head}");
        assert!(body.contains("head_bytes_max 9000") && body.contains("headers_max 7"), "{body}");
        assert_eq!(statistics.answers().into_iter().collect::<Vec<_>>(), [(431, 1)]);
        for other in [&b"HTTP/1.1 100 Continue\r\n\r\n"[..], b"\xff\r\n\r\n", b"HTTP/1.1 400 Bad"] {
            assert_eq!(refusals.with_words(other), other);
        }
    }
}
