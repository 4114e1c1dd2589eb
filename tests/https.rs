//! HTTPS: the protocols, the certificate and its change, and clients that take their time over either.

use crate::fixtures;
use crate::harness::{Host, LONG_PATIENCE, Setup, wait_for};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring};

const REQUEST: &[u8] = b"GET /downcase/?param=A HTTP/1.1\r\nhost: localhost\r\n\r\n";

fn pair() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap()
}

/// Writes a pair where [`setup`] says that it is, and gives the certificate.
fn write(directory: &Path, pair: &CertifiedKey<KeyPair>) -> String {
    let key = directory.join("key.pem");
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(directory.join("cert.pem"), pair.cert.pem()).unwrap();
    pair.cert.pem()
}

fn setup(http: &str) -> Setup {
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

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A connection that speaks HTTP/1.1, since its client names no protocol.
fn connect(host: &Host, trusted: &str) -> Stream {
    let tcp = TcpStream::connect(address(host)).unwrap();
    tcp.set_read_timeout(Some(LONG_PATIENCE)).unwrap();
    let connection = ClientConnection::new(client(trusted, &[]), "localhost".try_into().unwrap()).unwrap();
    StreamOwned::new(connection, tcp)
}

/// Asks once, and gives the answer up to the end of its body.
fn ask(stream: &mut Stream) -> std::io::Result<String> {
    stream.write_all(REQUEST)?;
    let mut all = Vec::new();
    while !all.ends_with(b"lower case of A is a") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        all.push(byte[0]);
    }
    Ok(String::from_utf8(all).unwrap())
}

/// Runs an HTTP/2 client of its own making.
fn http2<T>(
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

fn get(path: &str) -> warp::http::Request<()> {
    warp::http::Request::get(format!("https://localhost{path}")).body(()).unwrap()
}

#[test]
fn both_protocols_are_served() {
    let (host, certificate) = host("");
    let mut stream = connect(&host, &certificate);
    for _ in 0..2 {
        let answer = ask(&mut stream).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("tidegate-request: "), "{answer}");
    }
    let body = http2(&host, &certificate, &h2::client::Builder::new(), async |requests| {
        // Several at once, on the one connection.
        let mut requests = requests.ready().await.unwrap();
        let answers: Vec<_> =
            (0..3).map(|_| requests.send_request(get("/downcase/?param=A"), true).unwrap().0).collect();
        let mut bodies = String::new();
        for answer in answers {
            let answer = answer.await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.headers().contains_key("tidegate-request")), (200, true));
            bodies += std::str::from_utf8(&answer.into_body().data().await.unwrap().unwrap()).unwrap();
        }
        bodies
    });
    assert_eq!(body, "lower case of A is a".repeat(3));
    // Nobody is served in the clear.
    let mut plain = TcpStream::connect(address(&host)).unwrap();
    plain.set_read_timeout(Some(LONG_PATIENCE)).unwrap();
    plain.write_all(REQUEST).unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"));
    host.process.wait_for_log("TLS handshake failed");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_new_certificate_is_put_in_force_and_a_bad_one_is_not() {
    let (host, old) = host("");
    let directory = host.directory.path().to_owned();
    let mut before = connect(&host, &old);
    ask(&mut before).unwrap();

    std::fs::write(directory.join("key.pem"), pair().signing_key.serialize_pem()).unwrap();
    host.process.wait_for_line(&["ERROR", "it is not the key of the certificate", "stays in force"]);
    ask(&mut connect(&host, &old)).unwrap();

    let new = write(&directory, &pair());
    wait_for("the new certificate", || ask(&mut connect(&host, &new)).ok());
    host.process.wait_for_line(&["INFO", "the new one is in force"]);
    assert!(ask(&mut connect(&host, &old)).is_err());
    // A connection keeps what it began with.
    ask(&mut before).unwrap();

    std::fs::remove_file(directory.join("cert.pem")).unwrap();
    host.process.wait_for_line(&["ERROR", "reading the certificate", "stays in force"]);
    ask(&mut connect(&host, &new)).unwrap();
    assert_eq!(host.stop(), 0);
}

