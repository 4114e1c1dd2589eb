//! What `nsc` makes, made by the test: an operator, an account with JetStream, and users with their credentials.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// An operator, and the account of the users.
pub struct Trust {
    operator: KeyPair,
    system: KeyPair,
    account: KeyPair,
}

/// A user of the account: the public key, and the text of the credentials file.
pub struct User {
    pub name: String,
    pub credentials: String,
}

/// Seconds since 1970, as tokens count.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A token that says this of somebody, signed by whom it is of.
fn token(of: &KeyPair, about: &KeyPair, expires: Option<u64>, nats: Value) -> String {
    let mut claims = json!({
        "jti": about.public_key(), "iat": 1_600_000_000, "iss": of.public_key(), "name": "test",
        "sub": about.public_key(), "nats": nats,
    });
    if let Some(expires) = expires {
        claims["exp"] = expires.into();
    }
    let encoded =
        [json!({"typ": "JWT", "alg": "ed25519-nkey"}), claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signed = encoded.join(".");
    let signature = URL_SAFE_NO_PAD.encode(of.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

impl Trust {
    pub fn new() -> Self {
        Self { operator: KeyPair::new_operator(), system: KeyPair::new_account(), account: KeyPair::new_account() }
    }

    /// A user whose token is good until then; for ever without a time.
    pub fn user(&self, expires: Option<u64>) -> User {
        self.user_who_may(expires, json!({}))
    }

    /// As [`Trust::user`], with these permissions to publish.
    pub fn user_who_may(&self, expires: Option<u64>, publish: Value) -> User {
        let user = KeyPair::new_user();
        let nats =
            json!({"type": "user", "version": 2, "pub": publish, "sub": {}, "subs": -1, "data": -1, "payload": -1});
        let (jwt, seed) = (token(&self.account, &user, expires, nats), user.seed().unwrap());
        let credentials = format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             ************************* IMPORTANT *************************\n\
             NKEY Seed printed below can be used to sign and prove identity.\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        User { name: user.public_key(), credentials }
    }

    /// The configuration of a server that trusts them, but for who is revoked.
    pub fn server_config(&self, revoked: Option<&User>) -> String {
        let mut limits = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        });
        let account = |limits: &Value, revocations: Value| json!({"type": "account", "version": 2, "limits": limits, "revocations": revocations});
        let system = token(&self.operator, &self.system, None, account(&limits, json!({})));
        for limit in ["mem_storage", "disk_storage", "streams", "consumer"] {
            limits[limit] = (-1).into();
        }
        let revocations = revoked.map_or(json!({}), |user| json!({(&user.name): now()}));
        let account = token(&self.operator, &self.account, None, account(&limits, revocations));
        let operator = token(&self.operator, &self.operator, None, json!({"type": "operator", "version": 2}));
        let (system_key, account_key) = (self.system.public_key(), self.account.public_key());
        format!(
            "jetstream {{ store_dir: \"{{store}}\" }}\noperator: {operator}\nsystem_account: {system_key}\nresolver: MEMORY\n\
             resolver_preload: {{\n {system_key}: {system}\n {account_key}: {account}\n}}\n"
        )
    }
}
