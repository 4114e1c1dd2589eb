//! The way to registries: with or without TLS, and by which proxy.

use super::proxies::Proxies;
use crate::config::{Oci, REGISTRY_CONNECT_MS, REGISTRY_SILENCE_MS, Reference, Version};
use oci_client::Client;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::ImageIndexEntry;
use std::time::Duration;

const USER_AGENT: &str = concat!("tidegate/", env!("CARGO_PKG_VERSION"));

/// What is said of the way.
#[derive(Clone, Debug, Default)]
pub struct Transport {
    /// The registries, `HOST` or `HOST:PORT`, that are spoken to without TLS; those on this machine always are.
    pub plain_http: Vec<String>,
}

impl From<&Oci> for Transport {
    fn from(config: &Oci) -> Self {
        Self { plain_http: config.plain_http.clone() }
    }
}

impl Transport {
    /// Whether the registry is spoken to without TLS.
    pub(super) fn is_plain(&self, reference: &Reference) -> bool {
        reference.is_loopback() || self.plain_http.contains(&reference.registry)
    }

    /// A client of registries. It reads certificates: too long for a thread that carries traffic.
    ///
    /// # Errors
    /// Says what keeps TLS from being set up.
    pub(super) fn client(&self, is_plain: bool) -> Result<Client, String> {
        use_ring();
        let Proxies { https, http, none_for } = Proxies::of(|name| std::env::var(name).ok());
        let config = ClientConfig {
            protocol: if is_plain { ClientProtocol::Http } else { ClientProtocol::Https },
            connect_timeout: Some(Duration::from_millis(REGISTRY_CONNECT_MS)),
            read_timeout: Some(Duration::from_millis(REGISTRY_SILENCE_MS)),
            platform_resolver: Some(Box::new(wasm_of_an_index)),
            user_agent: USER_AGENT,
            https_proxy: https,
            http_proxy: http,
            no_proxy: Some(none_for),
            ..ClientConfig::default()
        };
        Client::try_from(config).map_err(|error| error.to_string())
    }
}

fn use_ring() {
    // A second time it does nothing.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
}

/// A reference as oci_client has it.
pub(super) fn client_reference(reference: &Reference) -> oci_client::Reference {
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
