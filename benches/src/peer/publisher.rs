//! A publisher that loses nothing.

use anyhow::{Result, anyhow};
use zmq_sys::beyond::{Switch, set_switch};

/// An XPUB socket, which is a PUB that receives subscriptions; it waits where a subscriber's queue is full.
pub fn lossless_publisher() -> Result<zmq::Socket> {
    let mut socket = zmq::Context::new().socket(zmq::XPUB)?;
    set_switch(socket.as_mut_ptr(), Switch::XpubNodrop, true).map_err(|code| anyhow!("XPUB_NODROP: {code}"))?;
    Ok(socket)
}
