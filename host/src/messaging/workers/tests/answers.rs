//! What workers get and answer, in each protocol.

use super::*;
use futures_util::StreamExt;

#[test]
fn each_protocol_is_told_by_the_first_message() {
    let fixture = Fixture::new(|_| {});
    for (kind, ready, name, request, reply) in [
        (
            zmq::DEALER,
            &[&b"MDPW02"[..], b"\x01", b"score"][..],
            "mdp-0.2",
            &["MDPW02", "\x02"][..],
            &["MDPW02", "\x04"][..],
        ),
        (
            zmq::DEALER,
            &[b"", b"MDPW01", b"\x01", b"score"],
            "mdp-0.1",
            &["", "MDPW01", "\x02"],
            &["", "MDPW01", "\x03"],
        ),
        (zmq::DEALER, &[b"\x01"], "ppp", &[], &[]),
        (zmq::REQ, &[b"READY"], "req", &[], &[]),
    ] {
        let worker = RawWorker::connect(kind, &fixture);
        worker.say(ready);
        fixture.wait_for(name, |status| status.workers.iter().any(|worker| worker.protocol == name));
        let asked = fixture.ask("hello");
        let frames = worker.hear();
        let head: Vec<_> = frames.iter().map(|frame| text(frame)).collect();
        assert_eq!(head[..request.len()], *request, "{name}");
        let [token, empty, body] = &head[request.len()..] else { panic!("{name}: {frames:?}") };
        assert!(token.parse::<u64>().is_ok() && empty.is_empty() && body == "hello", "{name}: {frames:?}");
        let answer = reply.iter().map(|frame| frame.as_bytes()).chain([token.as_bytes(), b"", b"a", b"b"]);
        worker.say(&answer.collect::<Vec<_>>());
        assert_eq!(fixture.told(asked), Ok(vec![vec!["a".to_owned(), "b".to_owned()]]), "{name}");
        drop(worker);
        fixture.wait_for("it has gone", |status| status.workers.is_empty());
    }
    fixture.end();
}

#[test]
fn rep_workers_are_asked_in_turn() {
    let fixture = Fixture::new(|config| config.protocol = WorkerProtocol::Rep);
    let workers = [0, 1].map(|_| RawWorker::connect(zmq::REP, &fixture));
    fixture.wait_for("both", |status| status.idle == 2 && status.workers.len() == 2);
    let asked = ["x", "y"].map(|body| fixture.ask(body));
    for worker in workers {
        let frames = worker.hear();
        worker.say(&[b"got", &frames[0]]);
    }
    let told = asked.map(|asked| fixture.told(asked).expect("an answer"));
    assert_eq!(told, [["got", "x"], ["got", "y"]].map(|frames| vec![frames.map(str::to_owned).to_vec()]));
    fixture.end();
}

#[test]
fn several_parts_are_several_messages() {
    let fixture = Fixture::new(|_| {});
    let worker = RawWorker::majordomo(&fixture);
    for (last, expected) in [(&[&b"c"[..]][..], &["a", "b", "c"][..]), (&[], &["a", "b"])] {
        let asked = fixture.ask("hello");
        let (token, _) = worker.take();
        for part in ["a", "b"] {
            worker.say(&[b"MDPW02", b"\x03", &token, b"", part.as_bytes()]);
        }
        worker.say(&[&[&b"MDPW02"[..], b"\x04", &token, b""], last].concat());
        let expected = expected.iter().map(|part| vec![(*part).to_owned()]).collect();
        assert_eq!(fixture.told(asked), Ok(expected));
    }
    fixture.end();
}

#[test]
fn parts_are_passed_on_as_they_come() {
    let fixture = Fixture::new(|_| {});
    let worker = RawWorker::majordomo(&fixture);
    let stage = fixture.pool.stage(false);
    let asked = fixture.runtime.spawn(async move { stage.stream(Message::default(), 1).await });
    let frames = worker.hear();
    let part = |command: &[u8], body: &[u8]| worker.say(&[b"MDPW02", command, &frames[2], b"", body]);
    part(b"\x03", b"first");
    // It comes although the answer is not whole.
    let Streamed { first, further } = fixture.block_on(asked).expect("no panic");
    assert_eq!(first.result.expect("a part")[0].message.frames[0], "first");
    let mut further = further.expect("more");
    part(b"\x04", b"last");
    let last = fixture.block_on(further.next()).expect("a part").expect("no failure");
    assert_eq!(last.message.frames[0], "last");
    assert!(fixture.block_on(further.next()).is_none());
    drop(further);
    fixture.end();
}

#[test]
fn a_stream_that_nobody_reads_is_bounded() {
    let fixture = Fixture::new(|_| {});
    let worker = RawWorker::majordomo(&fixture);
    let stage = fixture.pool.stage(false);
    let asked = fixture.runtime.spawn(async move { stage.stream(Message::default(), 1).await });
    let frames = worker.hear();
    for _ in 0..20 {
        worker.say(&[b"MDPW02", b"\x03", &frames[2], b"", &[b'x'; 1_000]]);
    }
    let Streamed { first, further } = fixture.block_on(asked).expect("no panic");
    assert!(first.result.is_ok());
    fixture.wait_for("too much", |_| fixture.refused_answers(Reason::ClientFull) == 1);
    let parts: Vec<_> = fixture.block_on(further.expect("more").collect());
    let failed = parts.last().expect("an end").as_ref().expect_err("it is broken off");
    assert_eq!((failed.failure.reason, failed.failure.fault), (Reason::ClientFull, Fault::Sender));
    assert!(parts.len() <= 11, "{} parts", parts.len());
    fixture.end();
}

#[test]
fn answers_are_bounded() {
    let fixture = Fixture::new(|_| {});
    let worker = RawWorker::majordomo(&fixture);
    let asked = fixture.ask("hello");
    let (token, _) = worker.take();
    worker.answer(&token, &[b'x'; 10_001]);
    let failure = fixture.told(asked).expect_err("it is too large");
    assert_eq!((failure.reason, failure.fault), (Reason::OverOutput, Fault::Stage));
    assert!(failure.detail.contains("answer_bytes_max 10000"), "{failure:?}");
    // The worker goes on.
    let asked = fixture.ask("again");
    let (token, _) = worker.take();
    worker.answer(&token, &[b'x'; 10_000]);
    assert_eq!(fixture.told(asked).expect("an answer")[0][0].len(), 10_000);
    fixture.end();
}

#[test]
fn what_is_no_answer_in_the_codec_is_said() {
    let fixture = Fixture::new(|config| config.codec = WorkerCodec::Zhttp);
    let worker = RawWorker::majordomo(&fixture);
    let asked = fixture.ask("hello");
    let (token, _) = worker.take();
    worker.answer(&token, b"not a tnetstring");
    let failure = fixture.told(asked).expect_err("no answer");
    assert_eq!((failure.reason, fixture.dropped(Reason::BadResponse)), (Reason::BadResponse, 1));
    assert!(failure.detail.starts_with("what a worker of workers.score answered is no answer: "), "{failure:?}");
    fixture.end();
}
