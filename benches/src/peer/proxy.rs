//! The broker without Tidegate: libzmq's own proxy between a ROUTER and DEALER workers that answer at once.

use anyhow::Result;
use clap::Args;
use std::thread;

const BACKEND: &str = "inproc://backend";

/// `zmq_proxy` with native workers that return what they receive.
#[derive(Args)]
pub struct Proxy {
    #[arg(long)]
    workers: usize,
}

impl Proxy {
    pub fn arguments(workers: usize) -> Vec<String> {
        vec!["proxy".to_owned(), format!("--workers={workers}")]
    }

    pub(super) fn run(&self) -> Result<()> {
        let context = zmq::Context::new();
        let (frontend, backend) = (context.socket(zmq::ROUTER)?, context.socket(zmq::DEALER)?);
        frontend.bind("tcp://127.0.0.1:*")?;
        backend.bind(BACKEND)?;
        for _ in 0..self.workers {
            let worker = context.socket(zmq::DEALER)?;
            worker.connect(BACKEND)?;
            thread::spawn(move || echo(&worker));
        }
        let endpoint = frontend.get_last_endpoint()?.unwrap_or_default();
        super::tell(&format!("ready {endpoint}"))?;
        Ok(zmq::proxy(&frontend, &backend)?)
    }
}

/// Each frame is sent back without being copied.
fn echo(worker: &zmq::Socket) -> zmq::Result<()> {
    loop {
        let frame = worker.recv_msg(0)?;
        let flags = if frame.get_more() { zmq::SNDMORE } else { 0 };
        worker.send(frame, flags)?;
    }
}
