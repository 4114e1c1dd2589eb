//! TLS towards NATS: by an authority of one's own, with certificates on both sides, and never without where it was asked for.

use super::nats::Nats;
use super::{THROUGH, peer};
use crate::harness::{Host, LONG_PATIENCE, Process, Setup, tidegate, wait_up_to};
use async_nats::ConnectOptions;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Files of certificates.
struct Files(tempfile::TempDir);

impl Files {
    fn new(authority: &Authority) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        std::fs::write(files.path("ca.pem"), authority.pem()).unwrap();
        files
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// Makes `NAME.pem` and `NAME.key`, of a name that the authority has signed.
    fn make(&self, file: &str, authority: &Authority, name: &str) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
        std::fs::write(self.path(&format!("{file}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.path(&format!("{file}.key")), key.serialize_pem()).unwrap();
    }

    /// The lines of `[nats]` that name these.
    fn lines(&self, keys: &[(&str, &str)]) -> String {
        keys.iter().map(|(key, file)| format!("{key} = '{}'\n", self.path(file).display())).collect()
    }

    fn certificates(&self) -> (PathBuf, PathBuf) {
        (self.path("client.pem"), self.path("client.key"))
    }
}

/// A server with the certificate `server`, and further lines about its TLS.
fn server(files: &Files, more: &str, options: ConnectOptions) -> Option<Nats> {
    let file = |file: &str| files.path(file).display().to_string();
    let (certificate, key) = (file("server.pem"), file("server.key"));
    let more = more.replace("{ca}", &file("ca.pem"));
    let tls = format!("tls {{ cert_file: \"{certificate}\", key_file: \"{key}\" {more} }}");
    let config = format!("jetstream {{ store_dir: \"{{store}}\" }}\n{tls}\n");
    let mut nats = Nats::configured(&config, options.add_root_certificates(files.path("ca.pem")).require_tls(true))?;
    nats.run();
    Some(nats)
}

/// A host with these lines in `[nats]`, by TLS.
fn host_with(nats: &Nats, lines: &str) -> Host {
    let own = nats.config().replacen("[streams", &format!("{lines}\n[streams"), 1).replace("nats://", "tls://");
    Setup::new().config(&format!("{own}{THROUGH}")).start()
}

/// The sockets of a host, which stay: a message may be on its way to a peer that has gone.
struct Through(zmq::Socket, zmq::Socket);

impl Through {
    fn of(host: &Host) -> Self {
        let receiver = peer(host, zmq::PULL, "out");
        receiver.set_rcvtimeo(LONG_PATIENCE.as_millis() as i32).unwrap();
        Self(peer(host, zmq::PUSH, "in"), receiver)
    }

    /// Sends messages in, and gets all of them out of JetStream.
    #[track_caller]
    fn goes(&self, round: &str) {
        let mut left: BTreeSet<_> = (0..20).map(|number| format!("{round} {number}").into_bytes()).collect();
        for body in &left {
            self.0.send_multipart([b"eu", &body[..]], 0).unwrap();
        }
        while !left.is_empty() {
            left.remove(&self.1.recv_multipart(0).unwrap()[1]);
        }
    }
}

/// Waits until `/readyz` and the log say why NATS is away, with these words; the log does so once.
#[track_caller]
fn is_refused(host: &mut Host, words: &[&str]) {
    wait_up_to(LONG_PATIENCE, &format!("/readyz to say {words:?}"), || {
        let lines = host.readiness();
        let says = |line: &String| line.contains("is away") && words.iter().all(|word| line.contains(word));
        lines.into_iter().find(says)
    });
    let (code, log) = host.stop_and_tell();
    let says = |line: &&str| line.contains("is away") && words.iter().all(|word| line.contains(word));
    assert!(code == 0 && log.lines().filter(says).count() == 1, "{log}");
}

/// What the command says of the dead letters there.
fn fetch(nats: &Nats, directory: &Path, more: &[&str]) -> (Option<i32>, String) {
    let mut command = tidegate();
    let url = nats.url().replace("nats://", "tls://");
    command.args(["dead-letters", "fetch", &url, "orders", "-o", "letters"]).args(more).current_dir(directory);
    let mut process = Process::start(&mut command);
    (process.wait().code(), process.stdout() + &process.stderr())
}

#[test]
fn a_server_is_trusted_by_its_own_authority_and_without_it_the_remedy_is_named() {
    let ours = authority();
    let files = Files::new(&ours);
    files.make("server", &ours, "127.0.0.1");
    let Some(nats) = server(&files, "", ConnectOptions::new()) else { return };
    let host = host_with(&nats, &files.lines(&[("tls_ca", "ca.pem")]));
    Through::of(&host).goes("once");
    let trusted = files.path("ca.pem").display().to_string();
    let (code, said) = fetch(&nats, host.directory.path(), &["--tls-ca", &trusted]);
    assert!(code == Some(0) && said.contains("fetched 20"), "{said}");
    assert_eq!(host.stop(), 0);

    is_refused(&mut host_with(&nats, ""), &["UnknownIssuer", "set nats.tls_ca"]);
    // A server may have the host use TLS that says nothing of it.
    let mut host = Setup::new().config(&format!("{}{THROUGH}", nats.config())).start();
    is_refused(&mut host, &["UnknownIssuer", "set nats.tls_ca"]);
    std::fs::write(files.path("stranger.pem"), authority().pem()).unwrap();
    let mut host = host_with(&nats, &files.lines(&[("tls_ca", "stranger.pem")]));
    is_refused(&mut host, &["invalid peer certificate", "stranger.pem has not the authority"]);
    let directory = tempfile::tempdir().unwrap();
    let (code, said) = fetch(&nats, directory.path(), &[]);
    assert!(code == Some(1) && said.contains("set nats.tls_ca"), "{said}");
}

#[test]
fn a_certificate_of_another_name_is_not_trusted() {
    let ours = authority();
    let files = Files::new(&ours);
    files.make("server", &ours, "other.test");
    let Some(nats) = server(&files, "", ConnectOptions::new()) else { return };
    let mut host = host_with(&nats, &files.lines(&[("tls_ca", "ca.pem")]));
    is_refused(&mut host, &["not valid for name", "its certificate has another name: write nats.url"]);
}

#[test]
fn a_server_that_asks_for_a_certificate_gets_one() {
    let ours = authority();
    let files = Files::new(&ours);
    files.make("server", &ours, "127.0.0.1");
    files.make("client", &ours, "host.test");
    files.make("stranger", &authority(), "host.test");
    let (certificate, key) = files.certificates();
    let options = ConnectOptions::new().add_client_certificate(certificate, key);
    let Some(nats) = server(&files, ", ca_file: \"{ca}\", verify: true", options) else { return };
    let with = |certificate: &str, key: &str| {
        host_with(&nats, &files.lines(&[("tls_ca", "ca.pem"), ("tls_cert", certificate), ("tls_key", key)]))
    };
    let host = with("client.pem", "client.key");
    Through::of(&host).goes("once");
    assert_eq!(host.stop(), 0);
    let mut host = host_with(&nats, &files.lines(&[("tls_ca", "ca.pem")]));
    is_refused(&mut host, &["set nats.tls_cert and nats.tls_key"]);
    is_refused(&mut with("stranger.pem", "stranger.key"), &["the server does not take nats.tls_cert", "stranger.pem"]);
    is_refused(&mut with("client.pem", "stranger.key"), &["nats.tls_key is not the key of nats.tls_cert"]);
}

/// Certificates are renewed more often than hosts are started.
#[test]
fn certificates_are_read_again_once_they_are_renewed() {
    let (ours, next) = (authority(), authority());
    let files = Files::new(&ours);
    files.make("server", &ours, "127.0.0.1");
    let Some(mut nats) = server(&files, "", ConnectOptions::new()) else { return };
    let host = host_with(&nats, &files.lines(&[("tls_ca", "ca.pem")]));
    let through = Through::of(&host);
    through.goes("before");
    files.make("server", &next, "127.0.0.1");
    nats.kill();
    nats.run();
    let is_away = |line: &String| line.contains("has not the authority");
    wait_up_to(LONG_PATIENCE, "the refusal", || host.readiness().into_iter().find(is_away));
    std::fs::write(files.path("ca.pem"), next.pem()).unwrap();
    through.goes("after");
    assert_eq!(host.stop(), 0);
}

/// Whoever sits on the way, or answers in the server's place, gets neither a secret nor a message.
#[test]
fn nothing_is_said_without_tls_where_it_was_asked_for() {
    let files = Files::new(&authority());
    std::fs::write(files.path("token"), "Secret-1").unwrap();
    let (token, trusted) = (files.lines(&[("token_file", "token")]), files.lines(&[("tls_ca", "ca.pem")]));
    for (scheme, lines) in [("tls", token.clone()), ("nats", token + &trusted)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let info = b"INFO {\"server_id\":\"x\",\"version\":\"2.9.10\",\"proto\":1,\"host\":\"h\",\"port\":1,\
                             \"headers\":true,\"max_payload\":1048576,\"tls_required\":false}\r\n";
                let _ = stream.write_all(info);
                let mut said = [0; 16];
                let length = stream.read(&mut said).unwrap_or(0);
                let _ = stream.write_all(b"PONG\r\n");
                let _ = sender.send(said[..length].to_vec());
            }
        });
        let config = format!("[nats]\nurl = '{scheme}://127.0.0.1:{port}'\n{lines}{THROUGH}");
        let config = config.replacen("[sockets", "[streams.orders]\nsubjects = ['orders.>']\n[sockets", 1);
        let mut host = Setup::new().config(&config).start();
        for _ in 0..2 {
            let said = heard.recv_timeout(LONG_PATIENCE).unwrap();
            // The first byte of a handshake of TLS.
            assert_eq!(said.first(), Some(&0x16), "{:?}", String::from_utf8_lossy(&said));
        }
        is_refused(&mut host, &["the server has no TLS"]);
    }
}
