//! Sends one request again, as a client of the broker, and collects the replies.

use crate::messaging::socket::host_name::{HostName, is_ipv6};
use crate::messaging::socket::{self, Frames};
use std::time::Duration;

/// Sends the frames, and collects replies until `timeout` has passed without one, since their number is not known.
///
/// # Errors
/// When there is no connection in time, or libzmq fails; says why.
pub fn resend(endpoint: &str, frames: Frames, timeout: Duration) -> Result<Vec<Frames>, String> {
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let context = zmq::Context::new();
    let socket = context.socket(zmq::DEALER).map_err(socket::cause)?;
    let set_options = || -> zmq::Result<()> {
        // Nothing is queued for a broker that is not there.
        socket.set_immediate(true)?;
        socket.set_sndtimeo(timeout_ms)?;
        socket.set_rcvtimeo(timeout_ms)?;
        socket.set_linger(0)
    };
    set_options().map_err(socket::cause)?;
    let host = HostName::look_up(endpoint);
    let mut ipv6 = vec![is_ipv6(endpoint)];
    if let Some(host) = &host {
        host.addresses()?;
        ipv6 = if host.may_have_both() { vec![false, true] } else { vec![host.is_ipv6_alone()] };
    }
    // After a delimiter every frame belongs to the body, even if the first one is empty.
    let message: Frames = std::iter::once(Vec::new()).chain(frames).collect();
    let mut sent = Err(zmq::Error::EAGAIN);
    for ipv6 in ipv6 {
        socket::connect_by(&socket, endpoint, ipv6)?;
        sent = socket::send(&socket, &message, 0);
        if sent != Err(zmq::Error::EAGAIN) {
            break;
        }
        let _ = socket.disconnect(endpoint);
    }
    match sent {
        Err(zmq::Error::EAGAIN) => {
            let why = host.map(|host| format!(": {}", host.failure())).unwrap_or_default();
            return Err(format!("no connection within {timeout:?}{why}"));
        }
        sent => sent.map_err(socket::cause)?,
    }
    let mut replies = Vec::new();
    loop {
        match socket::receive(&socket) {
            Ok(mut reply) => {
                if reply.len() > 1 && reply[0].is_empty() {
                    reply.remove(0);
                }
                replies.push(reply);
            }
            Err(zmq::Error::EAGAIN) => return Ok(replies),
            Err(error) => return Err(socket::cause(error)),
        }
    }
}
