//! Peers that break the rules, beside one that does not; and CURVE.

use super::*;
use crate::messaging::curve::key::KeyPair;
use std::io::Write;
use std::net::TcpStream;

/// A PULL with an honest peer, whose messages come through whatever `abuse` does.
fn beside_an_honest_peer(messaging: Messaging, abuse: impl FnOnce(&Fixture, &StreamSocket)) {
    let fixture = Fixture::with(messaging, None);
    let inlet = fixture.inlet(10);
    let socket = fixture.open(bound(SocketType::Pull, "tcp://127.0.0.1:*"), vec![Arc::clone(&inlet)]);
    let honest = connected_peer(zmq::PUSH, &socket);
    honest.send("before", 0).expect("room");
    assert_eq!(take(&inlet).frames[0], "before");
    abuse(&fixture, &socket);
    honest.send("after", 0).expect("room");
    assert_eq!(take(&inlet).frames[0], "after");
    fixture.check();
}

#[test]
fn garbage_half_a_handshake_and_a_flood_of_connections_hurt_nobody() {
    let messaging = Messaging { handshake_timeout_ms: 200, ..Messaging::default() };
    beside_an_honest_peer(messaging, |_, socket| {
        let address = socket.endpoints()[0].strip_prefix("tcp://").expect("an address").to_owned();
        let connect = || TcpStream::connect(&address).expect("a connection");
        let mut half = connect();
        half.write_all(b"\xff\0\0\0\0\0\0\0\x01\x7f\x03").expect("a connection");
        // The greeting of a version of today, and what is none of its mechanisms. Without it any bytes would be messages of
        // the first version of the protocol, which libzmq still takes.
        let garbage = [&b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0"[..], &[b'x'; 1_000]].concat();
        for _ in 0..200 {
            // It may have been cut off already.
            let _ = connect().write_all(&garbage);
        }
        wait_until("they are refused", || socket.figures().handshakes_refused().values().sum::<u64>() >= 100);
    });
}

#[test]
fn a_socket_of_another_kind_is_refused() {
    beside_an_honest_peer(Messaging::default(), |_, socket| {
        let _stranger = connected_peer(zmq::SUB, socket);
        wait_until("it is refused", || !socket.figures().handshakes_refused().is_empty());
    });
}

#[test]
fn a_message_that_is_too_large_is_counted_or_ends_its_connection() {
    let messaging = Messaging { frame_bytes_max: 1_000, frames_max: 3, ..Messaging::default() };
    beside_an_honest_peer(messaging, |fixture, socket| {
        let peer = connected_peer(zmq::PUSH, socket);
        peer.send_multipart(["1", "2", "3", "4"], 0).expect("room");
        wait_until("it is counted", || fixture.reads.figures().dropped(Reason::TooLarge) == 1);
        peer.send(vec![0; 100_000], 0).expect("room");
        wait_until("it is cut off", || socket.figures().cut_off.load(Ordering::Relaxed) > 0);
    });
}

#[test]
fn the_second_peer_of_a_pair_takes_nothing_from_the_first() {
    let fixture = Fixture::new();
    let inlet = fixture.inlet(10);
    let socket = fixture.open(bound(SocketType::Pair, "tcp://127.0.0.1:*"), vec![Arc::clone(&inlet)]);
    let first = connected_peer(zmq::PAIR, &socket);
    first.send("hello", 0).expect("room");
    assert_eq!(take(&inlet).frames[0], "hello");
    let second = connected_peer(zmq::PAIR, &socket);
    second.send("me too", 0).expect("room");
    let sink = socket.sink().expect("it writes");
    for number in 0..100 {
        sink.offer(&message(&numbered(number))).map(drop).expect("room");
        assert_eq!(first.recv_multipart(0).expect("a message"), numbered(number));
    }
    first.send("still here", 0).expect("room");
    assert_eq!(take(&inlet).frames[0], "still here");
    fixture.check();
}

#[test]
fn with_curve_a_key_gets_in_signs_its_messages_and_is_cut_off_when_it_is_removed() {
    let directory = tempfile::tempdir().expect("a directory");
    let (host, client) = (KeyPair::generate().expect("a pair"), KeyPair::generate().expect("a pair"));
    std::fs::write(directory.path().join("secret.key"), &host.secret).expect("a file");
    std::fs::create_dir(directory.path().join("keys")).expect("a folder");
    let key_file = directory.path().join("keys/client.key");
    std::fs::write(&key_file, &client.public).expect("a file");
    let (secret, keys) = (directory.path().join("secret.key"), directory.path().join("keys"));
    let curve = Curve::load(&secret, &keys, &Supervisor::default()).expect("sound");
    let fixture = Fixture::with(Messaging::default(), Some(curve));
    let inlet = fixture.inlet(10);
    let server = fixture.open(bound(SocketType::Pull, "tcp://127.0.0.1:*"), vec![Arc::clone(&inlet)]);
    let plain_peer = connected_peer(zmq::PUSH, &server);
    plain_peer.send("in the open", 0).expect("room");
    // The client is a socket of the streams too.
    let keys = ClientKeys { server: host.public.clone(), pair: client.clone() };
    let settings = SocketSettings { keys: Some(keys), ..settings(connected(SocketType::Push, &server.endpoints()[0])) };
    let client_socket = fixture.streams.open(settings, fixture.hops(), Vec::new()).expect("it is opened");
    let sink = client_socket.sink().expect("it writes");
    sink.offer(&message(&numbered(1))).map(drop).expect("room");
    let message = take(&inlet);
    assert_eq!(plain(&message.frames), numbered(1));
    assert!(message.metadata.contains(&("tidegate.curve-key".to_owned(), client.public.clone())));
    std::fs::remove_file(&key_file).expect("it is there");
    wait_until("it is cut off", || server.figures().peer_count() == 0);
    assert!(inlet.is_empty(), "a peer without a key gets in");
    assert_eq!(fixture.supervisor.deaths(), []);
}
