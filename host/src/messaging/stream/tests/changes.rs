//! What changes while other sockets run: flows, sockets, pauses, peers that go and come.

use super::*;
use crate::flow::Command as SurfaceCommand;

#[test]
fn a_subscriber_serves_several_flows_and_counts_what_one_has_no_room_for() {
    let (fixture, (peer, endpoint)) = (Fixture::new(), bound_peer(zmq::XPUB));
    let (wide, narrow) = (fixture.inlet(100), fixture.inlet(3));
    let config = config::Socket { subscribe: vec!["a".to_owned()], ..connected(SocketType::Sub, &endpoint) };
    let _socket = fixture.open(config, vec![Arc::clone(&narrow), Arc::clone(&wide)]);
    assert_eq!(peer.recv_bytes(0), Ok(b"\x01a".to_vec()));
    for number in 0..10u8 {
        peer.send_multipart([&b"b"[..], &[number]], 0).expect("room");
        peer.send_multipart([&b"ab"[..], &[number]], 0).expect("room");
    }
    for number in 0..10 {
        assert_eq!(plain(&take(&wide).frames), [b"ab".to_vec(), vec![number]]);
    }
    assert_eq!((0..3).map(|_| take(&narrow).frames[1][0]).collect::<Vec<_>>(), [0, 1, 2]);
    wait_until("all are counted", || fixture.reads.figures().out == 10);
    assert_eq!(fixture.flow.figures().dropped(Reason::FlowFull), 7);
    fixture.check();
}

#[test]
fn gaps_in_numbers_are_counted_and_what_is_no_number_ends_nothing() {
    let (fixture, (peer, endpoint)) = (Fixture::new(), bound_peer(zmq::PUSH));
    let inlet = fixture.inlet(100);
    let config = config::Socket { sequence: Some(1), ..connected(SocketType::Pull, &endpoint) };
    let socket = fixture.open(config, vec![Arc::clone(&inlet)]);
    let number = |number: u64| vec![b"topic".to_vec(), number.to_be_bytes().to_vec()];
    let messages = [number(7), number(8), number(12), vec![b"topic".to_vec()], number(1), number(2), number(4)];
    messages.iter().for_each(|message| peer.send_multipart(message, 0).expect("room"));
    messages.iter().for_each(|message| assert_eq!(plain(&take(&inlet).frames), *message));
    let mut statistics = crate::flow::Statistics::default();
    socket.statistics(&mut statistics);
    let value = |name| {
        let families = statistics.clone().into_families();
        families.iter().find(|family| family.described.0 == name).expect("it is counted").samples[0].1
    };
    assert_eq!(
        ["socket_sequence_gaps", "socket_sequence_missing_messages", "socket_sequence_unreadable"].map(value),
        [2, 4, 1]
    );
    fixture.check();
}

#[test]
fn a_socket_that_is_paused_or_without_a_flow_leaves_messages_to_their_sender() {
    let fixture = Fixture::new();
    let socket = fixture.open(bound(SocketType::Pull, "tcp://127.0.0.1:*"), Vec::new());
    let peer = connected_peer(zmq::PUSH, &socket);
    peer.send("1", 0).expect("room");
    wait_until("the peer", || socket.figures().peer_count() == 1);
    let first = fixture.inlet(1);
    socket.set_inlets(vec![Arc::clone(&first)]);
    assert_eq!(take(&first).frames[0], "1");
    socket.command(SurfaceCommand::Pause).expect("it reads");
    assert_eq!(socket.health().state, crate::flow::State::Paused);
    peer.send("2", 0).expect("room");
    socket.command(SurfaceCommand::Resume).expect("it reads");
    assert_eq!(take(&first).frames[0], "2");
    // One that is held for a flow that ends goes to the next flow.
    ["3", "4"].iter().for_each(|text| peer.send(*text, 0).expect("room"));
    wait_until("one is held", || socket.status().is_some_and(|status| status.counts["held_messages"] == 1));
    first.close();
    let second = fixture.inlet(1);
    socket.set_inlets(vec![Arc::clone(&second)]);
    assert_eq!((take(&first).frames[0].clone(), take(&second).frames[0].clone()), ("3".into(), "4".into()));
    wait_until("all are counted", || fixture.reads.figures().out == 4);
    fixture.check();
}

#[test]
fn sockets_come_and_go_beside_one_that_loses_nothing() {
    let fixture = Fixture::new();
    let inlet = fixture.inlet(100_000);
    let socket = fixture.open(bound(SocketType::Pull, "tcp://127.0.0.1:*"), vec![Arc::clone(&inlet)]);
    let peer = connected_peer(zmq::PUSH, &socket);
    let sender = std::thread::spawn(move || {
        for number in 0..20_000 {
            peer.send_multipart(numbered(number), 0).expect("room");
        }
        peer
    });
    let hops = || StreamHops { reads: Some(Arc::default()), writes: None };
    for _ in 0..100 {
        let other = bound(SocketType::Pull, "tcp://127.0.0.1:*");
        let other = fixture.streams.open(settings(other), hops(), Vec::new()).expect("a free port");
        assert_eq!(fixture.end(other, SOON), 0);
    }
    for number in 0..20_000 {
        assert_eq!(plain(&take(&inlet).frames), numbered(number));
    }
    sender.join().expect("it sends");
    let error = fixture.streams.open(settings(bound(SocketType::Pull, &socket.endpoints()[0])), hops(), Vec::new());
    let expected = format!("binding PULL the-socket to {}: address in use", socket.endpoints()[0]);
    assert_eq!(error.err().map(|error| error.to_string()), Some(expected));
    fixture.check();
}

#[test]
fn a_peer_that_goes_and_comes_back_gets_what_waited() {
    let fixture = Fixture::new();
    let socket = fixture.open(bound(SocketType::Push, "tcp://127.0.0.1:*"), Vec::new());
    let sink = socket.sink().expect("it writes");
    let first = connected_peer(zmq::PULL, &socket);
    sink.offer(&message(&numbered(0))).map(drop).expect("room");
    assert_eq!(first.recv_multipart(0).expect("a message"), numbered(0));
    drop(first);
    wait_until("it is gone", || socket.figures().peer_count() == 0);
    (1..500).for_each(|number| sink.offer(&message(&numbered(number))).map(drop).expect("room"));
    let second = connected_peer(zmq::PULL, &socket);
    (1..500).for_each(|number| assert_eq!(second.recv_multipart(0).expect("a message"), numbered(number)));
    wait_until("all are counted", || fixture.writes.figures().out == 500);
    fixture.check();
}

#[test]
fn a_name_that_stands_for_nothing_stops_nobody_and_is_told() {
    let fixture = Fixture::new();
    let nowhere = fixture.open(connected(SocketType::Pull, "tcp://nowhere.invalid:5555"), vec![fixture.inlet(1)]);
    let (peer, endpoint) = bound_peer(zmq::PUSH);
    let inlet = fixture.inlet(1);
    let port = endpoint.rsplit(':').next().expect("a port");
    let by_name = format!("tcp://localhost:{port}");
    let _known = fixture.open(connected(SocketType::Pull, &by_name), vec![Arc::clone(&inlet)]);
    peer.send("hello", 0).expect("room");
    assert_eq!(take(&inlet).frames[0], "hello");
    wait_until("it is told", || nowhere.health().obstacle.is_some_and(|why| why.contains("nowhere.invalid")));
    fixture.check();
}
