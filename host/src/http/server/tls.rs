//! TLS: the certificate of a surface and its key, from files that are looked at again while the host runs.

use super::statistics::ServerStatistics;
use super::token::warn_if_others_read;
use crate::config::CERTIFICATE_LOOK_MS;
use crate::system::file_watch::{FileWatch, Fingerprint, Notices, Pace, Watched};
use crate::system::supervisor::Supervisor;
use arc_swap::ArcSwapOption;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
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
    pair: Arc<Pair>,
    acceptor: TlsAcceptor,
}

/// Where certificate and key are, and those in force.
#[derive(Debug)]
struct Pair {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: ArcSwapOption<CertifiedKey>,
}

impl ResolvesServerCert for Pair {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.load_full()
    }
}

impl Tls {
    /// Reads the pair.
    ///
    /// # Errors
    /// Names the file and says what is wrong with it.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        let pair = Arc::new(Pair { certificate, key, provider, current: ArcSwapOption::empty() });
        pair.renew()?;
        warn_if_others_read("private key", &pair.key);
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&pair.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("setting up TLS: {error}"))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&pair) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
        Ok(Self { pair, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    pub(super) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Puts each new pair in force, until what is returned is dropped. What is wrong with a bad one is said once, and
    /// the one before it stays.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn watch(
        &self,
        statistics: &Arc<ServerStatistics>,
        supervisor: &Supervisor,
    ) -> Result<FileWatch, String> {
        let look = Duration::from_millis(CERTIFICATE_LOOK_MS);
        let watched = WatchedPair {
            pair: Arc::clone(&self.pair),
            statistics: Arc::clone(statistics),
            seen: None,
            is_read: false,
        };
        FileWatch::start((supervisor, "watch-certificates"), Pace { rest: look, rescan: look }, watched)
    }
}

/// A pair whose files are looked at.
struct WatchedPair {
    pair: Arc<Pair>,
    statistics: Arc<ServerStatistics>,
    seen: Option<[Option<Fingerprint>; 2]>,
    /// Not before the first looks, which may see a newer pair than was loaded.
    is_read: bool,
}

impl Watched for WatchedPair {
    fn look(&mut self, notices: &mut Notices) -> bool {
        let files = [&self.pair.certificate, &self.pair.key];
        notices.follow(files.map(PathBuf::clone));
        let now = files.map(|file| Fingerprint::of(file));
        // Two files are not written at once, so both have to rest.
        let at_rest = self.seen.replace(now) == Some(now);
        if at_rest && !self.is_read {
            self.renew();
        }
        self.is_read = at_rest;
        at_rest
    }
}

impl WatchedPair {
    fn renew(&self) {
        match self.pair.renew() {
            Ok(false) => {}
            Ok(true) => {
                self.statistics.certificates_reloaded.fetch_add(1, Ordering::Relaxed);
                tracing::info!("certificate {}: the new one is in force", self.pair.certificate.display());
            }
            Err(error) => {
                self.statistics.certificate_reloads_failed.fetch_add(1, Ordering::Relaxed);
                tracing::error!("{error}; the certificate before it stays in force");
            }
        }
    }
}

impl Pair {
    /// Reads the files and puts in force what they hold. Returns whether it is another certificate.
    fn renew(&self) -> Result<bool, String> {
        let certified = self.read()?;
        let before = self.current.swap(Some(Arc::clone(&certified)));
        Ok(before.is_none_or(|before| before.cert != certified.cert))
    }

    fn read(&self) -> Result<Arc<CertifiedKey>, String> {
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
        let certified = CertifiedKey::from_der(chain, private, &self.provider).map_err(|error| match error {
            tokio_rustls::rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                format!("private key {key}: it is not the key of the certificate {certificate}")
            }
            error => format!("certificate {certificate} with private key {key}: {error}"),
        })?;
        Ok(Arc::new(certified))
    }
}

fn is_encrypted(pem: &[u8]) -> bool {
    // PKCS#8 says it in the section's name, the older forms in a header.
    [b"BEGIN ENCRYPTED PRIVATE KEY".as_slice(), b"Proc-Type: 4,ENCRYPTED"]
        .iter()
        .any(|mark| pem.windows(mark.len()).any(|window| window == *mark))
}
