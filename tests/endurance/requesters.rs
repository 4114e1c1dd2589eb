//! Broker clients that number their requests and know of each how many replies it still has to get.

use super::course::Course;
use super::pace::Pace;
use crate::harness::LONG_PATIENCE;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Replies to each request; see [`super::plugins::policy`].
pub const REPLIES: u8 = 2;
/// How many requests of one client are under way when it goes by their answers.
const WINDOW: usize = 32;

/// What one requester did.
#[derive(Debug, Default)]
pub struct Requested {
    /// Requests, those that made the policy trap included.
    pub sent: u64,
    /// Requests that made the policy trap.
    pub trapping: u64,
    /// Replies.
    pub replies: u64,
    /// Requests that lack replies.
    pub lacking: u64,
}

pub fn dealer(endpoint: &str) -> zmq::Socket {
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_linger(0).unwrap();
    socket.set_sndhwm(0).unwrap();
    socket.set_rcvhwm(0).unwrap();
    socket.connect(endpoint).unwrap();
    socket
}

/// Makes the load until the course is over, then waits for the replies that are owed.
pub fn request(course: &Course, endpoint: &str, pace: Pace, requesters: usize) -> Requested {
    let _guard = course.end_with_me();
    let socket = dealer(endpoint);
    let mut beat = pace.beat(requesters);
    let mut requested = Requested::default();
    let mut owed: HashMap<u64, u8> = HashMap::new();
    let mut last_reply = Instant::now();
    loop {
        let over = course.is_over();
        if over && (owed.is_empty() || course.has_all_replies() || last_reply.elapsed() > LONG_PATIENCE) {
            break;
        }
        let may_send = |owed: &HashMap<u64, u8>| !over && (matches!(pace, Pace::Open(_)) || owed.len() < WINDOW);
        while may_send(&owed) && beat.take() {
            let number = requested.sent;
            requested.sent += 1;
            if number % 50 == 7 {
                requested.trapping += 1;
                socket.send(&format!("T{number}"), 0).expect("room for a request");
            } else {
                owed.insert(number, REPLIES);
                socket.send(&number.to_string(), 0).expect("room for a request");
            }
        }
        let wait = if may_send(&owed) { beat.left() } else { Duration::from_millis(20) };
        let wait_ms = wait.min(Duration::from_millis(20)).as_millis() as i64;
        zmq::poll(&mut [socket.as_poll_item(zmq::POLLIN)], wait_ms.max(1)).expect("a socket");
        while let Ok(body) = socket.recv_bytes(zmq::DONTWAIT) {
            last_reply = Instant::now();
            course.replies.fetch_add(1, Ordering::SeqCst);
            requested.replies += 1;
            let number = std::str::from_utf8(&body).ok().and_then(|text| text.parse::<u64>().ok());
            let number = number.unwrap_or_else(|| panic!("a reply to nothing: {body:?}"));
            let left = owed.get_mut(&number).unwrap_or_else(|| panic!("one reply too many to request {number}"));
            *left -= 1;
            if *left == 0 {
                owed.remove(&number);
            }
        }
    }
    Requested { lacking: owed.len() as u64, ..requested }
}

/// Sends requests and goes away before the replies come. Returns how many it sent.
pub fn vanish(endpoint: &str) -> u64 {
    const REQUESTS: u64 = 20;
    let socket = dealer(endpoint);
    // Long enough for the requests to leave; it does not wait for anything else.
    socket.set_linger(LONG_PATIENCE.as_millis() as i32).unwrap();
    for number in 0..REQUESTS {
        socket.send(&number.to_string(), 0).expect("room for a request");
    }
    REQUESTS
}
