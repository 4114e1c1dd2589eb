//! What is said of a route of the HTTP surface.

use serde::{Deserialize, Serialize};

/// The headers that are about one connection (RFC 9110, 7.6.1), whether `Connection` names them or not.
pub const CONNECTION_HEADERS: [&str; 10] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// `[routes.NAME]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Route {
    /// The plugins that each request goes through, in order, where `workers.NAME` is a pool of workers; the plugin with the
    /// route's name if there are none.
    pub through: Vec<String>,
    /// The sockets that what comes out goes to; `publish` if it is not set, and `[]` for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<String>>,
    /// The headers of a request that the plugins see, in lower case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// The headers that a plugin may set in the response, in lower case, as `http.header.NAME`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_headers: Vec<String>,
    /// Takes bodies with `content-encoding: gzip` or `zstd`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub decompress: bool,
    /// Compresses answers where the client accepts that.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub compress: bool,
    /// The origins whose pages may read the answers in a browser.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cors: Vec<String>,
}
