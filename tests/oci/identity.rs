//! Identity tokens: a real registry that takes the tokens of a token server alone, which gives them for an identity token.

use super::registry::Registry;
use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;
use rcgen::{CertifiedKey, KeyPair, SigningKey, generate_simple_self_signed};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the docker configuration keeps; its letters need care in a form.
const IDENTITY: &str = "identity+&=/ü";
/// The registry takes a token for so long after its end.
const LEEWAY_S: u64 = 60;

/// Gives access tokens, signed by a key that the registry is given.
struct TokenServer {
    address: String,
    shared: Arc<Shared>,
}

struct Shared {
    key: CertifiedKey<KeyPair>,
    /// The requests that were made.
    asked: Mutex<Vec<BTreeMap<String, String>>>,
    /// How much longer the registry takes a token.
    lasts_s: u64,
    /// How it answers everybody, if not as it should.
    refusal: Mutex<Option<&'static str>>,
}

impl TokenServer {
    /// Its threads end with their connections, or with the test's process.
    fn start(lasts_s: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let key = generate_simple_self_signed(vec!["tokens".to_owned()]).unwrap();
        let shared = Arc::new(Shared { key, asked: Mutex::default(), lasts_s, refusal: Mutex::default() });
        let served = Arc::clone(&shared);
        std::thread::spawn(move || listener.incoming().flatten().for_each(|client| drop(served.serve(&client))));
        Self { address, shared }
    }

    /// A registry that takes its tokens.
    fn registry(&self) -> Option<Registry> {
        Registry::start_with(|directory| {
            std::fs::write(directory.join("tokens.pem"), self.shared.key.cert.pem()).unwrap();
            format!(
                "auth:\n  token:\n    realm: http://{}/token\n    service: the registry\n    issuer: us\n    \
                 rootcertbundle: {}/tokens.pem\n",
                self.address,
                directory.display()
            )
        })
    }

    fn asked(&self) -> Vec<BTreeMap<String, String>> {
        self.shared.asked.lock().unwrap().clone()
    }

    fn refuses(&self, answer: Option<&'static str>) {
        *self.shared.refusal.lock().unwrap() = answer;
    }
}

impl Shared {
    fn serve(&self, mut client: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(client);
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
        for line in head.to_lowercase().lines() {
            length = line.strip_prefix("content-length: ").map_or(length, |length| length.parse().unwrap());
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8(body).unwrap();
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
        let fields = body.split('&').filter_map(|field| field.split_once('='));
        let fields: BTreeMap<_, _> = fields.map(|(name, value)| (decoded(name), decoded(value))).collect();
        self.asked.lock().unwrap().push(fields.clone());
        let field = |name: &str| fields.get(name).map_or("", String::as_str);
        let is_right = head.starts_with("POST /token ")
            && (field("grant_type"), field("refresh_token")) == ("refresh_token", IDENTITY)
            && field("service") == "the registry";
        let (status, answer) = match *self.refusal.lock().unwrap() {
            Some(status) => (status, json!({"error": "invalid_grant"})),
            // It says back what it was shown.
            None if !is_right => ("401 Unauthorized", json!({"details": format!("who are you, {fields:?} {body}")})),
            None => ("200 OK", json!({"access_token": self.token(field("scope")), "expires_in": 300})),
        };
        let answer = answer.to_string();
        write!(client, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{answer}", answer.len())
    }

    /// A token for a scope.
    fn token(&self, scope: &str) -> String {
        let [_, name, actions] = scope.splitn(3, ':').collect::<Vec<_>>()[..] else { panic!("{scope}") };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let access = json!([{"type": "repository", "name": name, "actions": actions.split(',').collect::<Vec<_>>()}]);
        let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(self.key.cert.der())]});
        let claims = json!({
            "iss": "us", "sub": "me", "aud": "the registry", "jti": now.to_string(), "iat": now - 300, "nbf": now - 300,
            "exp": now - LEEWAY_S + self.lasts_s, "access": access,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.key.signing_key.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(raw(&signature)))
    }
}

