//! A connection that its client asks to have for something else than HTTP, and all that it holds until it ends.

use super::ClientConnection;
use crate::http::problem::Problem;
use crate::http::server::connection_timeouts::RequestActivity;
use crate::http::server::head::Head;
use crate::http::server::statistics::CutOff;
use hyper::upgrade::{OnUpgrade, Upgraded};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use warp::http::request::Parts;
use warp::reply::Response;

/// Takes connections that are to become something else.
pub(crate) trait Upgrades: Send + Sync {
    /// Whether a request asks for what this is there for. Every request of the surface is looked at.
    fn takes(&self, head: &Parts) -> bool;

    /// Answers such a request. Without an upgrade its connection can become nothing else: it speaks HTTP/2, or the request
    /// has a body.
    ///
    /// # Errors
    /// Why it stays what it is.
    fn answer(&self, head: &Head, upgrade: Option<Upgrade>) -> Result<Response, Problem>;
}

/// A connection that becomes something else once its request was answered so.
pub(crate) struct Upgrade {
    on_upgrade: OnUpgrade,
    held: HeldConnection,
}

/// What a connection has of its listener.
pub(in crate::http::server) struct OfListener {
    /// Cancelled when the listener ends.
    pub(in crate::http::server) stopping: CancellationToken,
    /// Those that end with the streams that their clients follow.
    pub(in crate::http::server) followers: TaskTracker,
    /// How long a client may take for each piece of what it is sent.
    pub(in crate::http::server) answer_timeout: Duration,
}

/// Keeps a connection counted and its permit taken until it ends.
pub(crate) struct HeldConnection {
    client: Arc<ClientConnection>,
    /// For the stream, which would take what is written between two requests for a refusal of hyper's own.
    _activity: RequestActivity,
}

impl Upgrade {
    /// None where there is nothing that could be upgraded.
    pub(super) fn of(head: &mut Parts, client: &Arc<ClientConnection>) -> Option<Self> {
        let on_upgrade = head.extensions.remove::<OnUpgrade>()?;
        let held = HeldConnection { client: Arc::clone(client), _activity: client.timeouts.begin() };
        Some(Self { on_upgrade, held })
    }

    /// The connection, once the answer is written; none if it broke before.
    pub(crate) async fn connection(self) -> Option<(Upgraded, HeldConnection)> {
        let upgraded = self.on_upgrade.await.ok()?;
        Some((upgraded, self.held))
    }

    /// Has the end of what is followed wait until the token is dropped.
    pub(crate) fn tracked(&self) -> TaskTrackerToken {
        self.held.client.listener.followers.token()
    }
}

impl HeldConnection {
    /// Cancelled when the listener ends.
    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.client.listener.stopping
    }

    /// How long what was written has been waiting for the client to take any of it, and how long it may.
    pub(crate) fn blocked(&self, now: Instant) -> (Duration, Duration) {
        let since = self.client.timeouts.blocked_since();
        (
            since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since)),
            self.client.listener.answer_timeout,
        )
    }

    /// Counts the connection as one that was ended against the will of its client.
    pub(crate) fn cut_off(&self, reason: CutOff) {
        self.client.statistics.count_cut_off(reason);
        tracing::debug!(from = %self.client.from, reason = reason.as_str(), "WebSocket cut off");
    }

    /// The client may still send what nobody is going to read.
    pub(crate) fn set_unread(&self) {
        self.client.timeouts.set_unread();
    }
}
