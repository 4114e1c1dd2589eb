//! Workers that die, hang or are too slow, and messages for which there is none.

use super::*;

#[test]
fn a_message_of_a_worker_that_goes_is_lost_or_sent_again() {
    for (retry, is_again) in [(Retry::Never, false), (Retry::Idempotent, false), (Retry::Always, true)] {
        let fixture = Fixture::new(|config| config.retry = retry);
        let worker = RawWorker::majordomo(&fixture);
        let asked = fixture.ask("hello");
        worker.take();
        let other = RawWorker::majordomo(&fixture);
        drop(worker);
        if is_again {
            let (token, body) = other.take();
            assert_eq!(body, "hello");
            other.answer(&token, b"answer");
            let output = fixture.block_on(asked).expect("no panic").result.expect("an answer").remove(0);
            let attempt = ("tidegate.attempt".to_owned(), "2".to_owned());
            assert_eq!(output.message.metadata, [attempt]);
            assert_eq!(fixture.status().retries, 1);
        } else {
            let failure = fixture.told(asked).expect_err("it is lost");
            assert_eq!((failure.reason, failure.fault), (Reason::WorkerLost, Fault::Stage), "{retry:?}");
            assert!(failure.detail.ends_with("its connection ended"), "{failure:?}");
        }
        fixture.end();
    }
}

#[test]
fn an_idempotent_message_is_sent_again_and_not_for_ever() {
    let fixture = Fixture::new(|config| config.retries_max = 2);
    let stage = fixture.pool.stage(true);
    let asked = fixture.runtime.spawn(async move { stage.process(Message::default(), 1).await });
    for _ in 0..3 {
        let worker = RawWorker::majordomo(&fixture);
        worker.hear();
        worker.say(&[b"MDPW02", b"\x06"]);
        fixture.wait_for("it has gone", |status| status.workers.is_empty());
    }
    let failure = fixture.told(asked).expect_err("it is lost");
    assert_eq!(failure.reason, Reason::WorkerLost);
    assert!(failure.detail.contains("as 2 before it"), "{failure:?}");
    fixture.end();
}

#[test]
fn a_silent_worker_is_gone() {
    let fixture = Fixture::new(|config| config.heartbeat_ms = 100);
    let worker = RawWorker::majordomo(&fixture);
    let asked = fixture.ask("hello");
    let (token, _) = worker.take();
    // Its libzmq answers, and it says nothing itself.
    assert_eq!(fixture.told(asked).expect_err("it is lost").reason, Reason::WorkerLost);
    assert!(fixture.status().workers.is_empty());
    worker.answer(&token, b"late");
    fixture.wait_for("it is counted", |_| fixture.refused_answers(Reason::Late) == 1);
    // It is told to begin anew.
    assert_eq!(worker.hear(), [&b"MDPW02"[..], b"\x06"]);
    fixture.end();
}

#[test]
fn a_worker_that_sends_heartbeats_stays_busy_and_gets_nothing_else() {
    let fixture = Fixture::new(|config| (config.deadline_ms, config.wait_ms_max) = (400, 300));
    let worker = RawWorker::majordomo(&fixture);
    let asked = fixture.ask("hello");
    let (token, _) = worker.take();
    let second = fixture.ask("second");
    while !(asked.is_finished() && second.is_finished()) {
        worker.say(&[b"MDPW02", b"\x05"]);
        std::thread::sleep(Duration::from_millis(20));
    }
    let late = fixture.told(asked).expect_err("it is too late");
    assert_eq!((late.reason, late.fault), (Reason::DeadlineExceeded, Fault::Late));
    let none = fixture.told(second).expect_err("nobody is free");
    assert_eq!((none.reason, none.fault, none.retry_after.is_some()), (Reason::NoWorker, Fault::Busy, true));
    let status = fixture.status();
    assert_eq!((status.idle, status.busy, status.in_flight), (0, 1, 1));
    worker.answer(&token, b"late");
    fixture.wait_for("it is free", |status| status.idle == 1 && status.late == 1);
    fixture.end();
}

#[test]
fn a_rep_worker_that_dies_is_noticed_at_the_deadline_and_others_are_asked() {
    let fixture = Fixture::new(|config| {
        (config.protocol, config.deadline_ms) = (WorkerProtocol::Rep, 300);
    });
    for _ in 0..3 {
        let worker = RawWorker::connect(zmq::REP, &fixture);
        fixture.wait_for("it is there", |status| status.idle == 1);
        let asked = fixture.ask("hello");
        worker.hear();
        drop(worker);
        assert_eq!(fixture.told(asked).expect_err("nobody answers").reason, Reason::DeadlineExceeded);
        fixture.wait_for("it has gone", |status| status.idle + status.busy + status.in_flight == 0);
    }
    fixture.end();
}

#[test]
fn a_full_queue_says_so() {
    let fixture = Fixture::new(|config| config.wait_ms_max = 60_000);
    let pool = Arc::clone(&fixture.pool);
    let messages_max = pool.control.queue.messages_max;
    let stage = pool.stage(false);
    let waiting: Vec<_> = (0..messages_max).map(|_| stage.process(Message::default(), 1)).collect();
    let refused = fixture.block_on(stage.process(Message::default(), 1));
    let failure = refused.result.expect_err("no room").failure;
    assert_eq!((failure.reason, failure.fault), (Reason::QueueFull, Fault::Busy));
    assert!(failure.detail.contains("queue_messages_max 65536"), "{failure:?}");
    drop(waiting);
    // Those that nobody waits for are passed over.
    let worker = RawWorker::majordomo(&fixture);
    fixture.wait_for("there is room", |status| status.queue_messages == 0);
    let asked = fixture.ask("hello");
    let (token, body) = worker.take();
    assert_eq!(body, "hello");
    worker.answer(&token, b"answer");
    assert!(fixture.told(asked).is_ok());
    fixture.end();
}

#[test]
fn a_drained_worker_finishes_and_goes() {
    let fixture = Fixture::new(|_| {});
    let worker = RawWorker::majordomo(&fixture);
    let asked = fixture.ask("hello");
    let (token, _) = worker.take();
    let id = fixture.status().workers[0].id;
    assert_eq!(fixture.block_on(fixture.pool.drain(id)), Ok(true));
    assert_eq!(fixture.block_on(fixture.pool.drain(id + 1)), Ok(false));
    worker.answer(&token, b"answer");
    assert_eq!(fixture.told(asked), Ok(vec![vec!["answer".to_owned()]]));
    assert_eq!(worker.hear(), [&b"MDPW02"[..], b"\x06"]);
    assert!(fixture.status().workers.is_empty());
    fixture.end();
}

#[test]
fn a_pool_that_ends_finishes_what_it_has_and_tells_its_workers() {
    let fixture = Fixture::new(|_| {});
    let worker = RawWorker::majordomo(&fixture);
    let asked = fixture.ask("hello");
    let (token, _) = worker.take();
    let pool = Arc::clone(&fixture.pool);
    let ended = fixture.runtime.spawn(async move { pool.end(Instant::now() + SOON).await });
    let began = Instant::now();
    while !fixture.pool.control.jobs.is_closed() {
        assert!(began.elapsed() < SOON);
    }
    let refused = fixture.told(fixture.ask("too late")).expect_err("it takes no more");
    assert_eq!((refused.reason, refused.fault), (Reason::Abandoned, Fault::Busy));
    worker.answer(&token, b"answer");
    assert!(fixture.told(asked).is_ok());
    assert_eq!(worker.hear(), [&b"MDPW02"[..], b"\x06"]);
    fixture.block_on(ended).expect("no panic");
    fixture.end();
}
