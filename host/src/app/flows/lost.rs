//! What flows fail at becomes dead letters.

use crate::dead_letters::{DeadLetters, NewLetter};
use crate::flow::{Fault, Lost, LostMessages};

/// Writes a letter for each.
#[derive(Clone)]
pub(super) struct Letters(pub(super) DeadLetters);

impl LostMessages for Letters {
    fn write(&self, lost: Lost) {
        let Lost { flow, stage, number, met, by, failure, input } = lost;
        let reason = failure.reason.as_str();
        // The plugins' own failures are in the log already; that the sender is at fault is told to nobody else.
        if failure.fault == Fault::Sender {
            tracing::debug!(flow, plugin = stage, reason, "a message of a flow was refused: {}", failure.detail);
        }
        let route = format!("flows.{flow}");
        let letter = NewLetter::of_call(&route, number, by.as_deref(), failure.reason, failure.detail, input);
        self.0.write(if met.len() > 1 { letter.after(met.to_string()) } else { letter });
    }
}
