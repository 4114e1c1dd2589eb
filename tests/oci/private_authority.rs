//! A registry behind TLS whose certificate an authority of one's own has signed.

use super::registry::Registry;
use super::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

/// The name in the certificate: what is called as this machine is asked without TLS.
const NAME: &str = "registry.test";

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A registry with a certificate of this name that the authority has signed, and with further lines.
fn registry_of(authority: &Authority, name: &str, more: &str) -> Option<Registry> {
    Registry::start_with(|directory| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
        std::fs::write(directory.join("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(directory.join("key.pem"), key.serialize_pem()).unwrap();
        let directory = directory.display();
        format!("  tls:\n    certificate: {directory}/cert.pem\n    key: {directory}/key.pem\n{more}")
    })
}

/// A proxy that leads every CONNECT to this address. Its threads end with their connections, or with the test's process.
fn proxy_to(address: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = format!("http://{}", listener.local_addr().unwrap());
    let address = address.to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let address = address.clone();
            std::thread::spawn(move || tunnel(client, &address));
        }
    });
    own
}

fn tunnel(client: TcpStream, address: &str) -> Option<()> {
    let mut requests = BufReader::new(client.try_clone().ok()?);
    let mut line = String::new();
    requests.read_line(&mut line).ok()?;
    assert!(line.starts_with("CONNECT "), "{line}");
    while line.trim() != "" {
        line.clear();
        requests.read_line(&mut line).ok()?;
    }
    let server = TcpStream::connect(address).ok()?;
    (&client).write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    let (mut answers, mut towards) = (server.try_clone().ok()?, client);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut towards);
        let _ = towards.shutdown(Shutdown::Both);
    });
    let _ = std::io::copy(&mut requests.by_ref(), &mut &server);
    let _ = server.shutdown(Shutdown::Write);
    Some(())
}

#[test]
fn a_registry_is_trusted_by_its_own_authority_and_without_it_the_remedy_is_named() {
    let ours = authority();
    let Some(registry) = registry_of(&ours, NAME, "") else { return };
    let proxy = proxy_to(&registry.address);
    let environment = [("HTTPS_PROXY", proxy.as_str()), ("https_proxy", proxy.as_str())];
    let directory = tempfile::tempdir().unwrap();
    let (file, trusted) = path(directory.path(), "authority.pem");
    // A file may hold several; this one has a stranger's first.
    std::fs::write(&file, authority().pem() + &ours.pem()).unwrap();
    let (reference, downcase) = (format!("oci://{NAME}/team/x:1"), component("downcase").display().to_string());

    let words = ["does not answer", "UnknownIssuer", "oci.ca_certificates", "--ca-certificates"];
    refused(&["push", &downcase, &reference], &environment, &words);
    let (code, pinned, stderr) = plugin(&["push", &downcase, &reference, "--ca-certificates", &trusted], &environment);
    assert_eq!(code, 0, "{stderr}");
    let (pulled, text) = path(directory.path(), "pulled.wasm");
    let pull = ["pull", &reference, "-o", &text, "--ca-certificates", &trusted];
    let (code, shown, stderr) = plugin(&pull, &environment);
    assert_eq!((code, shown), (0, pinned), "{stderr}");
    assert_eq!(std::fs::read(pulled).unwrap(), bytes("downcase"));

    let of = |config: &str| {
        let setup = environment.iter().fold(host_of(&reference), |setup, (name, value)| setup.env(name, value));
        setup.config(config)
    };
    let host = of(&format!("ca_certificates = '{trusted}'")).start();
    assert_eq!(answer(&host).text(), DOWN);
    assert_eq!(host.stop(), 0);
    let (nothing, no_pem) = path(directory.path(), "no.pem");
    std::fs::write(nothing, "nothing").unwrap();
    for (config, words) in [
        (String::new(), "oci.ca_certificates"),
        ("ca_certificates = '/nowhere.pem'".to_owned(), "oci.ca_certificates /nowhere.pem: No such file"),
        (format!("ca_certificates = '{no_pem}'"), "it holds no certificate in PEM form"),
    ] {
        let output = of(&config).command().output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && stderr.contains(words), "{words}: {stderr}");
    }
}

#[test]
fn a_certificate_of_another_name_or_a_token_server_without_tls_is_not_trusted() {
    let ours = authority();
    let directory = tempfile::tempdir().unwrap();
    let (file, trusted) = path(directory.path(), "authority.pem");
    std::fs::write(&file, ours.pem()).unwrap();
    let downcase = component("downcase").display().to_string();
    let push = ["push", &downcase, "registry.test/team/x:1", "--ca-certificates", &trusted];
    let Some(registry) = registry_of(&ours, "other.test", "") else { return };
    let proxy = proxy_to(&registry.address);
    refused(&push, &[("HTTPS_PROXY", &proxy)], &["invalid peer certificate", "check its name, its certificate"]);

    // Whoever listens on the way there would have the identity token.
    let config = json!({"auths": {(NAME): {"auth": "MDo=", "identitytoken": "secret"}}});
    std::fs::write(directory.path().join("config.json"), config.to_string()).unwrap();
    let auth = format!(
        "auth:\n  token:\n    realm: http://127.0.0.1:1/token\n    service: s\n    issuer: i\n    rootcertbundle: {trusted}\n"
    );
    let registry = registry_of(&ours, NAME, &auth).unwrap();
    let proxy = proxy_to(&registry.address);
    let environment = [("HTTPS_PROXY", proxy.as_str()), ("DOCKER_CONFIG", directory.path().to_str().unwrap())];
    refused(&push, &environment, &["http://127.0.0.1:1/token is without TLS", "not shown the identity token"]);
}
