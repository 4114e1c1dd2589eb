//! What a worker is told when it is started.

use super::command::CommandSettings;
use crate::messaging::curve::client_keys::ClientKeys;
use std::time::Duration;

/// Where a worker works, for whom, and with what.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// Where the host's pool has its workers.
    pub endpoint: String,
    /// The name of that pool.
    pub service: String,
    /// How often each side lets the other hear from it.
    pub heartbeat: Duration,
    /// Whether the worker ends when the host says DISCONNECT.
    pub end_on_disconnect: bool,
    /// For a host that speaks CURVE.
    pub keys: Option<ClientKeys>,
    /// What makes answers of messages.
    pub command: CommandSettings,
}
