//! Registries: what a reference stands for, and its component, within bounds of size and time.

use super::artifact::Artifact;
use super::credentials::{Credentials, Login};
use super::transport::{Transport, client_reference};
use super::{Error, credentials, identity, layout};
use crate::config::{REGISTRY_RESOLVE_MS, REGISTRY_TRANSFER_MS, REGISTRY_TRANSFERS_MAX, Reference};
use futures_util::StreamExt;
use oci_client::Client;
use oci_client::RegistryOperation;
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Clients that are kept for a registry: each has its tokens.
const CLIENTS_MAX: usize = 8;

/// The clients of all registries.
pub struct Registries {
    transport: Transport,
    // By name; there are as many as references name.
    known: Mutex<HashMap<String, Registry>>,
}

/// One of them. A slow one takes up no permit of another.
#[derive(Clone)]
struct Registry {
    resolves: Arc<Semaphore>,
    pulls: Arc<Semaphore>,
    /// With what each was made for and is shown, the newest first: credentials may change, and repositories have their own.
    clients: VecDeque<(Purpose, RegistryAuth, Client)>,
    /// What was last said of credentials that could not be used.
    troubles: Vec<String>,
}

/// What a client was made for.
#[derive(Clone, PartialEq, Eq)]
struct Purpose {
    credentials: Credentials,
    /// Of an identity token: the repository and what is done there, for which its access token is.
    scope: Option<(String, RegistryOperation)>,
}

impl Purpose {
    fn new(reference: &Reference, operation: RegistryOperation, login: &Login) -> Self {
        let is_identity = matches!(login.credentials, Credentials::Identity(_));
        let scope = is_identity.then(|| (reference.repository.clone(), operation));
        Self { credentials: login.credentials.clone(), scope }
    }
}

impl Default for Registry {
    fn default() -> Self {
        let permits = || Arc::new(Semaphore::new(REGISTRY_TRANSFERS_MAX));
        Self { resolves: permits(), pulls: permits(), clients: VecDeque::new(), troubles: Vec::new() }
    }
}

impl Registries {
    /// Those that are reached in this way.
    pub fn new(transport: Transport) -> Self {
        Self { transport, known: Mutex::default() }
    }

    /// What a reference stands for now; `known` is what it was last, which costs less to find unchanged.
    ///
    /// # Errors
    /// When the registry does not say so in time, or says no.
    pub async fn resolve(&self, reference: &Reference, known: Option<&Artifact>) -> Result<Artifact, Error> {
        let name = &reference.registry;
        let resolves = self.with(name, |registry| Arc::clone(&registry.resolves));
        let _permit = resolves.acquire().await;
        timeout(Duration::from_millis(REGISTRY_RESOLVE_MS), self.resolve_without_timeout(reference, known))
            .await
            .unwrap_or_else(|_| Err(Error::too_slow(name, "the manifest", REGISTRY_RESOLVE_MS)))
    }

    async fn resolve_without_timeout(
        &self,
        reference: &Reference,
        known: Option<&Artifact>,
    ) -> Result<Artifact, Error> {
        if let Some(known) = known {
            let asked = self.ask(reference, RegistryOperation::Pull, |client, image, auth| async move {
                client.fetch_manifest_digest(&image, &auth).await
            });
            if asked.await? == known.digest {
                return Ok(known.clone());
            }
        }
        let asked = self.ask(reference, RegistryOperation::Pull, |client, image, auth| async move {
            client.pull_image_manifest(&image, &auth).await
        });
        let (manifest, digest) = asked.await?;
        let refused = |why: &str| Error::refused(&reference.registry, why);
        let (layer, is_packed) = layout::component_layer(&manifest.layers).map_err(|why| refused(&why))?;
        let component = layer.digest.strip_prefix("sha256:").filter(|digits| digits.len() == 64);
        let component = component.ok_or_else(|| refused("the digest of its layer is no SHA-256"))?.to_owned();
        let size_bytes = u64::try_from(layer.size).map_err(|_| refused("the size of its layer is negative"))?;
        Ok(Artifact { digest, component, size_bytes, is_packed })
    }

    /// The layer of an artifact, which is what its digest says: the component, or what that is to be unpacked from.
    ///
    /// # Errors
    /// When the registry does not give it in time, or not at all, and when it is larger than `bytes_max`.
    pub async fn pull(&self, reference: &Reference, artifact: &Artifact, bytes_max: u64) -> Result<Vec<u8>, Error> {
        let name = &reference.registry;
        let pulls = self.with(name, |registry| Arc::clone(&registry.pulls));
        let _permit = pulls.acquire().await;
        timeout(Duration::from_millis(REGISTRY_TRANSFER_MS), self.pull_without_timeout(reference, artifact, bytes_max))
            .await
            .unwrap_or_else(|_| Err(Error::too_slow(name, "the component", REGISTRY_TRANSFER_MS)))
    }

