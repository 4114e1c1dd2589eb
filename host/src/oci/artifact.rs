//! What a reference stands for.

use serde::{Deserialize, Serialize};

/// What a reference stands for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Artifact {
    /// The digest of its manifest, `sha256:` in front.
    pub digest: String,
    /// SHA-256 of its component, in hexadecimal.
    pub component: String,
    /// The component's size.
    pub size_bytes: u64,
}
