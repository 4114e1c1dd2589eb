//! The roles that a plugin can be called in.

use std::fmt;

/// What a plugin can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Messages that come in by HTTP.
    Transform,
    /// Requests that come in at the broker.
    ReplyPolicy,
    /// HTTP requests, as they come in.
    HttpHandler,
}

impl Role {
    /// Its name in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transform => "transform",
            Self::ReplyPolicy => "reply-policy",
            Self::HttpHandler => "http-handler",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
