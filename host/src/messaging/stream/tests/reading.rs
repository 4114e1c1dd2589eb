//! What comes in: from each kind of peer, in order, and held where a flow has no room.

use super::*;

/// The kinds of socket that read, with their peers.
const READERS: [(SocketType, zmq::SocketType); 3] =
    [(SocketType::Sub, zmq::XPUB), (SocketType::Pull, zmq::PUSH), (SocketType::Pair, zmq::PAIR)];
const MANY: u64 = 5_000;

fn send_many(peer: &zmq::Socket) {
    for number in 0..MANY {
        peer.send_multipart(numbered(number), 0).expect("room");
    }
}

/// A publisher drops what it sends before it knows of a subscription.
fn wait_for_subscription(peer: &zmq::Socket, kind: SocketType) {
    if kind == SocketType::Sub {
        assert_eq!(peer.recv_bytes(0), Ok(vec![1]));
    }
}

fn expect_many(fixture: &Fixture, inlet: &Inlet) {
    for number in 0..MANY {
        let message = take(inlet);
        assert_eq!(plain(&message.frames), numbered(number));
        assert_eq!(message.metadata, [("tidegate.socket".to_owned(), "source".to_owned())]);
    }
    wait_until("all are counted", || fixture.reads.figures().out == MANY);
    fixture.check();
}

#[test]
fn a_socket_that_connects_reads_each_kind_of_peer_in_order() {
    for (kind, peers) in READERS {
        let (fixture, (peer, endpoint)) = (Fixture::new(), bound_peer(peers));
        let inlet = fixture.inlet(10_000);
        let socket = fixture.open(connected(kind, &endpoint), vec![Arc::clone(&inlet)]);
        wait_for_subscription(&peer, kind);
        send_many(&peer);
        expect_many(&fixture, &inlet);
        assert_eq!(fixture.end(socket, SOON), 0);
    }
}

#[test]
fn one_that_binds_does_too_over_tcp_ipv6_and_ipc() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = format!("ipc://{}/socket", directory.path().display());
    for endpoint in ["tcp://127.0.0.1:*", "tcp://[::1]:*", &path] {
        for (kind, peers) in READERS {
            let fixture = Fixture::new();
            let inlet = fixture.inlet(10_000);
            let socket = fixture.open(bound(kind, endpoint), vec![Arc::clone(&inlet)]);
            let peer = connected_peer(peers, &socket);
            wait_for_subscription(&peer, kind);
            send_many(&peer);
            expect_many(&fixture, &inlet);
            assert_eq!(fixture.end(socket, SOON), 0);
        }
    }
}

#[test]
fn a_message_is_held_while_a_flow_has_no_room_and_none_is_lost() {
    for kind in [SocketType::Pull, SocketType::Pair] {
        let fixture = Fixture::new();
        let inlet = fixture.inlet(2);
        let socket = fixture.open(bound(kind, "tcp://127.0.0.1:*"), vec![Arc::clone(&inlet)]);
        let peers = if kind == SocketType::Pull { zmq::PUSH } else { zmq::PAIR };
        let peer = connected_peer(peers, &socket);
        (0..100).for_each(|number| peer.send_multipart(numbered(number), 0).expect("room"));
        wait_until("one is held", || socket.status().is_some_and(|status| status.counts["held_messages"] == 1));
        let counts = fixture.reads.figures();
        assert_eq!((counts.entered, counts.out, counts.in_flight), (3, 2, 1));
        for number in 0..100 {
            assert_eq!(plain(&take(&inlet).frames), numbered(number));
        }
        wait_until("all are counted", || fixture.reads.figures().out == 100);
        assert_eq!(fixture.flow.figures().dropped(Reason::FlowFull), 0);
        fixture.check();
    }
}
