//! HTTPS: both protocol versions, the certificate and its replacement, and slow clients.

mod certificates;
mod connections;
mod requests;

use crate::harness::{Host, LONG_PATIENCE, Setup};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring};

const REQUEST: &[u8] = b"GET /downcase/?param=A HTTP/1.1\r\nhost: localhost\r\n\r\n";

pub fn pair() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap()
}

/// Writes a certificate and its key to the files that [`setup`] configures, and returns the certificate.
pub fn write(directory: &Path, pair: &CertifiedKey<KeyPair>) -> String {
    let key = directory.join("key.pem");
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(directory.join("cert.pem"), pair.cert.pem()).unwrap();
    pair.cert.pem()
}

pub fn setup(http: &str) -> Setup {
    let config = format!("[http]\ntls_cert = 'cert.pem'\ntls_key = 'key.pem'\n{http}");
    Setup::new().committed("downcase").env("TIDEGATE_LOG", "debug").config(&config)
}

fn host(http: &str) -> (Host, String) {
    let setup = setup(http);
    let certificate = write(setup.path(), &pair());
    (setup.start(), certificate)
}

fn address(host: &Host) -> &str {
    host.surface("http").strip_prefix("https://").expect("the host says that it is HTTPS")
}

fn client(trusted: &str, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

pub type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A connection with HTTP/1.1, since its client offers no protocol by ALPN.
pub fn connect(host: &Host, trusted: &str) -> Stream {
    let tcp = TcpStream::connect(address(host)).unwrap();
    tcp.set_read_timeout(Some(LONG_PATIENCE)).unwrap();
    let connection = ClientConnection::new(client(trusted, &[]), "localhost".try_into().unwrap()).unwrap();
    StreamOwned::new(connection, tcp)
}

/// Sends a request, and returns the answer up to the end of its body.
pub fn ask(stream: &mut Stream) -> std::io::Result<String> {
    stream.write_all(REQUEST)?;
    let mut all = Vec::new();
    while !all.ends_with(b"lower case of A is a") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        all.push(byte[0]);
    }
    Ok(String::from_utf8(all).unwrap())
}

/// Runs `talk` with an HTTP/2 client that `builder` configures.
pub fn http2<T>(
    host: &Host,
    trusted: &str,
    builder: &h2::client::Builder,
    talk: impl AsyncFnOnce(h2::client::SendRequest<bytes::Bytes>) -> T,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let tcp = tokio::net::TcpStream::connect(address(host)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(client(trusted, &[b"h2", b"http/1.1"])).connect(name, tcp).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
        let (requests, connection) = builder.handshake(stream).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        talk(requests).await
    })
}

pub fn get(path: &str) -> warp::http::Request<()> {
    warp::http::Request::get(format!("https://localhost{path}")).body(()).unwrap()
}
