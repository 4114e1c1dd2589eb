//! Content codings, gzip and zstd (RFC 9110, section 8.4): of the bodies of requests and of answers.

mod accept;
mod decode;
mod encode;

pub(crate) use accept::Wanted;
pub(crate) use decode::decode;
pub(crate) use encode::encode;

use super::problem::Problem;
use crate::config::CODERS_MAX;
use tokio::sync::{Semaphore, SemaphorePermit};
use warp::http::HeaderMap;
use warp::http::header::CONTENT_ENCODING;

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match () {
            () if is("gzip") || is("x-gzip") => Some(Self::Gzip),
            () if is("zstd") => Some(Self::Zstd),
            () => None,
        }
    }

    /// The coding of a request's body; none if it has none.
    ///
    /// # Errors
    /// When it is another one, or there are several: each would have to be undone within bounds of its own.
    pub(crate) fn of_request(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let mut lists = headers.get_all(CONTENT_ENCODING).iter().peekable();
        if lists.peek().is_none() {
            return Ok(None);
        }
        let text = lists.map(|list| String::from_utf8_lossy(list.as_bytes())).collect::<Vec<_>>().join(", ");
        let names = text.split(',').map(str::trim);
        let mut names = names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"));
        match (names.next().map(Self::named), names.next()) {
            (None, _) => Ok(None),
            (Some(Some(coding)), None) => Ok(Some(coding)),
            _ => Err(Problem::ContentCoding(text)),
        }
    }
}

/// How much goes into a coder before others have their turn on the thread: of what can be large when it comes out, little.
const DECODED_AT_ONCE: usize = 512;
const ENCODED_AT_ONCE: usize = 32 << 10;
/// After how much that came out others have their turn too.
const TURN_BYTES: usize = 64 << 10;

/// One of the coders that are at work at the same time, each of which has memory of its own.
async fn coder() -> Option<SemaphorePermit<'static>> {
    static CODERS: Semaphore = Semaphore::const_new(CODERS_MAX);
    CODERS.acquire().await.ok()
}
