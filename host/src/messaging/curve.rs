//! CURVE on the host's side: its key, the keys that are authorized, and how both are applied to a socket.

pub(crate) mod access_control;
mod authenticator;
mod authorized_keys;
pub(crate) mod client_keys;
mod denials;
pub(crate) mod key;
mod key_file;
mod key_look;
mod zap;

pub(crate) use authenticator::Authenticator;
pub use authorized_keys::AuthorizedKeys;
pub use client_keys::ClientKeys;

use super::socket;
use crate::flow::Statistics;
use crate::system::file_watch::FileWatch;
use crate::system::supervisor::Supervisor;
use denials::Denials;
use key::{KeyPair, warning_if_open_to_others};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use zap::{DOMAIN, Guarding};
use zmq_sys::beyond::{self, Switch};

/// The host's key pair and the authorized keys, with which sockets are guarded. Clones share the list and the counts.
#[derive(Clone, Debug)]
pub struct Curve {
    pair: KeyPair,
    guarding: Arc<Guarding>,
    _watch: Arc<FileWatch>,
    supervisor: Supervisor,
}

impl Curve {
    /// Reads the secret key, and the directory of authorized keys for the first time; watches the directory from then
    /// on.
    ///
    /// # Errors
    /// When the key or the directory cannot be read, or the system gives no thread to watch it; says what to do.
    pub fn load(secret_key_file: &Path, authorized_keys_dir: &Path, supervisor: &Supervisor) -> Result<Self, String> {
        let pair = KeyPair::read(secret_key_file)?;
        if let Some(warning) = warning_if_open_to_others(secret_key_file) {
            tracing::warn!("{warning}");
        }
        let keys = Arc::new(AuthorizedKeys::load(authorized_keys_dir)?);
        tracing::info!(keys = keys.count(), "CURVE is on: clients need --server-key '{}'", pair.public);
        let watch = Arc::new(keys.watch(supervisor)?);
        let guarding = Guarding { keys, denials: Denials::new() };
        Ok(Self { pair, guarding: Arc::new(guarding), _watch: watch, supervisor: supervisor.clone() })
    }

    /// Makes a socket accept CURVE alone; to be called before it is bound. Unless its context has an [`Authenticator`],
    /// libzmq refuses every client.
    ///
    /// # Errors
    /// When libzmq refuses one of the options.
    pub fn protect(&self, socket: &mut zmq::Socket) -> Result<(), String> {
        socket.set_curve_server(true).map_err(socket::cause)?;
        socket.set_curve_secretkey(self.pair.secret.as_bytes()).map_err(socket::cause)?;
        socket.set_zap_domain(DOMAIN).map_err(socket::cause)?;
        beyond::set_switch(socket.as_mut_ptr(), Switch::ZapEnforceDomain, true)
            .map_err(|code| format!("setting ZMQ_ZAP_ENFORCE_DOMAIN: error {code}"))
    }

    /// Starts the thread that looks keys up for the sockets of a context; to be called before they are bound.
    ///
    /// # Errors
    /// When the system gives no thread or socket pair, or the ZAP endpoint of the context cannot be bound.
    pub fn guard(&self, context: &zmq::Context) -> Result<Authenticator, String> {
        Authenticator::start(context, Arc::clone(&self.guarding), &self.supervisor)
    }

    /// The keys that are authorized.
    pub fn keys(&self) -> &Arc<AuthorizedKeys> {
        &self.guarding.keys
    }

    /// Why a removed key may still be accepted; none while the list is up to date.
    pub fn complaint(&self) -> Option<String> {
        self.keys().complaint()
    }

    /// What a socket of the host needs to connect to one whose public key is in this file.
    ///
    /// # Errors
    /// When the file has none; names it.
    pub fn client_keys(&self, server_key: &Path) -> Result<ClientKeys, String> {
        let server = key::public_key(&server_key.display().to_string())?;
        Ok(ClientKeys { server, pair: self.pair.clone() })
    }

    /// The host's public key, in Z85.
    pub fn public_key(&self) -> &str {
        &self.pair.public
    }

    /// Handshakes that were denied, by reason.
    pub fn denials(&self) -> BTreeMap<&'static str, u64> {
        self.guarding.denials.counts()
    }

    /// Adds the statistics about the keys.
    pub fn add_to(&self, statistics: &mut Statistics) {
        let (keys, mut counted) = (self.keys(), statistics.of(None));
        counted.gauge(("curve_authorized_keys", None, "Keys that are let in"), keys.count() as u64);
        counted.counter(
            ("curve_reload_failures", None, "Looks at the authorized keys that failed, and files without a key"),
            keys.reload_failures(),
        );
        counted.counters_by(
            ("curve_denials", None, "Handshakes that were denied, by reason"),
            "reason",
            self.denials(),
        );
    }
}
