//! The way to registries: with or without TLS, whose certificates are trusted beside the system's, and by which proxy.

use super::proxies::Proxies;
use crate::config::{Oci, REGISTRY_CONNECT_MS, REGISTRY_SILENCE_MS, Reference, Version};
use oci_client::Client;
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::manifest::ImageIndexEntry;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

const USER_AGENT: &str = concat!("tidegate/", env!("CARGO_PKG_VERSION"));

/// What is said of the way.
#[derive(Clone, Debug, Default)]
pub struct Transport {
    /// The registries, `HOST` or `HOST:PORT`, that are spoken to without TLS; those on this machine always are.
    pub plain_http: Vec<String>,
    /// A PEM file of authorities whose certificates are trusted beside the system's.
    pub ca_certificates: Option<PathBuf>,
}

impl From<&Oci> for Transport {
    fn from(config: &Oci) -> Self {
        Self { plain_http: config.plain_http.clone(), ca_certificates: config.ca_certificates.clone() }
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
    /// Says what is wrong with the file of certificates, or keeps TLS from being set up.
    pub(super) fn client(&self, is_plain: bool) -> Result<Client, String> {
        use_ring();
        let Proxies { https, http, none_for } = Proxies::of(|name| std::env::var(name).ok());
        let certificate = |data| Certificate { encoding: CertificateEncoding::Der, data };
        let config = ClientConfig {
            protocol: if is_plain { ClientProtocol::Http } else { ClientProtocol::Https },
            extra_root_certificates: self.authorities()?.into_iter().map(certificate).collect(),
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

    /// A client of the servers that give tokens, which follows nobody elsewhere. It reads certificates too.
    ///
    /// # Errors
    /// As [`Self::client`].
    pub(super) fn token_client(&self) -> Result<reqwest::Client, String> {
        use_ring();
        let Proxies { https, http, none_for } = Proxies::of(|name| std::env::var(name).ok());
        let mut roots = Vec::new();
        for der in self.authorities()? {
            roots.push(reqwest::Certificate::from_der(&der).map_err(|error| error.to_string())?);
        }
        let mut builder = reqwest::Client::builder()
            .tls_certs_merge(roots)
            .connect_timeout(Duration::from_millis(REGISTRY_CONNECT_MS))
            .read_timeout(Duration::from_millis(REGISTRY_SILENCE_MS))
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        let none_for = || reqwest::NoProxy::from_string(&none_for);
        if let Some(proxy) = https {
            let proxy = reqwest::Proxy::https(proxy).map_err(|error| error.to_string())?;
            builder = builder.proxy(proxy.no_proxy(none_for()));
        }
        if let Some(proxy) = http {
            let proxy = reqwest::Proxy::http(proxy).map_err(|error| error.to_string())?;
            builder = builder.proxy(proxy.no_proxy(none_for()));
        }
        builder.build().map_err(|error| error.to_string())
    }

    /// The certificates of the file, in DER.
    fn authorities(&self) -> Result<Vec<Vec<u8>>, String> {
        self.ca_certificates.as_deref().map_or(Ok(Vec::new()), read)
    }
}

fn read(file: &Path) -> Result<Vec<Vec<u8>>, String> {
    let wrong = |why: String| format!("oci.ca_certificates {}: {why}", file.display());
    let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(&pem).map(|found| found.map(|der| der.as_ref().to_vec())).collect();
    match found {
        Ok(found) if found.is_empty() => Err(wrong("it holds no certificate in PEM form".to_owned())),
        Ok(found) => Ok(found),
        Err(error) => Err(wrong(error.to_string())),
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