/// The two numbers of a signature in DER, each of 32 bytes.
fn raw(der: &[u8]) -> Vec<u8> {
    let (mut numbers, mut rest) = (Vec::new(), &der[2..]);
    while let [2, length, after @ ..] = rest {
        let (number, next) = after.split_at(usize::from(*length));
        let number = &number[number.len().saturating_sub(32)..];
        numbers.extend(std::iter::repeat_n(0, 32 - number.len()).chain(number.iter().copied()));
        rest = next;
    }
    numbers
}

/// A docker configuration with an identity token for this registry.
fn configuration(directory: &Path, address: &str, identity: &str) -> String {
    // As `docker login` writes it.
    let auth = STANDARD.encode("00000000-0000-0000-0000-000000000000:");
    let config = json!({"auths": {(address): {"auth": auth, "identitytoken": identity}}});
    std::fs::write(directory.join("config.json"), config.to_string()).unwrap();
    directory.display().to_string()
}

#[test]
fn an_identity_token_gets_what_it_has_a_right_to_again_and_again() {
    let tokens = TokenServer::start(3);
    let Some(registry) = tokens.registry() else { return };
    let directory = tempfile::tempdir().unwrap();
    let docker = configuration(directory.path(), &registry.address, IDENTITY);
    let (reference, downcase) = (registry.reference("1"), component("downcase").display().to_string());
    let environment = [("DOCKER_CONFIG", docker.as_str())];
    let (code, pinned, stderr) = plugin(&["push", &downcase, &reference], &environment);
    assert_eq!(code, 0, "{stderr}");
    let asked = tokens.asked();
    assert_eq!((asked.len(), asked[0]["scope"].as_str()), (1, "repository:team/x:pull,push"), "{asked:?}");
    assert_eq!(asked[0]["client_id"], "tidegate");
    let (_, file) = path(directory.path(), "pulled.wasm");
    let (code, shown, stderr) = plugin(&["pull", &reference, "-o", &file], &environment);
    assert_eq!((code, shown), (0, pinned), "{stderr}");
    assert_eq!(tokens.asked()[1]["scope"], "repository:team/x:pull");

    // A host asks anew once a token has ended, and not before.
    let host = host_of(&reference).env("DOCKER_CONFIG", &docker).start();
    let before = tokens.asked().len();
    wait_up_to(LONG_PATIENCE, "three more tokens", || (tokens.asked().len() >= before + 3).then_some(()));
    assert!(!host.process.stderr().contains("denies access"), "{}", host.process.stderr());
    assert_eq!(answer(&host).text(), DOWN);
    tokens.refuses(Some("503 Service Unavailable"));
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["its token server answers 503", "try again later"]);
    tokens.refuses(Some("400 Bad Request"));
    let file = directory.path().join("config.json").display().to_string();
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["denies access to team/x", "no longer", &file, "docker login"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_helper_gives_identity_tokens_too_and_wrong_ones_are_told() {
    let tokens = TokenServer::start(300);
    let Some(registry) = tokens.registry() else { return };
    let directory = tempfile::tempdir().unwrap();
    let (reference, downcase) = (registry.reference("1"), component("downcase").display().to_string());
    let docker = configuration(directory.path(), &registry.address, "wr0ng+");
    let words = ["denies access to team/x", "401 Unauthorized", "who are you", "docker login"];
    let stderr = refused(&["push", &downcase, &reference], &[("DOCKER_CONFIG", &docker)], &words);
    assert!(!stderr.contains("wr0ng"), "{stderr}");

    let helper = directory.path().join("docker-credential-identity");
    let secret = json!({"Username": "<token>", "Secret": IDENTITY});
    write_program(&helper, &format!("#!/bin/sh\necho '{secret}'\n"));
    std::fs::write(directory.path().join("config.json"), r#"{"credsStore": "identity"}"#).unwrap();
    let search = format!("{docker}:{}", std::env::var("PATH").unwrap());
    let environment = [("DOCKER_CONFIG", docker.as_str()), ("PATH", search.as_str())];
    let (code, _, stderr) = plugin(&["push", &downcase, &reference], &environment);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(tokens.asked().last().unwrap()["refresh_token"], IDENTITY);
    // A helper that cannot be run is named, whatever the words of the token server: these are none that deny.
    std::fs::set_permissions(&helper, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let words =
        ["gives no token for team/x", "who are you", "could not be used", "docker-credential-identity", "docker login"];
    refused(&["push", &downcase, &reference], &environment, &words);
}
