//! What watches see, and what they do not.

use super::*;
use crate::config::{TAIL_FRAME_BYTES_MAX, TAIL_QUEUE_MESSAGES_MAX};
use crate::flow::Message;
use futures_util::FutureExt;

fn all() -> Choice {
    Choice { place: None, topic: Vec::new(), text: Vec::new(), rate: 1_000, with_bodies: false }
}

fn message(topic: &'static str, body: impl Into<bytes::Bytes>) -> Message {
    let metadata = [("tidegate.request-id", "7"), ("query.key", "hidden-value")];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    Message::of_topic(topic, metadata, body.into())
}

fn pass(taps: &Taps, place: Place<'_>, message: &Message) {
    taps.see(|| Passing::of(Point::In, place, message));
}

fn next(watch: &Watch) -> Option<Seen> {
    watch.next().now_or_never().flatten()
}

#[test]
fn nothing_is_made_up_while_nobody_watches() {
    let taps = Taps::default();
    taps.see(|| unreachable!("nobody watches"));
    let watch = taps.watch(all(), 1).expect("room");
    assert!(taps.watch(all(), 1).is_none(), "there may be one");
    pass(&taps, Place::Flow("f"), &message("t", "b"));
    assert!(next(&watch).is_some());
    drop(watch);
    taps.see(|| unreachable!("nobody watches any more"));
    assert!(taps.watch(all(), 1).is_some());
    taps.end();
    assert!(taps.watch(all(), 1).is_none());
}

#[test]
fn a_watch_without_bodies_shows_none_and_finds_nothing_by_them() {
    let taps = Taps::default();
    let (heads, bodies) = (all(), Choice { with_bodies: true, ..all() });
    let by_text = |choice: &Choice, text: &str| Choice { text: text.into(), ..choice.clone() };
    let watch = taps.watch(heads.clone(), 9).unwrap();
    let hidden = ["secret", "hidden-value", "query.key"].map(|text| taps.watch(by_text(&heads, text), 9).unwrap());
    let shown = ["secret", "hidden-value", "query.key", "topic", "7"];
    let shown = shown.map(|text| taps.watch(by_text(&bodies, text), 99).unwrap());
    // A frame that is alone is a body, even for who asks for topics that begin with it.
    let probe = taps.watch(Choice { topic: b"sec".to_vec(), ..heads.clone() }, 99).unwrap();
    pass(&taps, Place::Route("r"), &message("", "secret"));
    pass(&taps, Place::Route("r"), &message("topic", "secret"));
    for topic in [None, Some(b"topic".to_vec())] {
        let seen = next(&watch).expect("it is shown");
        assert_eq!((seen.topic, seen.metadata, seen.frames, &*seen.id), (topic, None, None, "7"));
    }
    assert!(hidden.iter().all(|watch| next(watch).is_none() && watch.take_skipped() == 0));
    assert!(next(&probe).is_none());
    for watch in &shown {
        let seen = next(watch).expect("it is found");
        assert_eq!(seen.frames.expect("bodies").pop().map(|frame| frame.bytes), Some(b"secret".to_vec()));
    }
}

#[test]
fn a_watch_is_of_one_place_and_of_topics_that_begin_so() {
    let taps = Taps::default();
    let watch = |place, topic: &str| {
        let place = Some((place, "x".to_owned()));
        taps.watch(Choice { place, topic: topic.into(), ..all() }, 9).unwrap()
    };
    let (flow, route, topic) = (watch("flow", ""), watch("route", ""), watch("flow", "a."));
    for (place, of) in
        [(Place::Flow("x"), "a.1"), (Place::Route("x"), "a.2"), (Place::Flow("y"), "a.3"), (Place::Flow("x"), "b")]
    {
        pass(&taps, place, &message(of, "body"));
    }
    let topics = |watch: &Watch| std::iter::from_fn(|| next(watch)?.topic).collect::<Vec<_>>();
    assert_eq!(topics(&flow), [&b"a.1"[..], b"b"]);
    assert_eq!(topics(&route), [b"a.2"]);
    assert_eq!(topics(&topic), [b"a.1"]);
}

#[test]
fn what_is_over_the_rate_or_finds_no_room_is_counted() {
    let taps = Taps::default();
    let (slow, fast) = (Choice { rate: 3, ..all() }, Choice { rate: u32::MAX, ..all() });
    let (slow, fast) = (taps.watch(slow, 2).unwrap(), taps.watch(fast, 2).unwrap());
    let count = TAIL_QUEUE_MESSAGES_MAX as u64 + 10;
    (0..count).for_each(|_| pass(&taps, Place::Flow("f"), &message("t", "b")));
    let shown = |watch: &Watch| std::iter::from_fn(|| next(watch)).count() as u64;
    assert_eq!((shown(&fast), fast.take_skipped(), fast.take_skipped()), (count - 10, 10, 0));
    let few = shown(&slow);
    assert!((3..9).contains(&few), "{few}");
    assert_eq!(slow.take_skipped(), count - few);
}

#[test]
fn what_is_kept_of_a_message_is_bounded_and_stays_text() {
    let taps = Taps::default();
    let watch = taps.watch(Choice { with_bodies: true, ..all() }, 1).unwrap();
    let mut long = message("t", "é".repeat(TAIL_FRAME_BYTES_MAX));
    long.frames.extend((0..100).map(|_| bytes::Bytes::from_static(b"x")));
    long.metadata.extend((0..100).map(|_| ("k".repeat(2_000), "v".repeat(2_000))));
    pass(&taps, Place::Flow("f"), &long);
    let seen = next(&watch).unwrap();
    assert!(seen.bytes_held() < 64 << 10, "{}", seen.bytes_held());
    assert_eq!((seen.frames_in_all, seen.bytes), (102, 1 + 2 * TAIL_FRAME_BYTES_MAX + 100));
    let frames = seen.frames.unwrap();
    assert!(frames[1].is_cut && !frames[0].is_cut);
    assert!(std::str::from_utf8(&frames[1].bytes).is_ok());
    // Of what is no text any part will do.
    pass(&taps, Place::Flow("f"), &message("t", vec![0x80; 2 * TAIL_FRAME_BYTES_MAX]));
    assert_eq!(next(&watch).unwrap().frames.unwrap()[1].bytes.len(), TAIL_FRAME_BYTES_MAX);
}

#[tokio::test]
async fn who_waits_is_told_and_the_end_comes_after_what_was_seen() {
    let taps = Taps::default();
    let watch = taps.watch(all(), 1).unwrap();
    let waiting = tokio::spawn(async move { (watch.next().await.is_some(), watch.next().await) });
    tokio::task::yield_now().await;
    pass(&taps, Place::Policy("p"), &message("t", "b"));
    taps.end();
    assert_eq!(waiting.await.unwrap(), (true, None));
}
