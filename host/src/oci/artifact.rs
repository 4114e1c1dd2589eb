//! What a reference stands for: the layer that is a component, or that has one packed into it.

use super::{Error, image};
use crate::config::Reference;
use serde::{Deserialize, Serialize};

/// What a reference stands for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Artifact {
    /// The digest of its manifest, `sha256:` in front.
    pub digest: String,
    /// SHA-256 of its layer, which is the component unless that is packed, in hexadecimal.
    pub component: String,
    /// The layer's size.
    pub size_bytes: u64,
    /// The layer is that of a container image, and the component a file in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_packed: bool,
}

impl Artifact {
    /// The component that is packed into its layer. It takes the processor, for as long as unpacking `bytes_max` bytes does.
    ///
    /// # Errors
    /// When there is not one component of at most `bytes_max` bytes in it.
    pub fn unpacked(reference: &Reference, layer: &[u8], bytes_max: u64) -> Result<Vec<u8>, Error> {
        image::component(layer, bytes_max).map_err(|why| Error::refused(&reference.registry, &why))
    }
}
