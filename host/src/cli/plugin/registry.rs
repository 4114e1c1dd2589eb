//! What `plugin push` and `plugin pull` have in common: the reference, and the registry that is asked.

pub(super) mod pull;
pub(super) mod push;

use crate::cli::output::progress::{self, Stderr};
use crate::config::Reference;
use crate::oci::{Error, Registries, Transport};
use anyhow::Context;
use clap::Args;
use std::path::PathBuf;

/// The reference, and how to get there.
#[derive(Debug, Args)]
pub(super) struct Registry {
    /// REGISTRY/REPOSITORY:TAG, or …@sha256:DIGEST to pull; oci:// may stand in front
    pub(super) reference: Reference,
    /// Speak to the registry without TLS, as is done anyway with one on this machine
    #[arg(long)]
    plain_http: bool,
    /// A PEM file of authorities whose certificates are trusted beside the system's
    #[arg(long, value_name = "FILE")]
    ca_certificates: Option<PathBuf>,
}

impl Registry {
    /// Waits for what a registry answers; `what` is said if that takes long, such as `pulling registry.example/a:1`.
    ///
    /// # Errors
    /// When the runtime cannot start, or the registry fails.
    pub(super) fn ask<T>(
        self,
        what: &str,
        question: impl AsyncFnOnce(&Registries) -> Result<T, Error>,
    ) -> anyhow::Result<T> {
        let plain_http = if self.plain_http { vec![self.reference.registry] } else { Vec::new() };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting a runtime")?;
        let registries = Registries::new(Transport { plain_http, ca_certificates: self.ca_certificates });
        let asked = runtime.block_on(progress::during(what, Stderr::Alone, question(&registries)));
        asked.with_context(|| what.to_owned())
    }
}
