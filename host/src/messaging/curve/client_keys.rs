//! CURVE on a client's side: the server key that it trusts, and its own keys.

use super::key::KeyPair;
use crate::messaging::socket;

/// What a client needs to connect to a socket that speaks CURVE.
#[derive(Clone, Debug)]
pub struct ClientKeys {
    /// The server's public key, in Z85. No other server can complete the handshake.
    pub server: String,
    /// The client's own keys.
    pub pair: KeyPair,
}

impl ClientKeys {
    /// Makes a socket speak CURVE with these keys; to be called before it is connected.
    ///
    /// # Errors
    /// When libzmq refuses a key.
    pub(crate) fn apply(&self, socket: &zmq::Socket) -> Result<(), String> {
        socket.set_curve_serverkey(self.server.as_bytes()).map_err(socket::cause)?;
        socket.set_curve_publickey(self.pair.public.as_bytes()).map_err(socket::cause)?;
        socket.set_curve_secretkey(self.pair.secret.as_bytes()).map_err(socket::cause)
    }
}
