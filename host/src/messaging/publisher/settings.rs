//! What a publisher is made with.

use crate::config;
use crate::messaging::curve::{ClientKeys, Curve};
use crate::messaging::socket::ipc::IpcAccess;
use crate::messaging::stream::StreamSettings;

/// What the configuration says of the publisher, and what was made of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the surface is called.
    pub name: String,
    /// Where it binds.
    pub bind: Vec<config::Endpoint>,
    /// Where it connects.
    pub connect: Vec<config::Endpoint>,
    /// The bounds and the timeouts.
    pub messaging: config::Messaging,
    /// What happens to a message for which a subscriber has no room, and which messages are retained for later
    /// subscribers.
    pub publisher: config::Publisher,
    /// Who may connect, where the endpoint is in the file system.
    pub ipc: IpcAccess,
    /// Admits only subscribers with an authorized key; without it every subscriber is admitted.
    pub curve: Option<Curve>,
    /// The keys with which it speaks CURVE as a client, in the place of `curve`.
    pub keys: Option<ClientKeys>,
}

impl Settings {
    /// For a configured socket of type PUB, whose own bounds come before those that all sockets have in common.
    pub fn of_socket(
        name: &str,
        socket: &config::Socket,
        common: &StreamSettings,
        publisher: &config::Publisher,
        keys: Option<ClientKeys>,
    ) -> Self {
        let mut messaging = common.messaging.clone();
        messaging.queue_messages_max = socket.queue_messages_max.unwrap_or(messaging.queue_messages_max);
        messaging.queue_bytes_max = socket.queue_bytes_max.unwrap_or(messaging.queue_bytes_max);
        messaging.peer_queue_bytes_max = socket.peer_queue_bytes_max.unwrap_or(messaging.peer_queue_bytes_max);
        let on_full = socket.on_full.unwrap_or(publisher.on_full);
        Self {
            name: name.to_owned(),
            bind: socket.bind.clone(),
            connect: socket.connect.clone(),
            messaging,
            publisher: config::Publisher { on_full, ..publisher.clone() },
            ipc: common.ipc,
            curve: common.curve.clone().filter(|_| keys.is_none() && socket.curve.unwrap_or(true)),
            keys,
        }
    }
}
