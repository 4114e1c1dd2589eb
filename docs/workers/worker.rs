//! A worker that speaks Majordomo 0.2 (RFC 18), with the crate `zmq`: worker [ENDPOINT [SERVICE]]

use std::time::{Duration, Instant};

const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);
const LIVENESS: u32 = 3;

const HEADER: &[u8] = b"MDPW02";
const READY: &[u8] = b"\x01";
const REQUEST: &[u8] = b"\x02";
const FINAL: &[u8] = b"\x04";
const HEARTBEAT: &[u8] = b"\x05";
const DISCONNECT: &[u8] = b"\x06";

fn score(body: &[u8]) -> Vec<u8> {
    [b"score of ", body, format!(" is {}", body.len()).as_bytes()].concat()
}

/// A new socket for each conversation: its identity is new, and nothing of the last one is in its queue.
fn connect(context: &zmq::Context, endpoint: &str, service: &str) -> zmq::Result<zmq::Socket> {
    let socket = context.socket(zmq::DEALER)?;
    socket.set_linger(0)?;
    socket.connect(endpoint)?;
    socket.send_multipart([HEADER, READY, service.as_bytes()], 0)?;
    Ok(socket)
}

fn main() -> zmq::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().unwrap_or_else(|| "tcp://127.0.0.1:5571".to_owned());
    let service = arguments.next().unwrap_or_else(|| "score".to_owned());
    let context = zmq::Context::new();
    let mut socket = connect(&context, &endpoint, &service)?;
    let (mut heard, mut sent) = (Instant::now(), Instant::now());
    loop {
        let mut is_told_to_go = false;
        let wait = (sent + HEARTBEAT_EVERY).saturating_duration_since(Instant::now());
        if socket.poll(zmq::POLLIN, wait.as_millis() as i64)? > 0 {
            let frames = socket.recv_multipart(0)?;
            heard = Instant::now();
            match frames.iter().map(Vec::as_slice).collect::<Vec<_>>()[..] {
                [HEADER, REQUEST, address, b"", .., body] => {
                    socket.send_multipart([HEADER, FINAL, address, b"", &score(body)], 0)?;
                    sent = Instant::now();
                }
                [HEADER, DISCONNECT] => is_told_to_go = true,
                _ => {}
            }
        }
        if is_told_to_go || heard.elapsed() > HEARTBEAT_EVERY * LIVENESS {
            drop(socket);
            std::thread::sleep(HEARTBEAT_EVERY);
            socket = connect(&context, &endpoint, &service)?;
            (heard, sent) = (Instant::now(), Instant::now());
        }
        if sent.elapsed() >= HEARTBEAT_EVERY {
            socket.send_multipart([HEADER, HEARTBEAT], 0)?;
            sent = Instant::now();
        }
    }
}
