//! The admin surface: where it is, who may use it, and how much it shows.

use super::local;
use crate::config::Address;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[admin]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Where it listens; another address than a loopback one needs a token.
    pub address: Address,
    /// A file that holds the token which callers must send as `Authorization: Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// What `GET /tail` shows of the messages that go by: nothing (`off`), all but bodies and metadata (`heads`), or these
    /// too (`bodies`).
    pub tail: Tail,
}

impl Default for Admin {
    fn default() -> Self {
        Self { address: local(5001), token_file: None, tail: Tail::Heads }
    }
}

/// What the live tail shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tail {
    /// Nothing.
    Off,
    /// Names, topics and sizes.
    Heads,
    /// Bodies and metadata too.
    Bodies,
}
