//! The log's lines about loads.

use crate::config::LOG_LINE_BYTES_MAX;
use crate::flow::ServedBy;
use crate::plugin::load::LoadError;
use crate::plugin::run::plugin_state::shortened;
use crate::plugin::slot::condemned::Condemnation;
use crate::plugin::slot::loading::{Loaded, PutError};
use std::fmt::Display;

/// Says what a load came to, in one line.
pub(super) fn log_load(name: &str, source: impl Display, loaded: Option<&Loaded>) {
    match loaded {
        Some(Loaded { served_by, in_place_of: Some(condemned), .. }) => {
            let ServedBy { generation, digest, .. } = &**served_by;
            let Condemnation { digest: condemned, at, reason, .. } = &**condemned;
            tracing::warn!(
                plugin = name,
                generation,
                digest,
                %source,
                condemned,
                at,
                ?reason,
                "what the source holds was taken out of service; what served in its place serves again"
            );
        }
        Some(Loaded { served_by, changed: true, .. }) => {
            let ServedBy { generation, digest, artifact, .. } = &**served_by;
            tracing::info!(plugin = name, generation, digest, artifact, %source, "loaded");
        }
        _ => tracing::debug!(plugin = name, %source, "unchanged"),
    }
}

/// Says what came of a component that somebody handed in.
pub(super) fn log_put(name: &str, outcome: &Result<Loaded, PutError>) {
    match outcome {
        Ok(loaded) => log_load(name, "admin", Some(loaded)),
        Err(PutError::Load(error)) => log_refusal(name, "admin", true, error),
        Err(error) => tracing::error!(plugin = name, %error, "put"),
    }
}

/// Says why nothing was loaded, in one line.
pub(super) fn log_refusal(name: &str, source: impl Display, asked: bool, error: &LoadError) {
    if matches!(error, LoadError::Superseded) {
        tracing::info!(plugin = name, %source, "not used: what was asked for later has taken effect");
        return;
    }
    // `?` on the text escapes what a file of a stranger may have put into a compiler's message.
    let reason = error.to_string();
    let reason = shortened(&reason, LOG_LINE_BYTES_MAX);
    match error {
        LoadError::NoReplacement(_) => {
            tracing::error!(plugin = name, %source, ?reason, "not loaded, and nothing serves")
        }
        _ if asked => tracing::info!(plugin = name, %source, ?reason, "not loaded; what served before serves on"),
        _ => tracing::error!(plugin = name, %source, ?reason, "not loaded; what served before serves on"),
    }
}