    async fn pull_without_timeout(
        &self,
        reference: &Reference,
        artifact: &Artifact,
        bytes_max: u64,
    ) -> Result<Vec<u8>, Error> {
        let too_large = || {
            let why = format!("the component is larger than component_bytes_max {bytes_max}");
            Error::refused(&reference.registry, &why)
        };
        if artifact.size_bytes > bytes_max {
            return Err(too_large());
        }
        // By the digest alone: a layer's own addresses could lead anywhere.
        let asked = self.ask(reference, RegistryOperation::Pull, |client, image, auth| async move {
            client.store_auth_if_needed(image.resolve_registry(), &auth).await;
            client.pull_blob_stream(&image, format!("sha256:{}", artifact.component).as_str()).await
        });
        let mut stream = asked.await?;
        // As large as the manifest says, which need not be true: what is not written to takes no memory of note.
        let mut bytes = Vec::with_capacity(usize::try_from(artifact.size_bytes).unwrap_or_default());
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|error| self.failed(reference, &Login::default(), error.into()))?;
            if (bytes.len() + piece.len()) as u64 > bytes_max {
                return Err(too_large());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// Asks a registry as whoever has credentials for the repository. A token that it takes no longer is thrown away
    /// and it is asked once more, with a new one: tokens are revoked long before they expire.
    ///
    /// # Errors
    /// When the registry cannot be reached, denies access, or answers with an error.
    pub(super) async fn ask<T, F: Future<Output = Result<T, OciDistributionError>>>(
        &self,
        reference: &Reference,
        operation: RegistryOperation,
        question: impl Fn(Client, oci_client::Reference, RegistryAuth) -> F,
    ) -> Result<T, Error> {
        let mut login = self.login(reference).await;
        let image = client_reference(reference);
        let purpose = Purpose::new(reference, operation, &login);
        if let Some((auth, client)) = self.client(reference, &purpose) {
            login.shows(&auth);
            match question(client, image.clone(), auth).await {
                Err(error) if Error::is_denial(&error) => self.forget(reference, &purpose),
                answer => return answer.map_err(|error| self.failed(reference, &login, error)),
            }
        }
        let client = self.new_client(reference, Transport::client).await?;
        let auth = self.auth(reference, operation, &login).await?;
        login.shows(&auth);
        let authenticated = client.auth(&image, &auth, operation).await;
        authenticated.map_err(|error| self.failed(reference, &login, error))?;
        let answer = question(client.clone(), image, auth.clone()).await;
        if answer.as_ref().is_err_and(Error::is_denial) {
            return Err(Error::denied_to(reference, &login, None));
        }
        self.forget(reference, &purpose);
        self.with(&reference.registry, |registry| {
            registry.clients.push_front((purpose, auth, client));
            registry.clients.truncate(CLIENTS_MAX);
        });
        answer.map_err(|error| self.failed(reference, &login, error))
    }

    /// What the registry is shown: the credentials, or the access token that is given for an identity token.
    async fn auth(
        &self,
        reference: &Reference,
        operation: RegistryOperation,
        login: &Login,
    ) -> Result<RegistryAuth, Error> {
        let token = match &login.credentials {
            Credentials::Shown(auth) => return Ok(auth.clone()),
            Credentials::Identity(token) => token,
        };
        let client = self.new_client(reference, |transport, _| transport.token_client()).await?;
        let place = (reference, self.transport.is_plain(reference));
        let token = identity::access_token(&client, place, operation, login, token).await?;
        Ok(token.map_or(RegistryAuth::Anonymous, RegistryAuth::Bearer))
    }

    /// The login for a repository. What is wrong with credentials is logged when it is new.
    async fn login(&self, reference: &Reference) -> Login {
        let login = credentials::of(reference).await;
        // Where another file had credentials, there is nothing to warn of.
        let troubles = if login.file.is_none() { login.troubles.clone() } else { Vec::new() };
        let is_new = self.with(&reference.registry, |registry| {
            let before = std::mem::replace(&mut registry.troubles, troubles);
            !registry.troubles.is_empty() && registry.troubles != before
        });
        if is_new {
            let (registry, reason) = (&reference.registry, login.troubles.join("; "));
            tracing::warn!(registry, ?reason, "credentials cannot be used; the registry is asked without any");
        }
        login
    }

    /// The client that has the tokens for this, and what it is shown.
    fn client(&self, reference: &Reference, purpose: &Purpose) -> Option<(RegistryAuth, Client)> {
        self.with(&reference.registry, |registry| {
            let mut known = registry.clients.iter();
            known.find(|(known, ..)| known == purpose).map(|(_, auth, client)| (auth.clone(), client.clone()))
        })
    }

    fn forget(&self, reference: &Reference, purpose: &Purpose) {
        self.with(&reference.registry, |registry| registry.clients.retain(|(known, ..)| known != purpose));
    }

    /// A client that is made off the threads that carry traffic.
    async fn new_client<C: Send + 'static>(
        &self,
        reference: &Reference,
        make: impl FnOnce(&Transport, bool) -> Result<C, String> + Send + 'static,
    ) -> Result<C, Error> {
        let (transport, is_plain) = (self.transport.clone(), self.transport.is_plain(reference));
        let made = tokio::task::spawn_blocking(move || make(&transport, is_plain)).await;
        made.unwrap_or_else(|panic| Err(panic.to_string())).map_err(|why| Error::refused(&reference.registry, &why))
    }

    fn with<T>(&self, name: &str, work: impl FnOnce(&mut Registry) -> T) -> T {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        work(known.entry(name.to_owned()).or_default())
    }

    pub(super) fn failed(&self, reference: &Reference, login: &Login, error: OciDistributionError) -> Error {
        Error::of(reference, self.transport.is_plain(reference), login, error)
    }
}
