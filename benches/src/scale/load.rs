//! The messages of which the host's cost is measured: a fixed number, and every answer is checked.

use crate::client::Client;
use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::thread;

const CONNECTIONS: usize = 16;
const DEALERS: usize = 3;
/// The outstanding requests of one DEALER.
const WINDOW: usize = 10;
const ANSWER_MAX_MS: i32 = 60_000;

/// Makes HTTP requests on several connections, each of which calls the plugins of these names in turn.
pub fn http(address: SocketAddr, names: &[String], requests: usize) -> Result<()> {
    in_parallel(CONNECTIONS, |index| {
        let mine = names.iter().cycle().skip(index).step_by(CONNECTIONS).take(names.len().div_ceil(CONNECTIONS));
        let clients = mine.map(|name| Client::connect(address, &format!("/{name}/?param=HeLLo")));
        let mut clients: Vec<Client> = clients.collect::<std::io::Result<_>>().context("connecting")?;
        let asked = clients.len();
        for number in 0..requests / CONNECTIONS {
            let answer = clients[number % asked].get().context("asking")?;
            ensure!(answer.status == 200 && answer.body == b"lower case of HeLLo is hello", "status {}", answer.status);
        }
        Ok(())
    })
}

/// Makes requests of several DEALER clients, each of which is answered once.
pub fn dealers(endpoint: &str, requests: usize) -> Result<()> {
    let context = zmq::Context::new();
    in_parallel(DEALERS, |_| {
        let socket = dealer(&context, endpoint)?;
        let requests = requests / DEALERS;
        for number in 0..requests + WINDOW {
            if number < requests {
                socket.send("x", 0)?;
            }
            if number >= WINDOW {
                let reply = socket.recv_bytes(0).context("waiting for a reply")?;
                ensure!(reply == b"x", "a reply that was not asked for");
            }
        }
        Ok(())
    })
}

/// A client of the broker.
pub fn dealer(context: &zmq::Context, endpoint: &str) -> Result<zmq::Socket> {
    let socket = context.socket(zmq::DEALER).context("opening a DEALER")?;
    socket.set_linger(0)?;
    socket.set_rcvtimeo(ANSWER_MAX_MS)?;
    socket.connect(endpoint).with_context(|| format!("connecting to {endpoint}"))?;
    Ok(socket)
}

fn in_parallel(count: usize, work: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|index| {
                scope.spawn({
                    let work = &work;
                    move || work(index)
                })
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
