//! `[oci]`: how registries are spoken to, and how often they are asked.

mod bounds;

pub use bounds::*;

use super::limits::milliseconds;
use super::reference::check_registry;
use serde::{Deserialize, Deserializer, Serialize};
use std::path::PathBuf;

/// `[oci]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Oci {
    /// How often it is looked whether a tag has moved; 0 for never.
    #[serde(deserialize_with = "milliseconds::<_, _, 0, 86_400_000>")]
    pub poll_ms: u64,
    /// The registries, `HOST` or `HOST:PORT`, that are spoken to without TLS; those on this machine always are.
    #[serde(deserialize_with = "registries")]
    pub plain_http: Vec<String>,
    /// A PEM file of authorities whose certificates are trusted beside the system's, such as a company's own.
    pub ca_certificates: Option<PathBuf>,
}

impl Default for Oci {
    fn default() -> Self {
        Self { poll_ms: 60_000, plain_http: Vec::new(), ca_certificates: None }
    }
}

fn registries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    names.iter().try_for_each(|name| check_registry(name)).map_err(serde::de::Error::custom)?;
    Ok(names)
}
