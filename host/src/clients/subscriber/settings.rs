//! What a subscriber subscribes to and writes, and its socket for that.

use crate::clients::handshake::{Handshakes, ReportedFailures};
use crate::messaging::curve::client_keys::ClientKeys;
use crate::messaging::socket;
use std::path::PathBuf;
use std::sync::Arc;

/// How many messages libzmq holds per publisher while the log is slow.
const RECEIVE_MESSAGES_MAX: usize = 1_000_000;
/// The same in bytes; more wait at the publisher.
const RECEIVE_BYTES_MAX: usize = 256 << 20;

/// What to subscribe to, and where to write it.
#[derive(Clone, Debug)]
pub struct SubscriberSettings {
    /// The publishers.
    pub endpoints: Vec<String>,
    /// Prefixes of the first frame; none means all messages.
    pub topics: Vec<String>,
    /// Whether only messages whose whole first frame is a topic are wanted.
    pub exact: bool,
    /// After how many messages it ends; none for never.
    pub count: Option<u64>,
    /// Whether lines are JSON.
    pub json: bool,
    /// The file to append to.
    pub log: PathBuf,
    /// Whether stdout gets no lines.
    pub quiet: bool,
    /// For publishers that speak CURVE.
    pub keys: Option<ClientKeys>,
}

impl SubscriberSettings {
    /// Subscribes, and begins to connect to all publishers.
    ///
    /// # Errors
    /// When libzmq refuses an option or an endpoint; says why.
    pub(super) fn connect(&self, context: &zmq::Context) -> Result<(zmq::Socket, Handshakes), String> {
        let mut socket = context.socket(zmq::SUB).map_err(socket::cause)?;
        socket.set_rcvhwm(socket::hwm(RECEIVE_MESSAGES_MAX)).map_err(socket::cause)?;
        socket::bound_queues(&mut socket, RECEIVE_BYTES_MAX)?;
        socket.set_linger(0).map_err(socket::cause)?;
        if self.topics.is_empty() {
            socket.set_subscribe(b"").map_err(socket::cause)?;
        }
        for topic in &self.topics {
            socket.set_subscribe(topic.as_bytes()).map_err(socket::cause)?;
        }
        let reported = Arc::new(ReportedFailures::default());
        let mut handshakes =
            Handshakes::watch(context, &socket, "subscriber", &self.endpoints, self.keys.as_ref(), reported)?;
        for endpoint in &self.endpoints {
            handshakes.connect(&socket, endpoint).map_err(|cause| format!("connecting SUB to {endpoint}: {cause}"))?;
        }
        Ok((socket, handshakes))
    }
}
