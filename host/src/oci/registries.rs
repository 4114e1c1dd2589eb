//! Registries: what a reference stands for, and its component, within bounds of size and time.

use super::{Error, credentials, layout};
use crate::config::{
    REGISTRY_CONNECT_MS, REGISTRY_RESOLVE_MS, REGISTRY_SILENCE_MS, REGISTRY_TRANSFER_MS, REGISTRY_TRANSFERS_MAX,
    Reference, Version,
};
use futures_util::StreamExt;
use oci_client::Client;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::ImageIndexEntry;
use oci_client::secrets::RegistryAuth;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

const USER_AGENT: &str = concat!("tidegate/", env!("CARGO_PKG_VERSION"));

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

/// The way to all registries.
pub struct Registries {
    plain_http: Vec<String>,
    // One for each registry, with the credentials that it was made for: they may change.
    clients: Mutex<HashMap<String, (RegistryAuth, Client)>>,
    transfers: Semaphore,
}

impl Registries {
    /// Those of `plain_http` are spoken to without TLS, and those on this machine.
    pub fn new(plain_http: Vec<String>) -> Self {
        Self { plain_http, clients: Mutex::default(), transfers: Semaphore::new(REGISTRY_TRANSFERS_MAX) }
    }

    /// What a reference stands for now; `known` is what it was last, which costs less to find unchanged.
    pub async fn resolve(&self, reference: &Reference, known: Option<&Artifact>) -> Result<Artifact, Error> {
        let registry = &reference.registry;
        let _place = self.transfers.acquire().await;
        timeout(Duration::from_millis(REGISTRY_RESOLVE_MS), self.resolve_at_last(reference, known))
            .await
            .unwrap_or_else(|_| Err(Error::too_slow(registry, "the manifest", REGISTRY_RESOLVE_MS)))
    }

    async fn resolve_at_last(&self, reference: &Reference, known: Option<&Artifact>) -> Result<Artifact, Error> {
        let (client, auth) = self.client(reference).await?;
        let failed = |error| self.failed(reference, error);
        let image = image(reference);
        if let Some(known) = known {
            let digest = client.fetch_manifest_digest(&image, &auth).await.map_err(failed)?;
            if digest == known.digest {
                return Ok(known.clone());
            }
        }
        let (manifest, digest) = client.pull_image_manifest(&image, &auth).await.map_err(failed)?;
        let refused = |why: &str| Error::refused(&reference.registry, why);
        let layer = layout::component_layer(&manifest.layers).map_err(|why| refused(&why))?;
        let component = layer.digest.strip_prefix("sha256:").filter(|digits| digits.len() == 64);
        let component = component.ok_or_else(|| refused("the digest of its layer is no SHA-256"))?.to_owned();
        let size_bytes = u64::try_from(layer.size).map_err(|_| refused("the size of its layer is negative"))?;
        Ok(Artifact { digest, component, size_bytes })
    }

    /// The component of an artifact, which is what its digest says.
    pub async fn pull(&self, reference: &Reference, artifact: &Artifact, bytes_max: u64) -> Result<Vec<u8>, Error> {
        let registry = &reference.registry;
        let _place = self.transfers.acquire().await;
        timeout(Duration::from_millis(REGISTRY_TRANSFER_MS), self.pull_at_last(reference, artifact, bytes_max))
            .await
            .unwrap_or_else(|_| Err(Error::too_slow(registry, "the component", REGISTRY_TRANSFER_MS)))
    }

    async fn pull_at_last(&self, reference: &Reference, artifact: &Artifact, bytes_max: u64) -> Result<Vec<u8>, Error> {
        let too_large = || {
            let why = format!("the component is larger than component_bytes_max {bytes_max}");
            Error::refused(&reference.registry, &why)
        };
        if artifact.size_bytes > bytes_max {
            return Err(too_large());
        }
        let (client, auth) = self.client(reference).await?;
        client.store_auth_if_needed(&reference.registry, &auth).await;
        let digest = format!("sha256:{}", artifact.component);
        // By the digest alone: a layer's own addresses could lead anywhere.
        let stream = client.pull_blob_stream(&image(reference), digest.as_str()).await;
        let mut stream = stream.map_err(|error| self.failed(reference, error))?;
        let mut bytes = Vec::new();
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|error| self.failed(reference, error.into()))?;
            // What the manifest said of the size need not be true.
            if (bytes.len() + piece.len()) as u64 > bytes_max {
                return Err(too_large());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// A client for the reference's registry, and what it introduces itself with.
    pub(super) async fn client(&self, reference: &Reference) -> Result<(Client, RegistryAuth), Error> {
        let registry = &reference.registry;
        let auth = credentials::of(registry).await?;
        if let Some((_, client)) = self.clients().get(registry).filter(|(known, _)| *known == auth) {
            return Ok((client.clone(), auth));
        }
        let plain = self.is_plain(reference);
        // It reads the system's certificates: too long for a thread that carries traffic.
        let client = tokio::task::spawn_blocking(move || client_of(plain)).await;
        let client = client
            .map_err(|panic| Error::refused(registry, &panic.to_string()))?
            .map_err(|error| Error::of(registry, plain, error))?;
        self.clients().insert(registry.clone(), (auth.clone(), client.clone()));
        Ok((client, auth))
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<String, (RegistryAuth, Client)>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn failed(&self, reference: &Reference, error: OciDistributionError) -> Error {
        Error::of(&reference.registry, self.is_plain(reference), error)
    }

    fn is_plain(&self, reference: &Reference) -> bool {
        reference.is_loopback() || self.plain_http.contains(&reference.registry)
    }
}

fn client_of(plain: bool) -> Result<Client, OciDistributionError> {
    // A second time it does nothing.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    Client::try_from(ClientConfig {
        protocol: if plain { ClientProtocol::Http } else { ClientProtocol::Https },
        connect_timeout: Some(Duration::from_millis(REGISTRY_CONNECT_MS)),
        read_timeout: Some(Duration::from_millis(REGISTRY_SILENCE_MS)),
        platform_resolver: Some(Box::new(wasm_of_an_index)),
        user_agent: USER_AGENT,
        ..ClientConfig::default()
    })
}

/// A reference as oci_client has it.
pub(super) fn image(reference: &Reference) -> oci_client::Reference {
    let Reference { registry, repository, version } = reference.clone();
    match version {
        Version::Tag(tag) => oci_client::Reference::with_tag(registry, repository, tag),
        Version::Digest(digest) => oci_client::Reference::with_digest(registry, repository, digest),
    }
}

/// The manifest that an index has for WebAssembly.
fn wasm_of_an_index(manifests: &[ImageIndexEntry]) -> Option<String> {
    let is_wasm = |entry: &&ImageIndexEntry| {
        entry.platform.as_ref().is_some_and(|platform| platform.architecture.to_string() == "wasm")
    };
    manifests.iter().find(is_wasm).map(|entry| entry.digest.clone())
}