#[track_caller]
fn assert_refused(setup: Setup, code: i32, words: &[&str]) {
    let output = setup.command().output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{error}");
    for word in words {
        assert!(error.contains(word), "{word:?} is not in {error}");
    }
}

#[test]
fn what_is_wrong_with_the_files_is_said() {
    assert_refused(setup(""), 1, &["reading the certificate cert.pem", "No such file"]);

    let wrong_key = setup("");
    write(wrong_key.path(), &pair());
    std::fs::write(wrong_key.path().join("key.pem"), pair().signing_key.serialize_pem()).unwrap();
    assert_refused(wrong_key, 1, &["private key key.pem", "it is not the key of the certificate cert.pem"]);

    let encrypted = setup("");
    write(encrypted.path(), &pair());
    let section = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    std::fs::write(encrypted.path().join("key.pem"), section).unwrap();
    assert_refused(encrypted, 1, &["private key key.pem", "it is encrypted", "openssl pkey"]);

    for (file, words) in [("cert.pem", ["certificate cert.pem", "PEM"]), ("key.pem", ["private key key.pem", "PEM"])] {
        let no_pem = setup("");
        write(no_pem.path(), &pair());
        std::fs::write(no_pem.path().join(file), b"\x30\x00").unwrap();
        assert_refused(no_pem, 1, &words);
    }

    for (set, missing) in [("tls_cert", "http.tls_key"), ("tls_key", "http.tls_cert")] {
        let one = Setup::new().committed("downcase").config(&format!("[http]\n{set} = 'x.pem'"));
        assert_refused(one, 2, &[&format!("http.{set} is set without {missing}")]);
    }
}

