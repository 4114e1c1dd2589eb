//! Outbound requests of a handler: none, unless the configuration allows the host by name.

use super::setup;
use crate::harness::Host;
use rcgen::generate_simple_self_signed;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring};

/// Starts a server that answers one request per connection. Returns its port.
fn serve(tls: Option<Arc<ServerConfig>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            // A client that does not trust the certificate closes the connection, and reports that itself.
            let _ = match &tls {
                Some(tls) => answer(StreamOwned::new(ServerConnection::new(Arc::clone(tls)).unwrap(), stream)),
                None => answer(stream),
            };
        }
    });
    port
}

fn answer(mut stream: impl Read + Write) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap().to_lowercase();
    let line = request.lines().next().unwrap();
    let host = request.lines().find(|line| line.starts_with("host:")).unwrap();
    let body = format!("{line} {host}");
    write!(stream, "HTTP/1.1 203 Well\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())?;
    stream.flush()
}

#[track_caller]
fn fetch(host: &Host, url: &str) -> String {
    let answer = host.get(&format!("/h/fetch?{url}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text().to_owned()
}

#[test]
fn nothing_is_granted_by_default() {
    let port = serve(None);
    let host = setup().start();
    for url in [format!("http://localhost:{port}/"), format!("http://127.0.0.1:{port}/"), "https://example.com/".into()]
    {
        assert_eq!(fetch(&host, &url), "error ErrorCode::HttpRequestDenied", "{url}");
    }
    assert_eq!(host.status("h")["denied"]["outbound"], 3);
    host.process.wait_for_line(&["plugin=\"h\"", "example.com:443", "outbound of [plugins.h] does not grant it"]);
    // The handler handles the errors itself, so its calls succeed.
    assert_eq!(super::handler_hop(&host)["out"], 3);
}

#[test]
fn a_host_that_is_granted_is_reached_and_no_other() {
    let (port, other) = (serve(None), serve(None));
    let host = setup().config(&format!("[plugins.h]\noutbound = ['localhost:{port}']")).start();
    let answer = fetch(&host, &format!("http://localhost:{port}/a?b=c"));
    assert_eq!(answer, format!("203 get /a?b=c http/1.1 host: localhost:{port}"));
    for authority in [format!("127.0.0.1:{port}"), format!("localhost:{other}"), "localhost".to_owned()] {
        assert_eq!(fetch(&host, &format!("http://{authority}/")), "error ErrorCode::HttpRequestDenied", "{authority}");
    }
    assert_eq!(fetch(&host, &format!("http://x@localhost:{port}/")), "error ErrorCode::HttpRequestUriInvalid");
    assert_eq!(host.status("h")["denied"]["outbound"], 3);
}

#[test]
fn a_host_that_is_not_there_is_an_error_of_the_handlers() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let host = setup().config(&format!("[plugins.h]\noutbound = ['127.0.0.1:{gone}', 'no-such-host.invalid']")).start();
    assert_eq!(fetch(&host, &format!("http://127.0.0.1:{gone}/")), "error ErrorCode::ConnectionRefused");
    assert!(fetch(&host, "http://no-such-host.invalid/").starts_with("error ErrorCode::DnsError"));
    // wasmtime-wasi-http's own log line per request is suppressed.
    assert!(!host.process.stderr().contains("connect error"), "{}", host.process.stderr());
}

#[test]
fn a_host_that_never_answers_costs_one_call() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = format!("[plugins.h]\noutbound = ['127.0.0.1:{port}']\n[plugins.h.limits]\ncall_deadline_ms = 300");
    let host = setup().config(&config).start();
    assert_eq!(host.get(&format!("/h/fetch?http://127.0.0.1:{port}/")).status, 504);
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = Vec::new();
    // The outbound connection is closed when the call ends.
    stream.read_to_end(&mut request).unwrap();
    assert!(request.starts_with(b"GET / HTTP/1.1"));
}

#[test]
fn https_goes_to_whom_this_machine_trusts() {
    let pair = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(pair.signing_key.serialize_der()).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![pair.cert.der().clone()], key)
        .unwrap();
    let port = serve(Some(Arc::new(tls)));
    let grant = format!("[plugins.h]\noutbound = ['localhost:{port}']\n[limits]\ncall_deadline_ms = 20000");
    let trusting = setup().config(&grant).env("SSL_CERT_FILE", "authority.pem");
    std::fs::write(trusting.path().join("authority.pem"), pair.cert.pem()).unwrap();
    let host = trusting.start();
    let answer = fetch(&host, &format!("https://localhost:{port}/"));
    assert_eq!(answer, format!("203 get / http/1.1 host: localhost:{port}"));
    let host = setup().config(&grant).start();
    assert_eq!(fetch(&host, &format!("https://localhost:{port}/")), "error ErrorCode::TlsProtocolError");
}
