//! What has settings and chains come into force that a shadow has tried.

use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Has what is configured change, as if the configuration said so.
pub trait Apply: Send + Sync {
    /// Gives a plugin these settings beside those that it has.
    fn settings(
        self: Arc<Self>,
        plugin: String,
        settings: BTreeMap<String, String>,
    ) -> BoxFuture<'static, Result<(), String>>;

    /// Leads a flow through these plugins, if it leads through `before` so far.
    fn through(
        self: Arc<Self>,
        flow: String,
        before: Vec<String>,
        through: Vec<String>,
    ) -> BoxFuture<'static, Result<(), String>>;
}
