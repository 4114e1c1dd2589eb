//! Fuzzing of the query: every piece is a pair, and pairs that are written again read the same. And of ZWS.

use super::query;
pub use super::websocket::fuzzing::zws;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Reads the query of a request.
pub fn query(text: &str) {
    let pieces = text.split('&').filter(|piece| !piece.is_empty());
    let Ok(pairs) = query::pairs(text) else {
        // Only an escape can be broken.
        assert!(text.contains('%'));
        return;
    };
    assert_eq!(pairs.len(), pieces.clone().count());
    for (piece, (name, value)) in pieces.zip(&pairs) {
        assert!(name.len() + value.len() <= piece.len(), "{piece} became longer");
    }
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let written: Vec<_> = pairs.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    assert_eq!(query::pairs(&written.join("&")), Ok(pairs));
}
