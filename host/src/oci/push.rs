//! Pushing a component, in the layout that other hosts and tools read too.

use super::credentials::Login;
use super::layout::{CONFIG, Description, LAYER, config};
use super::{Artifact, Error, Registries};
use crate::config::{REGISTRY_TRANSFER_MS, Reference};
use oci_client::RegistryOperation;
use oci_client::client::{Config, ImageLayer};
use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciImageManifest};
use std::time::Duration;
use tokio::time::timeout;

impl Registries {
    /// Puts a component under a tag.
    ///
    /// # Errors
    /// When the registry does not answer in time, lets nobody in with these credentials, or refuses the component.
    pub async fn push(
        &self,
        reference: &Reference,
        component: Vec<u8>,
        description: &Description,
    ) -> Result<Artifact, Error> {
        timeout(
            Duration::from_millis(REGISTRY_TRANSFER_MS),
            self.push_without_timeout(reference, component, description),
        )
        .await
        .unwrap_or_else(|_| Err(Error::too_slow(&reference.registry, "taking the component", REGISTRY_TRANSFER_MS)))
    }

    async fn push_without_timeout(
        &self,
        reference: &Reference,
        component: Vec<u8>,
        description: &Description,
    ) -> Result<Artifact, Error> {
        let size_bytes = component.len() as u64;
        let layers = [ImageLayer::new(component, LAYER.to_owned(), None)];
        let layer_digest = layers[0].sha256_digest();
        let config = config(description, &layer_digest)
            .map_err(|error| self.failed(reference, &Login::default(), error.into()))?;
        let config = Config::new(config, CONFIG.to_owned(), None);
        let mut manifest = OciImageManifest::build(&layers, &config, None);
        manifest.media_type = Some(OCI_IMAGE_MEDIA_TYPE.to_owned());
        let asked = self.ask(reference, RegistryOperation::Push, |client, image, auth| {
            let (layers, config, manifest) = (&layers, config.clone(), manifest.clone());
            async move {
                client.push(&image, layers, config, &auth, Some(manifest)).await?;
                // Asked for, not computed: others pull by the digest that the registry gives.
                client.fetch_manifest_digest(&image, &auth).await
            }
        });
        let digest = asked.await?;
        let component = layer_digest.trim_start_matches("sha256:").to_owned();
        Ok(Artifact { digest, component, size_bytes, is_packed: false })
    }
}
