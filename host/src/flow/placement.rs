//! A message into several sinks, or several messages into one: all of them, or none.

use super::message::Message;
use super::sink::{Arrival, OfferError, Receipt, Sink};
use crate::ledger::Reason;
use futures_util::future::{Either, select};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// A sink did not take a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceError {
    /// The name of the sink.
    pub sink: String,
    /// Why.
    pub error: OfferError,
}

/// Gives each sink each message, once there is a place for all of them. Returns the futures of the sinks that report
/// later whether a message has arrived.
///
/// # Errors
/// When a sink has no room, and then nothing was sent. When a sink ends between its place and its message, others may
/// have sent theirs.
pub fn place(sinks: &[Arc<dyn Sink>], messages: &[Message]) -> Result<Vec<Arrival>, PlaceError> {
    let receipts = match (sinks, messages) {
        // Where there is one place, it is taken and filled at once.
        ([sink], [message]) => return sink.offer(message).map(|receipt| arrivals([receipt])).map_err(named(sink)),
        _ => {
            let mut reserved = Vec::with_capacity(sinks.len() * messages.len());
            for (message, sink) in messages.iter().flat_map(|message| sinks.iter().map(move |sink| (message, sink))) {
                reserved.push((sink, sink.reserve(message).map_err(named(sink))?));
            }
            let sent = reserved.into_iter().map(|(sink, send)| send().map_err(named(sink)));
            sent.collect::<Result<Vec<_>, _>>()?
        }
    };
    Ok(arrivals(receipts))
}

/// Waits until all has arrived, but no longer than the sinks say that their receipts may take; `sleep` completes after a time.
///
/// # Errors
/// When one has not, or not in time: then it may yet, and whoever sends it again by the same name does no harm.
pub async fn await_arrivals<S: Future<Output = ()>>(
    sinks: &[Arc<dyn Sink>],
    arrivals: Vec<Arrival>,
    sleep: impl FnOnce(Duration) -> S,
) -> Result<(), Reason> {
    let time_max = sinks.iter().filter_map(|sink| sink.receipt_time_max()).max();
    let all = async {
        for arrival in arrivals {
            arrival.await?;
        }
        Ok(())
    };
    let Some(time_max) = time_max else { return all.await };
    match select(pin!(all), pin!(sleep(time_max))).await {
        Either::Left((arrived, _)) => arrived,
        Either::Right(((), _)) => Err(Reason::NotAcknowledged),
    }
}

fn arrivals(receipts: impl IntoIterator<Item = Receipt>) -> Vec<Arrival> {
    let pending = |receipt| match receipt {
        Receipt::Placed => None,
        Receipt::Pending(arrival) => Some(arrival),
    };
    receipts.into_iter().filter_map(pending).collect()
}

fn named(sink: &Arc<dyn Sink>) -> impl Fn(OfferError) -> PlaceError + '_ {
    |error| PlaceError { sink: sink.name().to_owned(), error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Reserved;
    use crate::flow::mailbox::Mailbox;
    use std::collections::VecDeque;
    use std::task::Waker;

    /// Keeps what it is sent, up to a bound.
    struct Kept(Mailbox<Message>);

    impl Sink for Kept {
        fn name(&self) -> &str {
            "kept"
        }

        fn offer(&self, message: &Message) -> Result<Receipt, OfferError> {
            self.reserve(message)?()
        }

        fn reserve<'a>(&'a self, message: &'a Message) -> Result<Reserved<'a>, OfferError> {
            let failed = |error| OfferError::Full(format!("{error:?}"));
            let room = self.0.reserve(message.bytes()).map_err(failed)?;
            Ok(Box::new(move || {
                self.0.push_reserved(room, || message.clone()).map_err(failed)?;
                Ok(Receipt::Pending(Box::pin(async { Ok(()) })))
            }))
        }

        fn await_room(&self, bytes: usize, waker: &Waker) -> bool {
            self.0.await_room(bytes, waker)
        }
    }

    fn taken(sink: &Kept) -> Vec<String> {
        let mut taken = VecDeque::new();
        sink.0.take_all(&mut taken);
        taken.into_iter().map(|(message, _)| String::from_utf8_lossy(&message.frames[0]).into_owned()).collect()
    }

    #[test]
    fn every_sink_gets_every_message_or_none_gets_any() {
        let sink = |places| Arc::new(Kept(Mailbox::new(places, 1_000)));
        let (wide, narrow) = (sink(10), sink(2));
        let sinks: [Arc<dyn Sink>; 2] = [wide.clone(), narrow.clone()];
        let messages = ["a", "b", "c"].map(|body| Message::of_topic("", Vec::new(), body));
        let arrivals = |sinks: &[Arc<dyn Sink>], count| place(sinks, &messages[..count]).map(|arrivals| arrivals.len());
        assert_eq!(arrivals(&sinks, 2), Ok(4));
        assert_eq!((taken(&wide), taken(&narrow)), (vec!["a".into(), "b".into()], vec!["a".into(), "b".into()]));
        let full = PlaceError { sink: "kept".to_owned(), error: OfferError::Full("TooManyItems".to_owned()) };
        assert_eq!(arrivals(&sinks, 3), Err(full));
        assert_eq!((taken(&wide), taken(&narrow)), (vec![], vec![]), "nothing is sent in part");
        assert_eq!((wide.0.len(), narrow.0.len()), (0, 0), "the places are free again");
        assert_eq!((arrivals(&sinks[..1], 1), arrivals(&[], 3), arrivals(&sinks, 0)), (Ok(1), Ok(0), Ok(0)));
    }
}
