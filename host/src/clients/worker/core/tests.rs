//! What a core does in certain cases, step by step.

use super::session::WAITING_BYTES_MAX;
use super::*;

const HEARTBEAT: Duration = Duration::from_secs(1);

/// A core whose host knows it and whose command takes messages.
fn ready_core(end_on_disconnect: bool) -> (WorkerCore, Instant) {
    let now = Instant::now();
    let service = "score".to_owned();
    let mut core = WorkerCore::new(CoreSettings { service, heartbeat: HEARTBEAT, end_on_disconnect, seed: 1 }, now);
    core.tick(now);
    assert_eq!(core.actions(), [Action::Prepare]);
    core.prepared();
    core.tick(now);
    assert_eq!(core.actions(), [Action::Open, Action::Send(majordomo::ready("score"))]);
    core.receive(majordomo::heartbeat(), now);
    assert_eq!(core.actions(), [Action::Tell(News::Ready { again: false })]);
    (core, now)
}

fn request(token: &[u8], body: &[u8]) -> Frames {
    vec![b"MDPW02".to_vec(), vec![2], token.to_vec(), Vec::new(), body.to_vec()]
}

#[test]
fn what_came_before_a_stop_waits_for_the_command_and_is_answered_in_order() {
    let (mut core, now) = ready_core(false);
    core.receive(request(b"A", b"1"), now);
    core.receive(request(b"B", b"2"), now);
    assert_eq!(core.actions(), [Action::Run(vec![b"1".to_vec()])]);
    core.stop(now);
    // What comes from now on is given back: a host that gives several at a time would never be done.
    core.receive(request(b"C", b"3"), now);
    core.answered(b"one".to_vec(), now);
    let answer = |token: &[u8], answer: &[u8]| Action::Send(majordomo::answer(token.to_vec(), answer.to_vec()));
    assert_eq!(core.actions(), [answer(b"A", b"one"), Action::Run(vec![b"2".to_vec()])]);
    core.answered(b"two".to_vec(), now);
    let last =
        [answer(b"B", b"two"), Action::Send(majordomo::disconnect()), Action::Close { flush: true }, Action::End];
    assert_eq!(core.actions(), last);
}

#[test]
fn more_than_a_worker_takes_is_given_back() {
    let (mut core, now) = ready_core(false);
    let large = vec![0; WAITING_BYTES_MAX / 2];
    core.receive(request(b"A", &large), now);
    core.receive(request(b"B", &large), now);
    core.receive(request(b"C", &large), now);
    assert!(matches!(core.actions()[..], [Action::Run(_)]));
    core.receive(request(b"D", b"x"), now);
    let actions = core.actions();
    assert_eq!(actions[..2], [Action::Send(majordomo::disconnect()), Action::Close { flush: true }]);
    // What the command has is finished, for nobody; then the worker comes back.
    core.answered(Vec::new(), now);
    assert_eq!((core.actions(), core.tally().late), (vec![], 1));
    core.tick(now + Duration::from_secs(2));
    assert_eq!(core.actions(), [Action::Open, Action::Send(majordomo::ready("score"))]);
}

#[test]
fn one_that_the_host_sends_away_comes_back_or_ends() {
    for ends in [false, true] {
        let (mut core, now) = ready_core(ends);
        core.receive(majordomo::disconnect(), now);
        let actions = core.actions();
        assert_eq!(actions[0], Action::Close { flush: false });
        assert_eq!(actions.last() == Some(&Action::End), ends);
        core.tick(now + Duration::from_millis(700));
        assert_eq!(core.actions(), []);
        core.tick(now + Duration::from_millis(1_300));
        assert_eq!(core.actions().is_empty(), ends);
    }
}

/// How long the core waits from `now` until it does something.
fn pause(core: &WorkerCore, now: Instant) -> Duration {
    core.next().expect("something that is due") - now
}

fn assert_about(pause: Duration, seconds: u64) {
    let whole = Duration::from_secs(seconds);
    assert!(pause >= whole.mul_f64(0.75) && pause <= whole.mul_f64(1.25), "{pause:?} is not about {seconds} s");
}

#[test]
fn a_command_that_fails_rests_for_longer_each_time_until_it_answers() {
    let (mut core, mut now) = ready_core(false);
    for (seconds, succeeds) in [(1, false), (2, false), (4, true), (1, false)] {
        core.receive(request(b"T", b"x"), now);
        core.failed("died".to_owned(), now);
        assert_about(pause(&core, now), seconds);
        assert_eq!(core.actions().last(), Some(&Action::Close { flush: true }));
        now = core.next().unwrap();
        core.tick(now);
        core.prepared();
        core.tick(now);
        core.receive(majordomo::heartbeat(), now);
        if succeeds {
            core.receive(request(b"T", b"x"), now);
            core.answered(Vec::new(), now);
        }
        core.actions();
    }
    assert_eq!((core.tally().answered, core.tally().failed), (1, 4));
}

#[test]
fn a_host_that_says_nothing_is_tried_less_and_less_often_and_told_of_once() {
    let (mut core, mut now) = ready_core(false);
    let mut told = Vec::new();
    for seconds in [1, 2, 4, 8] {
        while matches!(core.host, Host::Near(_)) {
            now = core.next().unwrap();
            core.tick(now);
        }
        assert_about(pause(&core, now), seconds);
        told.extend(core.actions().into_iter().filter(|action| matches!(action, Action::Tell(_))));
        now = core.next().unwrap();
        core.tick(now);
    }
    assert!(matches!(told[..], [Action::Tell(News::Lost { loss: Loss::Silent, .. })]), "{told:?}");
    core.actions();
    core.receive(majordomo::heartbeat(), now);
    assert_eq!(core.actions(), [Action::Tell(News::Ready { again: true })]);
    core.receive(majordomo::disconnect(), now);
    assert_about(pause(&core, now), 1);
}
