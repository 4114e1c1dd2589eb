//! Broker clients that number their requests and track how many replies to each are outstanding.

use super::pace::Pace;
use super::run::Run;
use crate::harness::LONG_PATIENCE;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The number of replies to each request; see [`super::plugins::policy`].
pub const REPLIES: u8 = 2;
/// How many requests of one client are outstanding at most in a closed loop.
const WINDOW: usize = 32;

/// The results of one requester.
#[derive(Debug, Default)]
pub struct Requested {
    /// Requests that were sent, including those that made the policy trap.
    pub sent: u64,
    /// Requests that made the policy trap.
    pub trapping: u64,
    /// Replies that were received.
    pub replies: u64,
    /// Requests of which replies are missing.
    pub incomplete: u64,
}

pub fn dealer(endpoint: &str) -> zmq::Socket {
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_linger(0).unwrap();
    socket.set_sndhwm(0).unwrap();
    socket.set_rcvhwm(0).unwrap();
    socket.connect(endpoint).unwrap();
    socket
}

/// Sends requests until the run is over, then waits for the outstanding replies.
pub fn request(run: &Run, endpoint: &str, pace: Pace, requesters: usize) -> Requested {
    let _guard = run.end_on_panic();
    let socket = dealer(endpoint);
    let mut schedule = pace.schedule(requesters);
    let mut requested = Requested::default();
    let mut outstanding: HashMap<u64, u8> = HashMap::new();
    let mut last_reply = Instant::now();
    loop {
        let over = run.is_over();
        if over && (outstanding.is_empty() || run.has_all_replies() || last_reply.elapsed() > LONG_PATIENCE) {
            break;
        }
        let may_send =
            |outstanding: &HashMap<u64, u8>| !over && (matches!(pace, Pace::Open(_)) || outstanding.len() < WINDOW);
        while may_send(&outstanding) && schedule.take() {
            let number = requested.sent;
            requested.sent += 1;
            if number % 50 == 7 {
                requested.trapping += 1;
                socket.send(&format!("T{number}"), 0).expect("room for a request");
            } else {
                outstanding.insert(number, REPLIES);
                socket.send(&number.to_string(), 0).expect("room for a request");
            }
        }
        let wait = if may_send(&outstanding) { schedule.left() } else { Duration::from_millis(20) };
        let wait_ms = wait.min(Duration::from_millis(20)).as_millis() as i64;
        zmq::poll(&mut [socket.as_poll_item(zmq::POLLIN)], wait_ms.max(1)).expect("a socket");
        while let Ok(body) = socket.recv_bytes(zmq::DONTWAIT) {
            last_reply = Instant::now();
            run.replies.fetch_add(1, Ordering::SeqCst);
            requested.replies += 1;
            let number = std::str::from_utf8(&body).ok().and_then(|text| text.parse::<u64>().ok());
            let number = number.unwrap_or_else(|| panic!("a reply to nothing: {body:?}"));
            let left = outstanding.get_mut(&number).unwrap_or_else(|| panic!("one reply too many to request {number}"));
            *left -= 1;
            if *left == 0 {
                outstanding.remove(&number);
            }
        }
    }
    Requested { incomplete: outstanding.len() as u64, ..requested }
}

/// Sends requests and disconnects before the replies arrive. Returns how many it sent.
pub fn disconnect_early(endpoint: &str) -> u64 {
    const REQUESTS: u64 = 20;
    let socket = dealer(endpoint);
    // Long enough for the requests to be sent.
    socket.set_linger(LONG_PATIENCE.as_millis() as i32).unwrap();
    for number in 0..REQUESTS {
        socket.send(&number.to_string(), 0).expect("room for a request");
    }
    REQUESTS
}
