//! The plugin that failed, as a letter names it.

use crate::flow::ServedBy;
use serde::{Deserialize, Serialize};

/// A plugin as it served.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct By {
    /// Its name.
    pub plugin: String,
    /// The generation of its slot.
    pub generation: u64,
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
}

impl By {
    /// A plugin with the bytes of its digest.
    pub fn new(plugin: &str, generation: u64, digest: &[u8]) -> Self {
        let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { plugin: plugin.to_owned(), generation, digest }
    }

    /// The bytes of its digest.
    pub fn digest_bytes(&self) -> Vec<u8> {
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        self.digest.as_bytes().chunks(2).filter_map(byte).collect()
    }
}

impl From<&ServedBy> for By {
    fn from(by: &ServedBy) -> Self {
        Self { plugin: by.plugin.clone(), generation: by.generation, digest: by.digest.clone() }
    }
}
