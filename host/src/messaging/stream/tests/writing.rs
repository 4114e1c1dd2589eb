//! What goes out: to each kind of peer, in order, and kept where none takes it.

use super::*;

/// The kinds of socket that write, with their peers.
const WRITERS: [(SocketType, zmq::SocketType); 2] = [(SocketType::Push, zmq::PULL), (SocketType::Pair, zmq::PAIR)];
const MANY: u64 = 5_000;

/// Offers messages to the sink of a socket, waiting for room as a flow does.
fn offer_many(socket: &StreamSocket, numbers: std::ops::Range<u64>) {
    let sink = socket.sink().expect("it writes");
    for number in numbers {
        let message = message(&numbered(number));
        while let Err(error) = sink.offer(&message) {
            assert!(matches!(error, OfferError::Full(_)), "{error}");
            block_on(poll_fn(|context| match sink.await_room(message.bytes(), context.waker()) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }));
        }
    }
}

fn expect(peer: &zmq::Socket, numbers: std::ops::Range<u64>) {
    for number in numbers {
        assert_eq!(peer.recv_multipart(0).expect("a message"), numbered(number));
    }
}

#[test]
fn each_kind_of_peer_gets_all_in_order() {
    for (kind, peers) in WRITERS {
        for binds in [false, true] {
            let fixture = Fixture::new();
            let (peer, socket) = if binds {
                let socket = fixture.open(bound(kind, "tcp://127.0.0.1:*"), Vec::new());
                (connected_peer(peers, &socket), socket)
            } else {
                let (peer, endpoint) = bound_peer(peers);
                (peer, fixture.open(connected(kind, &endpoint), Vec::new()))
            };
            std::thread::scope(|scope| {
                scope.spawn(|| offer_many(&socket, 0..MANY));
                expect(&peer, 0..MANY);
            });
            wait_until("all are counted", || fixture.writes.figures().out == MANY);
            fixture.check();
            assert_eq!(fixture.end(socket, SOON), 0);
        }
    }
}

#[test]
fn without_a_peer_messages_wait_and_the_first_one_gets_them() {
    for (kind, peers) in WRITERS {
        let fixture = Fixture::new();
        let config = config::Socket { queue_messages_max: Some(10), ..bound(kind, "tcp://127.0.0.1:*") };
        let socket = fixture.open(config, Vec::new());
        offer_many(&socket, 0..10);
        let refused = socket.sink().expect("it writes").offer(&message(&numbered(10)));
        let Err(OfferError::Full(text)) = refused.map(|_| ()) else { panic!("it has room") };
        assert_eq!(text, "the-socket has 10 messages to send, which is queue_messages_max");
        let counts = fixture.writes.figures();
        assert_eq!((counts.entered, counts.out, counts.in_flight), (10, 0, 10));
        expect(&connected_peer(peers, &socket), 0..10);
        wait_until("all are counted", || fixture.writes.figures().out == 10);
        fixture.check();
    }
}

#[test]
fn one_that_drops_counts_what_it_has_no_room_for() {
    let fixture = Fixture::new();
    let config = config::Socket {
        queue_messages_max: Some(10),
        on_full: Some(OnFull::DropNewest),
        ..bound(SocketType::Push, "tcp://127.0.0.1:*")
    };
    let socket = fixture.open(config, Vec::new());
    let sink = socket.sink().expect("it writes");
    for number in 0..15 {
        assert!(matches!(sink.offer(&message(&numbered(number))), Ok(Receipt::Placed)));
    }
    let counts = fixture.writes.figures();
    assert_eq!((counts.entered, counts.in_flight, counts.dropped(Reason::QueueFull)), (15, 10, 5));
    expect(&connected_peer(zmq::PULL, &socket), 0..10);
    fixture.check();
}

#[test]
fn the_end_sends_what_is_queued_and_abandons_what_nobody_takes() {
    let fixture = Fixture::new();
    let socket = fixture.open(bound(SocketType::Push, "tcp://127.0.0.1:*"), Vec::new());
    let peer = connected_peer(zmq::PULL, &socket);
    let sink = socket.sink().expect("it writes");
    offer_many(&socket, 0..MANY);
    assert_eq!(
        std::thread::scope(|scope| {
            scope.spawn(move || expect(&peer, 0..MANY));
            fixture.end(socket, SOON)
        }),
        0
    );
    let closed = sink.offer(&message(&numbered(0))).map(|_| ());
    assert_eq!(closed, Err(OfferError::Closed("the-socket is closed".to_owned())));
    fixture.check();

    let fixture = Fixture::new();
    let socket = fixture.open(bound(SocketType::Push, "tcp://127.0.0.1:*"), Vec::new());
    offer_many(&socket, 0..7);
    assert_eq!(fixture.end(socket, Duration::from_millis(50)), 7);
    assert_eq!(fixture.writes.figures().dropped(Reason::Abandoned), 7);
    fixture.check();
}
