//! A registry over plain TCP whose answers can be delayed and whose tokens can be revoked.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The time after which no thread of a registry waits any more, also if its test has failed.
const WATCHDOG: Duration = Duration::from_secs(120);
/// The interval between two bytes of a component that is held back, too short for a read timeout.
const DRIP: Duration = Duration::from_millis(250);

/// A registry that has one component under every tag of every repository.
pub struct RawRegistry {
    /// `127.0.0.1:PORT`
    pub address: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    component: Vec<u8>,
    holds_back: bool,
    holds_tags: bool,
    /// The credentials that a token is issued for; none if the registry is open to all.
    login: Option<String>,
    /// How many tokens were issued, and which of them are valid.
    tokens: usize,
    valid: BTreeSet<String>,
    gives_tokens: bool,
    asked: Vec<Asked>,
}

/// One request to the registry.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: String,
    /// The value of `Authorization`.
    pub authorization: String,
    pub at: Instant,
}

impl RawRegistry {
    /// A registry without authentication. Its threads end with their connections, or with the test's process.
    pub fn start(component: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared::default());
        shared.lock().component = component.to_vec();
        let (served, own) = (Arc::clone(&shared), address.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (served, own) = (Arc::clone(&served), own.clone());
                std::thread::spawn(move || served.serve(&client, &own));
            }
        });
        Self { address, shared }
    }

    /// `oci://127.0.0.1:PORT/team/NAME:1`
    pub fn reference(&self, name: &str) -> String {
        format!("oci://{}/team/{name}:1", self.address)
    }

    /// Moves all tags to this component.
    pub fn moves_to(&self, component: &[u8]) {
        self.shared.lock().component = component.to_vec();
    }

    /// With true, the second half of a component is sent one byte at a time, until this is called with false.
    pub fn holds_back(&self, holds_back: bool) {
        self.shared.lock().holds_back = holds_back;
        self.shared.changed.notify_all();
    }

    /// With true, requests of a manifest wait, until this is called with false.
    pub fn holds_tags(&self, holds_tags: bool) {
        self.shared.lock().holds_tags = holds_tags;
        self.shared.changed.notify_all();
    }

    /// From now on the registry accepts only tokens, and issues them for these credentials: base64 of USER:PASSWORD.
    pub fn asks_for(&self, login: &str) {
        let mut state = self.shared.lock();
        (state.login, state.gives_tokens) = (Some(login.to_owned()), true);
    }

    /// Revokes all tokens, and from now on issues new ones or none.
    pub fn revokes(&self, gives_tokens: bool) {
        let mut state = self.shared.lock();
        state.valid.clear();
        state.gives_tokens = gives_tokens;
    }

    /// The requests so far whose path contains `part`.
    pub fn asked(&self, part: &str) -> Vec<Asked> {
        self.shared.lock().asked.iter().filter(|asked| asked.path.contains(part)).cloned().collect()
    }
}

impl Drop for RawRegistry {
    fn drop(&mut self) {
        self.holds_back(false);
        self.holds_tags(false);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn serve(&self, mut client: &TcpStream, address: &str) {
        client.set_read_timeout(Some(WATCHDOG)).unwrap();
        let mut lines = BufReader::new(client).lines().map_while(Result::ok);
        let Some(request) = lines.next() else { return };
        let (mut authorization, mut head) = (String::new(), request.split(' '));
        for line in lines.take_while(|line| !line.is_empty()) {
            if let Some((name, value)) = line.split_once(": ")
                && name.eq_ignore_ascii_case("authorization")
            {
                authorization = value.to_owned();
            }
        }
        let (method, path) = (head.next().unwrap_or_default(), head.next().unwrap_or_default().to_owned());
        self.lock().asked.push(Asked { path: path.clone(), authorization: authorization.clone(), at: Instant::now() });
        if path.contains("/manifests/") {
            let held = self.changed.wait_timeout_while(self.lock(), WATCHDOG, |state| state.holds_tags);
            drop(held.unwrap());
        }
        let (status, headers, body) = self.answer(&path, &authorization, address);
        let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
        let _ = client.write_all(head.as_bytes());
        if method != "HEAD" {
            let sent = if path.contains("/blobs/") { self.drip(client, &body) } else { 0 };
            let _ = client.write_all(&body[sent..]);
        }
        let _ = client.shutdown(Shutdown::Both);
    }

    /// Sends one half, then byte by byte while components are held back. Returns how many bytes were sent.
    fn drip(&self, mut client: &TcpStream, body: &[u8]) -> usize {
        let (began, mut sent) = (Instant::now(), body.len() / 2);
        let _ = client.write_all(&body[..sent]);
        while began.elapsed() < WATCHDOG && sent < body.len() {
            let (state, _) = self.changed.wait_timeout_while(self.lock(), DRIP, |state| state.holds_back).unwrap();
            if !state.holds_back || client.write_all(&body[sent..=sent]).is_err() {
                break;
            }
            sent += 1;
        }
        sent
    }

    fn answer(&self, path: &str, authorization: &str, address: &str) -> (&'static str, String, Vec<u8>) {
        let mut state = self.lock();
        if path.starts_with("/token") {
            let known = state.login.as_ref().is_some_and(|login| authorization == format!("Basic {login}"));
            if !known || !state.gives_tokens {
                // It says back what it was shown.
                let message = format!("who are you, {authorization}");
                let refused = json!({"errors": [{"code": "UNAUTHORIZED", "message": message}]});
                return ("401 Unauthorized", String::new(), refused.to_string().into());
            }
            state.tokens += 1;
            let token = format!("token-{}", state.tokens);
            state.valid.insert(format!("Bearer {token}"));
            return ("200 OK", String::new(), json!({"token": token}).to_string().into());
        }
        if state.login.is_some() && !state.valid.contains(authorization) {
            let challenge = format!("www-authenticate: Bearer realm=\"http://{address}/token\",service=\"test\"\r\n");
            return ("401 Unauthorized", challenge, Vec::new());
        }
        let component = format!("sha256:{}", tidegate::plugin::digest(&state.component));
        if path.contains("/blobs/") {
            return ("200 OK", String::new(), state.component.clone());
        }
        if !path.contains("/manifests/") {
            return ("200 OK", String::new(), Vec::new());
        }
        let descriptor = |media_type: &str, digest: &str, size: usize| -> Value {
            json!({"mediaType": media_type, "digest": digest, "size": size})
        };
        let manifest_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": manifest_type,
            "config": descriptor("application/vnd.wasm.config.v0+json", &component, 2),
            "layers": [descriptor("application/wasm", &component, state.component.len())],
        });
        let body = manifest.to_string().into_bytes();
        let digest = tidegate::plugin::digest(&body);
        let headers = format!("content-type: {manifest_type}\r\ndocker-content-digest: sha256:{digest}\r\n");
        ("200 OK", headers, body)
    }
}
