//! TLS towards NATS: whether there has to be any, and whether its files are what they are said to be.

use super::login::read;
use crate::config::Nats;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Whether nothing may be said without TLS, whatever a server offers, and whichever others it tells of.
pub(super) fn is_required(nats: &Nats) -> bool {
    let is_tls = |server: &str| server.trim().starts_with("tls://");
    nats.url.split(',').any(is_tls) || nats.tls_ca.is_some() || nats.tls_cert.is_some()
}

/// Looks at the files, which are read anew for each connection.
///
/// # Errors
/// When one cannot be read, or is none of its kind; names it.
pub(super) fn check(nats: &Nats) -> Result<(), String> {
    for (key, file) in [("nats.tls_ca", &nats.tls_ca), ("nats.tls_cert", &nats.tls_cert)] {
        let Some(file) = file else { continue };
        let pem = read(key, file)?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        match certificates {
            Ok(certificates) if certificates.is_empty() => {
                return Err(format!("{key} {}: it holds no certificate in PEM form", file.display()));
            }
            Ok(_) => {}
            Err(error) => return Err(format!("{key} {}: {error}", file.display())),
        }
    }
    if let Some(file) = &nats.tls_key {
        PrivateKeyDer::from_pem_slice(read("nats.tls_key", file)?.as_bytes())
            .map_err(|_| format!("nats.tls_key {}: it holds no private key in PEM form", file.display()))?;
    }
    Ok(())
}
