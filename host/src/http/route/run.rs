//! One message on its way through a route.

use super::{FoundRoute, RouteTable};
use crate::config::CHAIN_MESSAGES_MAX;
use crate::flow::{Chain, ChainBounds, Failed, Link, Message, Met, Outputs, Passed, PlaceError, place};
use crate::http::problem::Problem;
use crate::ledger::{Passage, Reason};
use crate::plugin::{PluginStage, Processor};
use smallvec::SmallVec;
use std::sync::Arc;

/// What came out of a route's plugins.
pub struct Ran {
    /// The plugins that were called.
    pub met: Met,
    /// The number of the message, which its first call has.
    pub number: u64,
    /// What came out, still counted as in flight; or why nothing did, with what had come in.
    pub result: Result<(Outputs, Passage), Failed>,
}

impl FoundRoute {
    /// Has the plugins process a message that somebody waits for.
    pub(crate) async fn run(&self, table: &RouteTable, message: Message) -> Ran {
        let number = table.numbers.next_number();
        let passage = self.route.hop.enter().of_client();
        let stage = |slot| PluginStage::<Processor>::new(Arc::clone(slot));
        let stages: SmallVec<[_; 1]> = self.slots.iter().map(stage).collect();
        let hop = |index: usize| self.route.through.get(index).and_then(|stop| stop.hop.as_deref());
        let links: SmallVec<[_; 1]> =
            stages.iter().enumerate().map(|(index, stage)| Link { stage, hop: hop(index) }).collect();
        let bounds = ChainBounds { messages_max: CHAIN_MESSAGES_MAX, bytes_max: self.largest_output() };
        let Passed { met, result } =
            Chain { links: &links, numbers: &table.numbers, bounds }.process(message, number).await;
        let result = match result {
            Ok(outputs) => Ok((outputs, passage)),
            Err(failed) => {
                passage.dropped(failed.failure.reason);
                Err(failed)
            }
        };
        Ran { met, number, result }
    }

    /// Sends messages to all sinks of the route, and waits until each has arrived where its sink tells.
    ///
    /// # Errors
    /// When a sink has no room, and then nothing was sent; or has ended or lost a message, which others may have.
    pub(crate) async fn send(&self, messages: &[Message], passage: Passage) -> Result<(), Problem> {
        let arrivals = match place(self.sinks(), messages) {
            Ok(arrivals) => arrivals,
            Err(PlaceError { sink, .. }) => {
                passage.dropped(Reason::QueueFull);
                return Err(Problem::QueueFull(sink));
            }
        };
        for arrival in arrivals {
            if let Err(reason) = arrival.await {
                passage.dropped(reason);
                return Err(Problem::NotArrived(reason));
            }
        }
        passage.out();
        Ok(())
    }
}