#[test]
fn a_key_that_everybody_reads_is_warned_of() {
    let setup = setup("");
    write(setup.path(), &pair());
    std::fs::set_permissions(setup.path().join("key.pem"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let host = setup.start();
    host.process.wait_for_line(&["WARN", "private key key.pem", "chmod 600"]);
}

#[test]
fn a_handshake_has_to_come_in_time() {
    let (host, certificate) = host("handshake_timeout_ms = 300");
    let mut silent = TcpStream::connect(address(&host)).unwrap();
    silent.set_read_timeout(Some(LONG_PATIENCE)).unwrap();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    host.process.wait_for_line(&["connection cut off", "handshake-timeout"]);
    ask(&mut connect(&host, &certificate)).unwrap();
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_idle_connection_is_ended() {
    let (host, certificate) = host("idle_timeout_ms = 400\nhead_timeout_ms = 400");
    let mut stream = connect(&host, &certificate);
    ask(&mut stream).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    http2(&host, &certificate, &h2::client::Builder::new(), async |requests| {
        let mut requests = requests.ready().await.unwrap();
        let answer = requests.send_request(get("/downcase/?param=A"), true).unwrap().0.await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        drop(answer);
        // GOAWAY without an error: the client is free to come back.
        let ended = tokio::time::timeout(LONG_PATIENCE, async {
            while let Ok(ready) = requests.ready().await {
                requests = ready;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        ended.await.expect("the connection ends");
    });
    wait_for("both lines", || (host.process.stderr().matches("idle-timeout").count() == 2).then_some(()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_answer_has_to_be_taken_on_http_2_too() {
    let setup = setup("answer_timeout_ms = 500\nhead_timeout_ms = 60000").plugin("echo", &fixtures::echoing(4 << 20));
    let certificate = write(setup.path(), &pair());
    let host = setup.start();
    // A client that never opens its window reads everything that comes, and takes nothing of the answer.
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(0);
    http2(&host, &certificate, &builder, async |requests| {
        let mut requests = requests.ready().await.unwrap();
        let post = warp::http::Request::post("https://localhost/echo/").body(()).unwrap();
        let (answer, mut body) = requests.send_request(post, false).unwrap();
        body.send_data(vec![b'x'; 512 << 10].into(), true).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        let ended = tokio::time::timeout(LONG_PATIENCE, answer.into_body().data()).await.expect("the connection ends");
        assert!(ended.is_none_or(|data| data.is_err()));
    });
    host.process.wait_for_line(&["connection cut off", "answer-timeout"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_request_that_is_given_up_on_http_2_is_counted() {
    let setup =
        setup("").plugin("wait", &fixtures::waiting()).config("[plugins.wait.limits]\ncall_deadline_ms = 60000");
    let certificate = write(setup.path(), &pair());
    let host = setup.start();
    let in_flight = || host.status("wait")["calls_in_flight"].as_u64().unwrap();
    http2(&host, &certificate, &h2::client::Builder::new(), async |requests| {
        let mut requests = requests.ready().await.unwrap();
        // A stream that is reset, then one whose connection is gone.
        for reset in [true, false] {
            let mut answer = requests.send_request(get("/wait/?param=x"), true).unwrap().0;
            while in_flight() == 0 {
                let _ = tokio::time::timeout(Duration::from_millis(5), &mut answer).await;
            }
            if reset {
                drop(answer);
                while in_flight() == 1 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
    });
    wait_for("the end of the call", || (in_flight() == 0).then_some(()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn who_shuts_its_side_down_is_answered_with_or_without_a_farewell() {
    let setup = setup("").plugin("wait", &fixtures::waiting()).config("[plugins.wait.limits]\ncall_deadline_ms = 300");
    let certificate = write(setup.path(), &pair());
    let host = setup.start();
    for (path, status) in [("/downcase/?param=A", 200), ("/wait/?param=x", 504)] {
        for farewell in [true, false] {
            let mut stream = connect(&host, &certificate);
            write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
            stream.flush().unwrap();
            if farewell {
                stream.conn.send_close_notify();
                while stream.conn.wants_write() {
                    stream.conn.write_tls(&mut stream.sock).unwrap();
                }
            }
            stream.sock.shutdown(Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            let answer = String::from_utf8(answer).unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}, {farewell}: {answer}");
        }
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_answer_before_the_body_is_read_on_both_protocols() {
    let (host, certificate) = host("headers_max = 50");
    let body = vec![b'x'; 900_000];
    let mut stream = connect(&host, &certificate);
    write!(stream, "POST /nowhere/ HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len()).unwrap();
    stream.write_all(&body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 404"), "{}", String::from_utf8_lossy(&answer));

    http2(&host, &certificate, &h2::client::Builder::new(), async |requests| {
        let mut requests = requests.ready().await.unwrap();
        for _ in 0..3 {
            let post = warp::http::Request::post("https://localhost/nowhere/").body(()).unwrap();
            let (answer, mut sending) = requests.send_request(post, false).unwrap();
            let _ = sending.send_data(body.clone().into(), true);
            assert_eq!(answer.await.unwrap().status().as_u16(), 404);
        }
        // Heads have the same bounds, and no two names for one host.
        let mut many = get("/");
        (0..51).for_each(|_| _ = many.headers_mut().append("x", "y".parse().unwrap()));
        let mut other = get("/");
        other.headers_mut().insert("host", "example.org".parse().unwrap());
        for (request, status) in [(many, 431), (other, 400), (get("/"), 200)] {
            let answer = requests.send_request(request, true).unwrap().0.await.unwrap();
            assert_eq!(answer.status().as_u16(), status);
        }
    });
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_has_no_request_does_not_hold_up_the_end() {
    let (host, certificate) = host("");
    let half = TcpStream::connect(address(&host)).unwrap();
    let mut idle = connect(&host, &certificate);
    ask(&mut idle).unwrap();
    let mut unfinished = connect(&host, &certificate);
    unfinished.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    unfinished.flush().unwrap();
    let started = http2(&host, &certificate, &h2::client::Builder::new(), async |requests| {
        let mut requests = requests.ready().await.unwrap();
        assert_eq!(requests.send_request(get("/"), true).unwrap().0.await.unwrap().status().as_u16(), 200);
        let started = Instant::now();
        // From here on this client says nothing, not even that it is still there.
        host.process.signal("TERM");
        started
    });
    let mut host = host;
    assert_eq!(host.wait(), 0);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    drop((half, idle, unfinished));
}
