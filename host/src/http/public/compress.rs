//! An answer in a coding that its client accepts, where its route says so.

use super::Public;
use crate::config::CODED_BYTES_MIN;
use crate::http::coding::{self, Wanted};
use crate::http::route::FoundRoute;
use crate::http::server::head::Head;
use bytes::Bytes;
use warp::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG};
use warp::http::{HeaderMap, HeaderValue, StatusCode};

impl Public {
    /// The body of an answer with this status and these headers, in the coding that the client wants, if its route has
    /// any, that is of use, and there is room for it beside the body.
    pub(super) async fn compressed(
        &self,
        route: &FoundRoute,
        head: &Head,
        (status, headers): (StatusCode, &mut HeaderMap),
        body: Bytes,
    ) -> Bytes {
        let wanted = if route.options().compress { Wanted::of(&head.parts.headers) } else { None };
        let Some(wanted) = wanted.filter(|_| may_be_coded(status, headers)) else { return body };
        // Boxed: otherwise the future of every answer would be as large.
        Box::pin(self.coded(route, wanted, headers, body)).await
    }

    async fn coded(
        &self,
        route: &FoundRoute,
        Wanted { coding, always }: Wanted,
        headers: &mut HeaderMap,
        body: Bytes,
    ) -> Bytes {
        let is_worth_it = body.len() >= CODED_BYTES_MIN && !is_coded_type(headers);
        let bytes_max = if always { body.len() + body.len() / 100 + 1_000 } else { body.len().saturating_sub(1) };
        if body.is_empty() || !(always || is_worth_it) {
            return body;
        }
        let Ok(room) = self.room(route.first().share(), bytes_max) else { return body };
        let Some(encoded) = coding::encode(coding, &body, bytes_max).await else { return body };
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        headers.remove(CONTENT_LENGTH);
        weaken(headers);
        room.keep(encoded)
    }
}

/// Whether there is a whole body, and nobody has said that it stays as it is.
fn may_be_coded(status: StatusCode, headers: &HeaderMap) -> bool {
    let is_whole = ![StatusCode::NO_CONTENT, StatusCode::PARTIAL_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    let stays = |list: &HeaderValue| list.to_str().is_ok_and(|list| list.to_ascii_lowercase().contains("no-transform"));
    is_whole
        && !headers.contains_key(CONTENT_ENCODING)
        && !headers.contains_key(CONTENT_RANGE)
        && !headers.get_all(CACHE_CONTROL).iter().any(stays)
}

/// Whether what is of this type is compressed by itself.
fn is_coded_type(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let coded =
        ["application/gzip", "application/zip", "application/zstd", "application/x-7z-compressed", "font/woff2"];
    let kind = essence.split('/').next().unwrap_or_default();
    coded.contains(&essence.as_str()) || ["audio", "image", "video"].contains(&kind) && essence != "image/svg+xml"
}

/// A strong tag stands for exact bytes, which are others now.
fn weaken(headers: &mut HeaderMap) {
    let Some(tag) = headers.get(ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| tag.starts_with('"')) else {
        return;
    };
    if let Ok(weak) = HeaderValue::try_from(format!("W/{tag}")) {
        headers.insert(ETAG, weak);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_coded_partial_or_to_stay_as_it_is_is_left_alone() {
        let with = |name: &'static str, value| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            headers
        };
        assert!(
            may_be_coded(StatusCode::OK, &HeaderMap::new()) && may_be_coded(StatusCode::CREATED, &HeaderMap::new())
        );
        assert!(!may_be_coded(StatusCode::NO_CONTENT, &HeaderMap::new()));
        for (name, value) in
            [("content-encoding", "br"), ("content-range", "bytes 0-1/2"), ("cache-control", "private, No-Transform")]
        {
            assert!(!may_be_coded(StatusCode::OK, &with(name, value)), "{name}");
        }
        for (content_type, is_coded) in [
            ("text/html; charset=utf-8", false),
            ("image/svg+xml", false),
            ("Image/PNG", true),
            ("application/zip", true),
            ("application/json", false),
        ] {
            assert_eq!(is_coded_type(&with("content-type", content_type)), is_coded, "{content_type}");
        }
        for (before, after) in [("\"a\"", "W/\"a\""), ("W/\"a\"", "W/\"a\"")] {
            let mut headers = with("etag", before);
            weaken(&mut headers);
            assert_eq!(headers["etag"], after);
        }
    }
}
