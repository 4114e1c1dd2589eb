//! What flows fail at becomes dead letters.

use crate::flow::{Fault, Lost, LostMessages};
use crate::record::dead_letters::{DeadLetters, Letter, LetterSeed, NewLetter};
use crate::request_id::RequestIds;
use std::sync::Arc;

/// Writes a letter for each.
#[derive(Clone)]
pub(super) struct Letters {
    pub(super) letters: DeadLetters,
    /// A message of a socket is no request, and has no name before there is a letter to be named.
    pub(super) ids: Arc<RequestIds>,
    /// What the random numbers of calls derive from.
    pub(super) seed: LetterSeed,
}

impl LostMessages for Letters {
    fn write(&self, lost: Lost) {
        self.letters.write(self.letter(lost));
    }
}

impl Letters {
    /// The line of the dead letter, for whoever keeps it elsewhere.
    pub(super) fn line(&self, lost: Lost) -> Vec<u8> {
        Letter::new(self.letter(lost), jiff::Timestamp::now(), self.seed).into_line()
    }

    fn letter(&self, lost: Lost) -> NewLetter {
        let Lost { flow, stage, number, met, by, failure, input } = lost;
        let reason = failure.reason.as_str();
        // The plugins' own failures are in the log already; that the sender is at fault is told to nobody else.
        if failure.fault == Fault::Sender {
            tracing::debug!(flow, plugin = stage, reason, "a message of a flow was refused: {}", failure.detail);
        }
        let letter = NewLetter::of_flow(&flow, number, by.as_deref(), failure.reason, failure.detail, input);
        let letter = NewLetter { id: self.ids.next(None), ..letter };
        if met.is_said_by_last() { letter } else { letter.after(met.to_string()) }
    }
}
