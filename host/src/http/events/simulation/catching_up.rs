//! Streams that catch up with much, or too slowly.

use super::model::message;
use super::{Dispatcher, Hub, PLACES_AT_ONCE, client};
use crate::config::Events;
use crate::http::events::{EventStream, Next, Resume};
use crate::ledger::{Hop, Reason};
use std::sync::Arc;

/// A hub that keeps so many, with a dispatcher.
fn hub(ring_messages_max: usize) -> (Arc<Hub>, Dispatcher, Arc<Hop>) {
    let streams_hop = Arc::<Hop>::default();
    let hub = Hub::new(Events { ring_messages_max, ..Events::default() }, Arc::default(), Arc::clone(&streams_hop));
    (Arc::clone(&hub), Dispatcher::new(hub, PLACES_AT_ONCE), streams_hop)
}

fn publish((hub, dispatcher): (&Hub, &mut Dispatcher), numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        hub.publish(&message(number));
        dispatcher.dispatch();
    }
}

fn open(hub: &Arc<Hub>, topic: &'static str, resume: Resume) -> EventStream {
    hub.open(client(), vec![topic.into()], resume).expect("room")
}

/// How many are missing, if that is what comes next.
fn gap(stream: &mut EventStream) -> Option<u64> {
    let Some(Next::Gap { missed, .. }) = stream.try_next() else { panic!("no gap") };
    missed
}

#[test]
fn what_overtakes_an_open_stream_is_counted_and_what_was_gone_before_is_not() {
    let (hub, mut dispatcher, streams_hop) = hub(10);
    let missed = || streams_hop.figures().dropped(Reason::SubscriberFull);
    publish((&hub, &mut dispatcher), 1..=15);
    let (first, third) = (hub.id(1), hub.id(3));
    // The oldest is the sixth.
    let mut late = open(&hub, "", Resume::After(third));
    assert_eq!((gap(&mut late), missed()), (Some(2), 0));
    let mut some = open(&hub, "a", Resume::After(first));
    assert_eq!((gap(&mut some), missed()), (None, 0));
    // Neither reads on, and the oldest is the 26th then.
    publish((&hub, &mut dispatcher), 16..=35);
    assert_eq!((gap(&mut late), missed()), (Some(20), 20));
    assert_eq!((gap(&mut some), missed()), (None, 21));
    let counts = streams_hop.figures();
    assert!(counts.balanced() && counts.in_flight == 0, "{counts:?}");
}

#[tokio::test]
async fn much_that_nothing_fits_in_is_looked_through_bit_by_bit() {
    const KEPT: u64 = 10_000;
    let (hub, mut dispatcher, _) = hub(KEPT as usize);
    publish((&hub, &mut dispatcher), 1..=KEPT);
    let mut stream = open(&hub, "nothing", Resume::Earliest);
    assert!(stream.try_next().is_none());
    let first = stream.position().number;
    assert!((1..KEPT / 5).contains(&first), "{first}");
    // A heartbeat says how far it is, and no more.
    let heartbeat = stream.next_or_heartbeat();
    let Next::Heartbeat { id } = heartbeat else { panic!("{heartbeat:?}") };
    assert!((first..KEPT / 2).contains(&id.number), "{id}");
    // Others get their turn, and it goes on by itself.
    let (mut turns, mut next) = (0, Box::pin(stream.next()));
    let others = async {
        loop {
            turns += 1;
            tokio::task::yield_now().await;
        }
    };
    let caught_up = async {
        assert!(futures_util::poll!(&mut next).is_pending());
        hub.publish(&["nothing".into(), "at last".into()].into());
        dispatcher.dispatch();
        next.await
    };
    let came = tokio::select! { came = caught_up => came, () = others => unreachable!() };
    assert!(matches!(&came, Next::Event { event, .. } if event.number == KEPT + 1), "{came:?}");
    assert!(turns > 3, "{turns}");
}
