//! What is spoken on a WebSocket, and the choice of it.

use crate::http::problem::Problem;
use warp::http::HeaderMap;
use warp::http::header::SEC_WEBSOCKET_PROTOCOL;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subprotocol {
    /// RFC 45, without a mechanism.
    Zws,
    /// RFC 45 with the handshake of the NULL mechanism.
    ZwsNull,
    /// Messages as JSON, for a few lines of JavaScript.
    Json,
    /// Messages as they are, which is what a client gets that asks for nothing.
    Plain,
}

impl Subprotocol {
    /// As it is asked for; none for what is spoken without asking.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Zws => Some("ZWS2.0"),
            Self::ZwsNull => Some("ZWS2.0/NULL"),
            Self::Json => Some("tidegate.json.v1"),
            Self::Plain => None,
        }
    }
}

/// The one of these that a client asks for, the first if it asks for several.
///
/// # Errors
/// When it asks for others; says for which it can.
pub(super) fn choose(headers: &HeaderMap, spoken: &[Subprotocol]) -> Result<Subprotocol, Problem> {
    let lists = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let asked = lists.flat_map(|list| list.to_str().unwrap_or_default().split(',')).map(str::trim);
    let asked: Vec<_> = asked.collect();
    let is_asked = |subprotocol: &&Subprotocol| match subprotocol.name() {
        Some(name) => asked.contains(&name),
        None => asked.is_empty(),
    };
    spoken.iter().find(is_asked).copied().ok_or_else(|| {
        let names: Vec<_> = spoken.iter().filter_map(|subprotocol| subprotocol.name()).collect();
        let or_none = if spoken.contains(&Subprotocol::Plain) { ", or for none" } else { "" };
        Problem::Malformed(format!(
            "none of the subprotocols of the WebSocket is spoken here; ask for {}{or_none}",
            names.join(" or ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_both_speak_is_chosen() {
        let choose = |lists: &[&str], spoken: &[Subprotocol]| {
            let mut headers = HeaderMap::new();
            for list in lists {
                headers.append(SEC_WEBSOCKET_PROTOCOL, list.parse().expect("a value"));
            }
            choose(&headers, spoken).ok()
        };
        let all = [Subprotocol::ZwsNull, Subprotocol::Zws, Subprotocol::Json, Subprotocol::Plain];
        // As libzmq asks.
        assert_eq!(choose(&["ZWS2.0/NULL,ZWS2.0"], &all), Some(Subprotocol::ZwsNull));
        assert_eq!(choose(&["x", "tidegate.json.v1, ZWS2.0"], &all), Some(Subprotocol::Zws));
        assert_eq!(choose(&[], &all), Some(Subprotocol::Plain));
        assert_eq!(choose(&[], &all[..2]), None);
        for other in ["", "zws2.0", "ZWS2.0/PLAIN", "é", "ZWS2.0 ZWS2.0/NULL"] {
            assert_eq!(choose(&[other], &all), None, "{other}");
        }
    }
}
