//! How messages leave a flow: each goes to one sink after the other, and counts as out when all have taken it.

use super::FlowCore;
use crate::flow::sink::Arrival;
use crate::flow::stream::item::Item;
use crate::flow::{OfferError, Passing, Place, Point, Receipt, Sink};
use crate::ledger::Reason;
use std::sync::Arc;

/// Whether all that may leave has left.
pub(in crate::flow::stream) enum Delivery {
    Done,
    /// A sink has no room for a message of so many bytes.
    Blocked(Arc<dyn Sink>, usize),
}

impl FlowCore {
    /// Offers what may leave to the sinks.
    pub(in crate::flow::stream) fn deliver(&mut self) -> Delivery {
        while let Some(&id) = self.leaving.front() {
            let item = &mut self.items[id];
            while let Some(message) = item.outputs.front() {
                let Some(sink) = self.sinks.get(item.sinks_done) else {
                    self.taps.see(|| Passing {
                        to: self.sinks.iter().map(|sink| sink.name()).collect(),
                        ..Passing::of(Point::Out, Place::Flow(&self.settings.name), message)
                    });
                    item.outputs.pop_front();
                    item.sinks_done = 0;
                    continue;
                };
                match sink.offer(message) {
                    Ok(Receipt::Placed) => item.sinks_done += 1,
                    Ok(Receipt::Pending(arrival)) => {
                        item.arrivals.push(arrival);
                        item.sinks_done += 1;
                    }
                    Err(OfferError::Full(_)) => return Delivery::Blocked(Arc::clone(sink), message.bytes()),
                    Err(OfferError::Closed(_)) => {
                        item.verdict = Some(Err(Reason::Abandoned));
                        item.outputs.clear();
                    }
                }
            }
            self.leaving.pop_front();
            self.leave(id);
        }
        Delivery::Done
    }

    /// An item was offered to all sinks, and makes way for the next of its lane.
    fn leave(&mut self, id: usize) {
        let item = &mut self.items[id];
        let next = self.lanes.leave(&item.key);
        self.bytes -= std::mem::take(&mut item.bytes);
        if item.arrivals.is_empty() {
            self.settle(id);
        } else {
            self.arriving.push(id);
        }
        if let Some(next) = next.filter(|next| self.items[*next].verdict.is_some()) {
            self.leaving.push_back(next);
        }
    }

    /// Counts the end of an item.
    fn settle(&mut self, id: usize) {
        let Item { verdict, passage, settlement, .. } = self.items.remove(id);
        match verdict {
            Some(Ok(())) => {
                passage.out();
                settlement.into_iter().for_each(|settlement| settlement.done());
            }
            Some(Err(reason)) => {
                passage.dropped(reason);
                settlement.into_iter().for_each(|settlement| settlement.not_taken(&self.settings.name, reason));
            }
            None => {}
        }
    }

    /// The items that left by sinks which confirm it later, with what they wait for. Their end is reported by
    /// [`Self::arrived`].
    pub(in crate::flow::stream) fn take_arriving(&mut self) -> Vec<(usize, Vec<Arrival>)> {
        let ids = std::mem::take(&mut self.arriving).into_iter();
        ids.map(|id| (id, std::mem::take(&mut self.items[id].arrivals))).collect()
    }

    /// What an item has become has arrived, or not.
    pub(in crate::flow::stream) fn arrived(&mut self, id: usize, result: Result<(), Reason>) {
        let verdict = &mut self.items[id].verdict;
        // A sink that has not taken it at all has not, whatever the others say.
        if !matches!(verdict, Some(Err(_))) {
            *verdict = Some(result);
        }
        self.settle(id);
    }
}
