//! The endpoints that a socket is connected to, with how many connections want each: libzmq connects some types of sockets once to
//! an endpoint and others as often as they are told, and disconnects from it once and for all.

use crate::messaging::socket;
use std::collections::BTreeMap;
use std::time::Duration;

/// How many want each.
#[derive(Default)]
pub(super) struct EndpointsInUse(BTreeMap<String, usize>);

impl EndpointsInUse {
    /// Connects a socket to an endpoint in place of the one before. If that is the same, the connection is made anew.
    ///
    /// # Errors
    /// When libzmq refuses the endpoint; says why.
    pub(super) fn replace(&mut self, socket: &zmq::Socket, before: Option<&str>, endpoint: &str) -> Result<(), String> {
        if before == Some(endpoint) {
            // It fails if libzmq has given the connection up.
            let _ = socket.disconnect(endpoint);
            return socket::connect(socket, endpoint);
        }
        if let Some(before) = before {
            self.leave(socket, before, Duration::ZERO);
        }
        let users = self.0.entry(endpoint.to_owned()).or_default();
        *users += 1;
        if *users == 1 { socket::connect(socket, endpoint) } else { Ok(()) }
    }

    /// One less wants an endpoint. If that was the last one, disconnects from it, and what is queued may take so long to go
    /// out. Returns whether it does.
    pub(super) fn leave(&mut self, socket: &zmq::Socket, endpoint: &str, linger: Duration) -> bool {
        let Some(users) = self.0.get_mut(endpoint) else { return false };
        *users -= 1;
        if *users > 0 {
            return false;
        }
        self.0.remove(endpoint);
        let linger_before = socket.get_linger();
        let _ = socket.set_linger(i32::try_from(linger.as_millis()).unwrap_or(i32::MAX));
        // It fails if libzmq has given the connection up.
        let _ = socket.disconnect(endpoint);
        if let Ok(before) = linger_before {
            let _ = socket.set_linger(before);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messaging::socket::bind;
    use crate::messaging::socket::monitor::Monitor;
    use crate::messaging::socket::statistics::SocketStatistics;
    use std::sync::Arc;
    use std::time::Instant;

    const LARGE: usize = 1 << 20;

    fn peer(context: &zmq::Context, kind: zmq::SocketType) -> (zmq::Socket, String) {
        let peer = context.socket(kind).unwrap();
        peer.set_rcvtimeo(5_000).unwrap();
        peer.set_rcvhwm(5).unwrap();
        let endpoint = bind(&peer, "tcp://127.0.0.1:*").unwrap();
        (peer, endpoint)
    }

    fn socket(context: &zmq::Context, kind: zmq::SocketType) -> zmq::Socket {
        let socket = context.socket(kind).unwrap();
        socket.set_immediate(true).unwrap();
        socket.set_linger(0).unwrap();
        socket.set_sndhwm(20).unwrap();
        socket.set_sndtimeo(5_000).unwrap();
        socket.set_rcvtimeo(5_000).unwrap();
        socket
    }

    /// More than the network takes, and the peer reads nothing yet.
    fn send_all_there_is_room_for(push: &zmq::Socket) -> u64 {
        push.send(vec![0; LARGE], 0).unwrap();
        let mut sent = 1;
        loop {
            match push.send(vec![0; LARGE], zmq::DONTWAIT) {
                Ok(()) => sent += 1,
                Err(_) if push.poll(zmq::POLLOUT, 200).unwrap() > 0 => {}
                Err(_) => return sent,
            }
        }
    }

    #[test]
    fn what_is_queued_to_an_address_that_is_let_go_of_goes_out() {
        let context = zmq::Context::new();
        let (peer, endpoint) = peer(&context, zmq::PULL);
        let push = socket(&context, zmq::PUSH);
        let mut in_use = EndpointsInUse::default();
        in_use.replace(&push, None, &endpoint).unwrap();
        let sent = send_all_there_is_room_for(&push);
        assert!(in_use.leave(&push, &endpoint, Duration::from_secs(30)));
        assert_eq!(push.get_linger(), Ok(0));
        assert_eq!(push.send("more", zmq::DONTWAIT), Err(zmq::Error::EAGAIN), "nobody gets anything more");
        for number in 0..sent {
            assert_eq!(peer.recv_bytes(0).unwrap_or_else(|error| panic!("{number} of {sent}: {error}")).len(), LARGE);
        }
    }

    #[test]
    fn what_is_not_taken_in_time_is_counted() {
        let context = zmq::Context::new();
        let (peer, endpoint) = peer(&context, zmq::PULL);
        let mut push = socket(&context, zmq::PUSH);
        let statistics = Arc::<SocketStatistics>::default();
        let _monitor = Monitor::attach(&context, &mut push, "test", false, Arc::clone(&statistics)).unwrap();
        let mut in_use = EndpointsInUse::default();
        in_use.replace(&push, None, &endpoint).unwrap();
        let sent = send_all_there_is_room_for(&push);
        assert!(in_use.leave(&push, &endpoint, Duration::from_millis(1)));
        let began = Instant::now();
        while statistics.peer_queues.cut_off() == 0 {
            assert!(began.elapsed() < Duration::from_secs(20), "nothing was counted");
            push.get_events().unwrap();
        }
        peer.set_rcvtimeo(500).unwrap();
        let mut received = 0;
        while peer.recv_bytes(0).is_ok() {
            received += 1;
        }
        // One may have been half sent.
        let missing = sent - received - statistics.peer_queues.cut_off();
        assert!(missing <= 1, "{missing} of {sent}");
    }

    #[test]
    fn what_came_from_an_address_that_is_let_go_of_can_be_read() {
        let context = zmq::Context::new();
        let (peer, endpoint) = peer(&context, zmq::PUSH);
        let pull = socket(&context, zmq::PULL);
        let mut in_use = EndpointsInUse::default();
        in_use.replace(&pull, None, &endpoint).unwrap();
        peer.send("x", 0).unwrap();
        assert!(pull.poll(zmq::POLLIN, 5_000).unwrap() > 0);
        assert!(in_use.leave(&pull, &endpoint, Duration::ZERO));
        assert_eq!(pull.recv_bytes(0), Ok(b"x".to_vec()));
    }

    #[test]
    fn two_that_want_one_endpoint_have_one_connection_until_both_leave() {
        let context = zmq::Context::new();
        let (peer, endpoint) = peer(&context, zmq::PULL);
        let push = socket(&context, zmq::PUSH);
        let mut in_use = EndpointsInUse::default();
        in_use.replace(&push, None, &endpoint).unwrap();
        in_use.replace(&push, None, &endpoint).unwrap();
        in_use.replace(&push, Some(&endpoint), &endpoint).unwrap();
        assert!(!in_use.leave(&push, &endpoint, Duration::ZERO));
        push.send("still", 0).unwrap();
        assert_eq!(peer.recv_bytes(0), Ok(b"still".to_vec()));
        assert!(in_use.leave(&push, &endpoint, Duration::ZERO));
        assert!(!in_use.leave(&push, &endpoint, Duration::ZERO));
    }
}
