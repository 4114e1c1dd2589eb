//! One message on its way through a route.

use super::{FoundRoute, FoundStep, RouteTable};
use crate::config::CHAIN_MESSAGES_MAX;
use crate::flow::{
    Chain, ChainBounds, Failed, Link, Message, Met, Outputs, OwnedChain, OwnedLink, OwnedPlace, Passed, PassedOn,
    Passing, Place, PlaceError, Point, await_arrivals, place,
};
use crate::http::problem::Problem;
use crate::ledger::{Hop, Passage, Reason};
use crate::plugin::{PluginStage, Processor};
use futures_util::stream::BoxStream;
use smallvec::SmallVec;
use std::sync::Arc;

/// What came out of a route.
pub struct Ran {
    /// What was called.
    pub met: Met,
    /// The number of the message, which its first call has.
    pub number: u64,
    /// What came out, still counted as in flight; or why nothing did, with what had come in.
    pub result: Result<(Outputs, Passage), Failed>,
}

/// What has come out of a route so far.
pub struct Begun {
    /// That.
    pub ran: Ran,
    /// What comes out later; none if that was all.
    pub further: Option<BoxStream<'static, Passed>>,
}

impl FoundRoute {
    /// Has the steps process a message that somebody waits for.
    pub(crate) async fn run(&self, table: &RouteTable, message: Message) -> Ran {
        self.see_in(&message);
        let number = table.numbers.next_number();
        let passage = self.route.hop.enter().of_client();
        let passed = match self.has_host_stage() {
            // Boxed, and asked to do nothing twice: whoever makes a call again is at hand to make it once more.
            true => Box::pin(self.chain(table, false).process(message, number)).await,
            false => self.process(table, message, number).await,
        };
        ran(passed, number, passage)
    }

    /// As [`Self::run`], but does not wait for all that comes out of a stage of the host's own, which may process the message
    /// twice if it is `idempotent`.
    pub(crate) async fn begin(&self, table: &RouteTable, message: Message, is_idempotent: bool) -> Begun {
        self.see_in(&message);
        let number = table.numbers.next_number();
        let passage = self.route.hop.enter().of_client();
        let PassedOn { first, further } = Arc::new(self.chain(table, is_idempotent)).stream(message, number).await;
        Begun { ran: ran(first, number, passage), further }
    }

    /// Has the plugins of a route that has no other steps process a message.
    async fn process(&self, table: &RouteTable, message: Message, number: u64) -> Passed {
        let stage = |slot| PluginStage::<Processor>::new(Arc::clone(slot));
        let stages: SmallVec<[_; 1]> = self.steps.iter().filter_map(FoundStep::slot).map(stage).collect();
        let links: SmallVec<[_; 1]> = stages
            .iter()
            .enumerate()
            .map(|(index, stage)| Link { stage, hop: self.hop(index).map(|hop| &**hop) })
            .collect();
        let recorded = self.route.recording.at(Place::Route(self.name()));
        let bounds = self.bounds();
        let chain = Chain { links: &links, numbers: &table.numbers, bounds, is_awaited: true, recorded };
        chain.process(message, number).await
    }

    /// The steps in a row, whatever they are.
    fn chain(&self, table: &RouteTable, is_idempotent: bool) -> OwnedChain {
        let link = |(index, step): (usize, &FoundStep)| OwnedLink {
            stage: step.stage(is_idempotent),
            hop: self.hop(index).cloned(),
        };
        OwnedChain {
            links: self.steps.iter().enumerate().map(link).collect(),
            numbers: Arc::clone(&table.numbers),
            bounds: self.bounds(),
            is_awaited: true,
            recording: (self.route.recording.clone(), OwnedPlace::Route(self.name().to_owned())),
        }
    }

    fn hop(&self, index: usize) -> Option<&Arc<Hop>> {
        self.route.through.get(index)?.hop.as_ref()
    }

    fn bounds(&self) -> ChainBounds {
        ChainBounds { messages_max: CHAIN_MESSAGES_MAX, bytes_max: self.largest_output() }
    }

    /// Sends messages to all sinks of the route, and waits until each has arrived where its sink tells.
    ///
    /// # Errors
    /// When a sink has no room, and then nothing was sent; or has ended or lost a message, which others may have.
    pub(crate) async fn send(&self, messages: &[Message], passage: Passage) -> Result<(), Problem> {
        match self.send_part(messages).await {
            Ok(()) => {
                passage.out();
                Ok(())
            }
            Err((reason, problem)) => {
                passage.dropped(reason);
                Err(problem)
            }
        }
    }

    /// As [`Self::send`], of a message of which more is to be sent.
    ///
    /// # Errors
    /// As [`Self::send`], with the reason for the ledger.
    pub(crate) async fn send_part(&self, messages: &[Message]) -> Result<(), (Reason, Problem)> {
        let arrivals = match place(self.sinks(), messages) {
            Ok(arrivals) => arrivals,
            Err(PlaceError { sink, .. }) => return Err((Reason::QueueFull, Problem::QueueFull(sink))),
        };
        let arrived = await_arrivals(self.sinks(), arrivals, tokio::time::sleep).await;
        arrived.map_err(|reason| match reason {
            Reason::NoSubject | Reason::NotStored | Reason::TooLarge => (reason, Problem::NotStorable(reason)),
            _ => (reason, Problem::NotArrived(reason)),
        })?;
        for message in messages {
            self.route.taps.see(|| Passing {
                to: self.sinks().iter().map(|sink| sink.name()).collect(),
                ..Passing::of(Point::Out, Place::Route(self.name()), message)
            });
        }
        Ok(())
    }

    /// Whether a sink stores what is sent, so that messages are to have names by which they are known there.
    pub(crate) fn stores(&self) -> bool {
        self.sinks().iter().any(|sink| sink.receipt_time_max().is_some())
    }

    fn see_in(&self, message: &Message) {
        self.route.taps.see(|| Passing::of(Point::In, Place::Route(self.name()), message));
    }
}

fn ran(Passed { met, result }: Passed, number: u64, passage: Passage) -> Ran {
    let result = match result {
        Ok(outputs) => Ok((outputs, passage)),
        Err(failed) => {
            passage.dropped(failed.failure.reason);
            Err(failed)
        }
    };
    Ran { met, number, result }
}
