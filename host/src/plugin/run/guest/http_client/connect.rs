//! Connections to the hosts that handlers send requests to: where a name may lead, and whom to trust.

use super::Admitted;
use crate::system::descriptors::is_reserved;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use wasmtime_wasi_http::Error;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection, with TLS where it is asked for.
///
/// # Errors
/// When no address of the host may be connected to and answers, or the TLS handshake fails.
pub(crate) async fn connect(admitted: &Admitted) -> Result<Box<dyn Stream>, Error> {
    let stream = connect_tcp(admitted).await?;
    let _ = stream.set_nodelay(true);
    if !admitted.is_https {
        return Ok(Box::new(stream));
    }
    let host = admitted.host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(|_| Error::HttpRequestUriInvalid)?;
    let connector = TlsConnector::from(trust().await?);
    Ok(Box::new(connector.connect(name, stream).await.map_err(Error::Tls)?))
}

/// The first of the host's addresses that takes a connection.
async fn connect_tcp(admitted: &Admitted) -> Result<TcpStream, Error> {
    let Admitted { host, port, grant, plugin_state, .. } = admitted;
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let found = lookup_host((name, *port)).await.map_err(|_| Error::DnsError { rcode: None, info_code: None })?;
    let mut failure = Error::DestinationNotFound;
    for address in found {
        if !grant.is_of_an_address() && is_of_this_machine_or_link(address.ip()) {
            let ip = address.ip();
            plugin_state.deny_outbound(
                admitted.number,
                &format!("{host} leads to {ip}, which only a grant of that address may: not connected"),
            );
            failure = Error::DestinationIpProhibited;
            continue;
        }
        match TcpStream::connect(SocketAddr::new(address.ip(), *port)).await {
            // The descriptors that are left are reserved for the host itself.
            Ok(stream) if is_reserved(stream.as_raw_fd()) => {
                failure = Error::Connect(io::Error::other("as many descriptors are taken as calls may take"));
            }
            Ok(stream) => return Ok(stream),
            Err(error) => failure = Error::Connect(error),
        }
    }
    Err(failure)
}

/// Whether an address is one that a name on a network has no business with: whoever owns the name could have it lead to
/// the services of this machine, this host's admin surface among them, or to a cloud's metadata. Addresses of private
/// networks are ordinary: that is where the machines of a plant are.
fn is_of_this_machine_or_link(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            ip.is_loopback() || ip.is_link_local() || ip.is_multicast() || ip.is_broadcast() || ip.octets()[0] == 0
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local() || ip.is_multicast(),
    }
}

/// The certificate authorities that this machine trusts, read once.
async fn trust() -> Result<Arc<ClientConfig>, Error> {
    static TRUST: OnceCell<Arc<ClientConfig>> = OnceCell::const_new();
    let failed = |error: &dyn ToString| Error::Tls(io::Error::other(error.to_string()));
    let read = || async {
        let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs);
        let found = found.await.map_err(|error| failed(&error))?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            tracing::error!(
                "no certificate authorities on this machine: handlers cannot send https requests; install ca-certificates"
            );
        }
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    };
    TRUST.get_or_try_init(read).await.cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_does_not_lead_to_this_machine_or_its_link() {
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "169.254.169.254",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(is_of_this_machine_or_link(address.parse().unwrap()), "{address}");
        }
        for address in ["10.0.0.1", "192.168.1.1", "93.184.216.34", "fd00::1", "2606:2800:220:1::1"] {
            assert!(!is_of_this_machine_or_link(address.parse().unwrap()), "{address}");
        }
    }
}
