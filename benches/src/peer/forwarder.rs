//! A relay that does nothing: libzmq's own proxy between an XSUB and an XPUB socket.

use super::publisher::lossless_publisher;
use anyhow::Result;
use clap::Args;

/// `zmq_proxy` from a publisher to a subscriber, to both of which it connects.
#[derive(Args)]
pub struct Forwarder {
    #[arg(long)]
    from: String,
    #[arg(long)]
    to: String,
}

impl Forwarder {
    pub fn arguments(from: &str, to: &str) -> Vec<String> {
        vec!["forwarder".to_owned(), format!("--from={from}"), format!("--to={to}")]
    }

    pub(super) fn run(&self) -> Result<()> {
        let (frontend, backend) = (zmq::Context::new().socket(zmq::XSUB)?, lossless_publisher()?);
        frontend.connect(&self.from)?;
        backend.connect(&self.to)?;
        super::tell("ready")?;
        Ok(zmq::proxy(&frontend, &backend)?)
    }
}
