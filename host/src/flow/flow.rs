//! A flow: the path of a message from where it comes in, through a stage, to sinks.

use super::message::Message;
use super::sink::{Arrival, OfferError, Receipt, Sink};
use super::stage::{Processed, Stage};
use crate::ledger::{Hop, Passage};
use std::sync::Arc;

/// The path of one message, as it is set up when the message comes in.
#[derive(Clone, Copy)]
pub struct Flow<'a> {
    /// The hop that counts the message, until the stage has processed it.
    pub hop: &'a Arc<Hop>,
    /// What processes the message.
    pub stage: &'a dyn Stage,
    /// Each of them gets every message that comes out of the stage.
    pub sinks: &'a [Arc<dyn Sink>],
}

impl Flow<'_> {
    /// Counts a message in, and gives it its number.
    pub fn enter(&self) -> (Passage, u64) {
        self.hop.enter_numbered()
    }

    /// Has the stage process a message that came in.
    pub async fn process(&self, message: Message, number: u64) -> Processed {
        self.stage.process(message, number).await
    }

    /// Offers a message to all sinks. Returns the futures of the sinks that report later whether it has arrived.
    ///
    /// # Errors
    /// When one of them has no room; those before it have taken it.
    pub fn offer(&self, message: &Message) -> Result<Vec<Arrival>, OfferError> {
        let mut arrivals = Vec::new();
        for sink in self.sinks {
            match sink.offer(message)? {
                Receipt::Placed => {}
                Receipt::Pending(arrival) => arrivals.push(arrival),
            }
        }
        Ok(arrivals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Chain;
    use std::sync::Mutex;
    use std::task::Waker;

    fn message(body: &'static str) -> Message {
        Message::of_topic("", Vec::new(), body)
    }

    #[derive(Default)]
    struct Kept(Mutex<Vec<Message>>);

    impl Sink for Kept {
        fn name(&self) -> &str {
            "kept"
        }

        fn await_room(&self, _bytes: usize, _waker: &Waker) -> bool {
            false
        }

        fn offer(&self, message: &Message) -> Result<Receipt, OfferError> {
            let mut kept = self.0.lock().expect("no panic");
            if kept.len() == 1 {
                return Err(OfferError::Full("one is kept".to_owned()));
            }
            kept.push(message.clone());
            Ok(Receipt::Pending(Box::pin(async { Ok(()) })))
        }
    }

    #[test]
    fn every_sink_gets_every_message() {
        let (first, second) = (Arc::new(Kept::default()), Arc::new(Kept::default()));
        let sinks: [Arc<dyn Sink>; 2] = [first.clone(), second.clone()];
        let flow = Flow { hop: &Arc::default(), stage: &Chain::default(), sinks: &sinks };
        assert_eq!(flow.offer(&message("x")).map(|arrivals| arrivals.len()).ok(), Some(2));
        assert_eq!(*second.0.lock().unwrap(), [message("x")]);
        assert_eq!(flow.offer(&message("y")).err(), Some(OfferError::Full("one is kept".to_owned())));
    }
}
