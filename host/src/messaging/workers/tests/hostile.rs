//! Workers that say what they must not, while another one goes on.

use super::*;

/// Another worker is asked and answers, whatever a hostile one did.
fn check_others(fixture: &Fixture) {
    let good = RawWorker::majordomo(fixture);
    let asked = fixture.ask("for the good one");
    let (token, _) = good.take();
    good.answer(&token, b"fine");
    assert_eq!(fixture.told(asked), Ok(vec![vec!["fine".to_owned()]]));
}

#[test]
fn unexpected_and_malformed_commands_end_one_session() {
    for what in [
        &[&b"MDPW02"[..], b"\x01", b"score"][..],
        &[b"MDPW02", b"\x04", b"999", b"", b"x"],
        &[b"MDPW02", b"\x04", b"\xff\xfe", b"", b"x"],
        &[b"MDPW02", b"\x02", b"1", b"", b"x"],
        &[b"MDPW02", b"\x09"],
        &[b"nonsense"],
        &[b""],
    ] {
        let fixture = Fixture::new(|config| config.retry = Retry::Always);
        let hostile = RawWorker::majordomo(&fixture);
        let asked = fixture.ask("hello");
        hostile.take();
        hostile.say(what);
        assert_eq!(hostile.hear(), [&b"MDPW02"[..], b"\x06"], "{what:?}");
        // What it had, another one gets.
        let good = RawWorker::majordomo(&fixture);
        let (token, _) = good.take();
        good.answer(&token, b"fine");
        assert_eq!(fixture.told(asked), Ok(vec![vec!["fine".to_owned()]]), "{what:?}");
        fixture.end();
    }
}

#[test]
fn a_worker_of_another_service_is_sent_away_and_a_stranger_is_ignored() {
    let fixture = Fixture::new(|_| {});
    let other = RawWorker::connect(zmq::DEALER, &fixture);
    other.say(&[b"MDPW02", b"\x01", b"other"]);
    assert_eq!(other.hear(), [&b"MDPW02"[..], b"\x06"]);
    let stranger = RawWorker::connect(zmq::DEALER, &fixture);
    for what in [&[&b"GET / HTTP/1.1"[..]][..], &[b""], &[b"MDPW02"], &[b"1", b"", b"x"]] {
        stranger.say(what);
    }
    check_others(&fixture);
    fixture.end();
}

#[test]
fn an_answer_to_what_another_worker_has_goes_nowhere() {
    let fixture = Fixture::new(|_| {});
    let good = RawWorker::majordomo(&fixture);
    let asked = fixture.ask("hello");
    let (token, _) = good.take();
    let thief = RawWorker::majordomo(&fixture);
    thief.answer(&token, b"forged");
    assert_eq!(thief.hear(), [&b"MDPW02"[..], b"\x06"]);
    assert_eq!(fixture.refused_answers(Reason::Unexpected), 1);
    good.answer(&token, b"true");
    assert_eq!(fixture.told(asked), Ok(vec![vec!["true".to_owned()]]));
    fixture.end();
}

#[test]
fn a_second_answer_is_not_delivered() {
    let fixture = Fixture::new(|_| {});
    let worker = RawWorker::connect(zmq::DEALER, &fixture);
    worker.say(&[b"\x01"]);
    let asked = fixture.ask("hello");
    let frames = worker.hear();
    worker.say(&[&frames[0], b"", b"one"]);
    worker.say(&[&frames[0], b"", b"two"]);
    assert_eq!(fixture.told(asked), Ok(vec![vec!["one".to_owned()]]));
    fixture.wait_for("it is counted", |_| fixture.refused_answers(Reason::Unexpected) == 1);
    assert_eq!(fixture.status().idle, 1, "Paranoid Pirate knows no DISCONNECT");
    fixture.end();
}

#[test]
fn who_floods_is_cut_off() {
    let fixture = Fixture::new(|_| {});
    let hostile = RawWorker::majordomo(&fixture);
    let monitored = fixture.pool.control.statistics.clone();
    let cut_off = || monitored.cut_off.load(std::sync::atomic::Ordering::Relaxed);
    let began = Instant::now();
    while cut_off() == 0 {
        assert!(began.elapsed() < SOON, "it floods for ever");
        for _ in 0..100 {
            let _ = hostile.0.send_multipart([&b"MDPW02"[..], b"\x05"], zmq::DONTWAIT);
        }
    }
    drop(hostile);
    check_others(&fixture);
    fixture.end();
}

#[test]
fn an_answer_that_is_too_large_for_a_peer_is_asked_of_no_other() {
    let frames = vec![b"x"; config::Messaging::default().frames_max + 6];
    for is_one_frame in [true, false] {
        let fixture = Fixture::new(|config| config.retry = Retry::Always);
        let hostile = RawWorker::majordomo(&fixture);
        let asked = fixture.ask("hello");
        let (token, _) = hostile.take();
        match is_one_frame {
            true => hostile.answer(&token, &vec![b'x'; 2 << 20]),
            false => {
                let head = [&b"MDPW02"[..], b"\x04", &token, b""];
                hostile.say(&head.into_iter().chain(frames.iter().map(|frame| &frame[..])).collect::<Vec<_>>());
            }
        }
        let failure = fixture.told(asked).expect_err("it is too large");
        assert_eq!((failure.reason, fixture.status().retries), (Reason::OverOutput, 0), "{failure:?}");
        drop(hostile);
        fixture.wait_for("it has gone", |status| status.workers.is_empty());
        check_others(&fixture);
        fixture.end();
    }
}

#[test]
fn a_worker_whose_protocol_has_no_disconnect_loses_its_connection_and_its_message() {
    for (kind, ready) in [(zmq::DEALER, &b"\x01"[..]), (zmq::REQ, b"READY")] {
        let fixture = Fixture::new(|_| {});
        let hostile = RawWorker::connect(kind, &fixture);
        hostile.say(&[ready]);
        let asked = fixture.ask("hello");
        let frames = hostile.hear();
        hostile.say(&[frames.last().expect("a body")]);
        assert_eq!(fixture.told(asked).expect_err("it is lost").reason, Reason::WorkerLost);
        check_others(&fixture);
        fixture.end();
    }
}

#[test]
fn a_second_connection_with_its_identity_takes_a_workers_place() {
    let fixture = Fixture::new(|config| config.retry = Retry::Always);
    let named = || {
        let worker = RawWorker::connect(zmq::DEALER, &fixture);
        worker.0.disconnect(fixture.pool.endpoint().as_str()).expect("not connected");
        worker.0.set_identity(b"\xff\x00name").expect("an identity");
        worker.0.connect(fixture.pool.endpoint().as_str()).expect("a connection");
        worker.say(&[b"MDPW02", b"\x01", b"score"]);
        worker
    };
    let first = named();
    let asked = fixture.ask("hello");
    first.take();
    let second = named();
    let (token, body) = second.take();
    assert_eq!((body.as_str(), fixture.status().workers.len()), ("hello", 1));
    assert_eq!(fixture.status().workers[0].identity, "0xff006e616d65");
    second.answer(&token, b"fine");
    assert_eq!(fixture.told(asked), Ok(vec![vec!["fine".to_owned()]]));
    fixture.end();
}
