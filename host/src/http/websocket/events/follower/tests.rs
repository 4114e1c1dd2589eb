//! What a follower is given where topics join it one after the other, each from another place.

use super::*;
use crate::config::Events;
use crate::ledger::Hop;

fn hub(ring_messages_max: usize) -> Arc<Hub> {
    let settings = Events { enabled: true, ring_messages_max, ..Events::default() };
    let hub = Hub::new(settings, Arc::<Hop>::default(), Arc::<Hop>::default());
    let running = Arc::clone(&hub);
    tokio::spawn(async move { running.run().await });
    hub
}

fn client() -> Client {
    Client::new("websocket", None, ([127, 0, 0, 1], 1).into())
}

fn follower(hub: &Arc<Hub>, topics: &[&'static str]) -> Follower {
    Follower::new(hub, client(), of(topics), Resume::Now).expect("room")
}

fn of(topics: &[&'static str]) -> Vec<Bytes> {
    topics.iter().map(|&topic| Bytes::from(topic)).collect()
}

/// Publishes this many messages, each with the next of these topics.
fn publish(hub: &Hub, topics: &[&'static str], count: u64) {
    for topic in topics.iter().cycle().take(count as usize) {
        hub.publish(&[Bytes::from(*topic), Bytes::new()].into_iter().collect());
    }
}

fn after(hub: &Arc<Hub>, number: u64) -> Resume {
    Resume::After(EventId { number, ..hub.open(client(), Vec::new(), Resume::Now).expect("room").position() })
}

/// What comes up to the newest, which is to be for the follower.
async fn given(hub: &Hub, follower: &mut Follower) -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        match follower.next().await {
            Next::Event { id, .. } => numbers.push(id.number),
            other => panic!("{other:?} after {numbers:?}"),
        }
        if numbers.last() == Some(&(hub.kept().end - 1)) {
            return numbers;
        }
    }
}

fn multiples(of: u64, from: u64, to: u64) -> impl Iterator<Item = u64> {
    (from..=to).filter(move |number| number.is_multiple_of(of))
}

#[tokio::test]
async fn nothing_comes_twice_where_topics_resume_one_after_the_other() {
    let hub = hub(1_000);
    let mut follower = follower(&hub, &["a"]);
    publish(&hub, &["a", "b", "c"], 298);
    assert_eq!(given(&hub, &mut follower).await, multiples(3, 1, 300).map(|number| number - 2).collect::<Vec<_>>());
    follower.subscribe(of(&["b"]), after(&hub, 10)).expect("room");
    follower.subscribe(of(&["c"]), after(&hub, 50)).expect("room");
    publish(&hub, &["a"], 1);
    let mut expected: Vec<_> = multiples(3, 11, 298).map(|number| number - 1).collect();
    expected.extend(multiples(3, 51, 298).chain([299]));
    expected.sort_unstable();
    assert_eq!(given(&hub, &mut follower).await, expected);
    // What is read once more for another topic is not given once more.
    follower.subscribe(of(&["d"]), after(&hub, 0)).expect("room");
    publish(&hub, &["a"], 1);
    assert_eq!(given(&hub, &mut follower).await, [300]);
}

#[tokio::test]
async fn a_topic_from_now_on_gets_nothing_older_though_others_are_behind() {
    let hub = hub(1_000);
    publish(&hub, &["a", "b"], 20);
    let mut follower = Follower::new(&hub, client(), of(&["a"]), Resume::Earliest).expect("room");
    follower.subscribe(of(&["b"]), Resume::Now).expect("room");
    publish(&hub, &["b"], 1);
    let expected: Vec<_> = multiples(2, 2, 20).map(|number| number - 1).chain([21]).collect();
    assert_eq!(given(&hub, &mut follower).await, expected);
    // Who takes everything gets those of b that the client was not given, and no other.
    follower.subscribe(of(&[""]), after(&hub, 6)).expect("room");
    publish(&hub, &["c"], 1);
    assert_eq!(given(&hub, &mut follower).await, [8, 10, 12, 14, 16, 18, 20, 22]);
}

#[tokio::test]
async fn what_waited_and_is_not_kept_is_told_where_another_topic_begins_with_the_earliest() {
    let hub = hub(4);
    let mut follower = follower(&hub, &["a"]);
    publish(&hub, &["a"], 3);
    assert_eq!(given(&hub, &mut follower).await, [1, 2, 3]);
    for _ in 0..10 {
        publish(&hub, &["a"], 1);
        // Meanwhile it comes into the queue of the stream.
        yield_now().await;
    }
    follower.subscribe(of(&["b"]), Resume::Earliest).expect("room");
    let next = follower.next().await;
    assert!(matches!(next, Next::Gap { id: EventId { number: 9, .. }, missed: None }), "{next:?}");
    assert_eq!(given(&hub, &mut follower).await, [10, 11, 12, 13]);
}

#[tokio::test]
async fn several_topics_are_taken_or_refused_as_one() {
    let hub = hub(1_000);
    let mut follower = follower(&hub, &["a"]);
    let long = Bytes::from(vec![b'x'; 2_000]);
    let refused = follower.subscribe([of(&["a", "b"]), vec![long]].concat(), Resume::Now);
    assert!(matches!(refused, Err(OpenError::Topic(_))), "{refused:?}");
    publish(&hub, &["b", "a"], 2);
    assert_eq!(given(&hub, &mut follower).await, [2]);
    follower.subscribe(of(&["b", "b"]), after(&hub, 0)).expect("room");
    assert_eq!(follower.try_next().map(|next| matches!(next, Next::Event { id, .. } if id.number == 1)), Some(true));
    follower.cancel(&"b".into());
    publish(&hub, &["b"], 1);
    assert_eq!(given(&hub, &mut follower).await, [3]);
}
