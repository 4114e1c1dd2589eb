//! TLS: the certificate of a surface and its key, from files that are looked at again while the host runs.

use super::figures::Figures;
use super::token::warn_if_others_read;
use crate::config::CERTIFICATE_LOOK_MS;
use arc_swap::ArcSwap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{InconsistentKeys, ServerConfig};

/// The protocols that are offered, the better one first; a client that names none speaks HTTP/1.1.
pub(super) const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";

/// TLS as a surface offers it.
pub struct Tls {
    files: Arc<Files>,
    current: Arc<Current>,
    acceptor: TlsAcceptor,
}

/// Where certificate and key are.
#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// The pair in force.
struct Current(ArcSwap<CertifiedKey>);

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// What shows that a file may have changed: everything but its content.
type Look = Option<(SystemTime, u64, u64)>;

impl Tls {
    /// Reads the pair.
    ///
    /// # Errors
    /// Names the file and says what is wrong with it.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, String> {
        let files = Arc::new(Files { certificate: certificate.to_owned(), key: key.to_owned() });
        let provider = Arc::new(ring::default_provider());
        let certified = files.read(&provider)?;
        warn_if_others_read("private key", key);
        let current = Arc::new(Current(ArcSwap::new(certified)));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("setting up TLS: {error}"))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
        Ok(Self { files, current, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    pub(super) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Puts each new pair in force, for as long as it is polled. What is wrong with a bad one is said once, and the one
    /// before it stays.
    pub(super) async fn watch(&self, figures: &Figures) {
        let provider = Arc::new(ring::default_provider());
        // What the first look sees may be newer than what was loaded: so it is read in any case.
        let (mut read, mut seen) = (None, None);
        loop {
            tokio::time::sleep(Duration::from_millis(CERTIFICATE_LOOK_MS)).await;
            let Some(look) = self.off_the_runtime(|files| files.look()).await else { continue };
            // Two files are not written at once; so they have to look alike for two looks.
            let at_rest = seen.replace(look) == Some(look);
            if !at_rest || read == Some(look) {
                continue;
            }
            read = Some(look);
            let reading = Arc::clone(&provider);
            let Some(certified) = self.off_the_runtime(move |files| files.read(&reading)).await else { continue };
            match certified {
                Ok(certified) => {
                    let changed = self.current.0.load().cert != certified.cert;
                    self.current.0.store(certified);
                    if changed {
                        figures.certificates_reloaded.fetch_add(1, Ordering::Relaxed);
                        tracing::info!("certificate {}: the new one is in force", self.files.certificate.display());
                    }
                }
                Err(error) => {
                    figures.certificate_reloads_failed.fetch_add(1, Ordering::Relaxed);
                    tracing::error!("{error}; the certificate before it stays in force");
                }
            }
        }
    }

    /// A file system may take its time, and connections are not to wait for it. None: the host ends.
    async fn off_the_runtime<T: Send + 'static>(&self, work: impl FnOnce(&Files) -> T + Send + 'static) -> Option<T> {
        let files = Arc::clone(&self.files);
        tokio::task::spawn_blocking(move || work(&files)).await.ok()
    }
}

impl Files {
    fn read(&self, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, String> {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        let read = |what: &str, path: &Path| {
            std::fs::read(path).map_err(|error| format!("reading the {what} {}: {error}", path.display()))
        };
        let (chain, private) = (read("certificate", &self.certificate)?, read("private key", &self.key)?);
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("certificate {certificate}: {error}"))?;
        if chain.is_empty() {
            return Err(format!("certificate {certificate}: it has no BEGIN CERTIFICATE section: give it in PEM form"));
        }
        if is_encrypted(&private) {
            return Err(format!(
                "private key {key}: it is encrypted, and nobody could type its passphrase: write it in the clear with \
                 `openssl pkey -in {key} -out FILE` and `chmod 600 FILE`"
            ));
        }
        let private = PrivateKeyDer::from_pem_slice(&private)
            .map_err(|error| format!("private key {key}: {error}: give it in PEM form, as PKCS#8, PKCS#1 or SEC1"))?;
        let certified = CertifiedKey::from_der(chain, private, provider).map_err(|error| match error {
            tokio_rustls::rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                format!("private key {key}: it is not the key of the certificate {certificate}")
            }
            error => format!("certificate {certificate} with private key {key}: {error}"),
        })?;
        Ok(Arc::new(certified))
    }

    fn look(&self) -> (Look, Look) {
        (look(&self.certificate), look(&self.key))
    }
}

fn is_encrypted(pem: &[u8]) -> bool {
    // PKCS#8 says it in the section's name, the older forms in a header.
    [b"BEGIN ENCRYPTED PRIVATE KEY".as_slice(), b"Proc-Type: 4,ENCRYPTED"]
        .iter()
        .any(|mark| pem.windows(mark.len()).any(|window| window == *mark))
}

fn look(path: &Path) -> Look {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), file_number(&metadata)))
}

#[cfg(unix)]
fn file_number(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn file_number(_metadata: &std::fs::Metadata) -> u64 {
    0
}
