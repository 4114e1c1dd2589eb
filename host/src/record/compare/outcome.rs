//! The outcome of one call, as far as it is compared, and how the outcomes of two calls stand to each other.

use crate::flow::{Message, Outputs};
use serde::Serialize;
use std::borrow::Cow;

/// Failures whose text is told to the sender of the message.
const REJECTED: &str = "rejected";

/// What came of a call.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// What came out, in order; nothing if the message was filtered.
    Answer(Outputs),
    /// It failed.
    Failure {
        /// The ledger's word.
        reason: Cow<'static, str>,
        /// The whole error.
        detail: String,
    },
}

/// How the new outcome of an input stands to the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Nothing that counts differs.
    Same,
    /// Both answered, and not the same.
    Different,
    /// There were messages, and now there are none.
    FilteredNow,
    /// There were no messages, and now there are.
    NoLongerFiltered,
    /// It was answered, and now it fails.
    NewFailure,
    /// It failed, and now it is answered.
    FailureGone,
    /// Both failed, for other reasons or, where its sender is told why, with another text.
    FailureDiffers,
}

impl Outcome {
    /// Whether all that the world would see of both is the same, byte for byte.
    pub(super) fn is_identical(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Answer(old), Self::Answer(new)) => {
                let same = |(old, new): (&crate::flow::Output, &crate::flow::Output)| {
                    old.after == new.after && is_same_message(&old.message, &new.message)
                };
                old.len() == new.len() && old.iter().zip(new).all(same)
            }
            (Self::Failure { reason, detail }, Self::Failure { reason: new_reason, detail: new_detail }) => {
                // The text of a trap has the addresses of its code, and a plugin's own fault is told in the log alone.
                reason == new_reason && (reason != REJECTED || detail == new_detail)
            }
            _ => false,
        }
    }

    /// How `new` stands to it, if they are not identical. What differs in two answers may still not count.
    pub(super) fn class_of(&self, new: &Self) -> Class {
        match (self, new) {
            (Self::Answer(_), Self::Failure { .. }) => Class::NewFailure,
            (Self::Failure { .. }, Self::Answer(_)) => Class::FailureGone,
            (Self::Failure { .. }, Self::Failure { .. }) => Class::FailureDiffers,
            (Self::Answer(old), Self::Answer(new)) => match (old.is_empty(), new.is_empty()) {
                (false, true) => Class::FilteredNow,
                (true, false) => Class::NoLongerFiltered,
                _ => Class::Different,
            },
        }
    }
}

/// Without the spans that it is traced by.
fn is_same_message(old: &Message, new: &Message) -> bool {
    old.frames == new.frames && old.metadata == new.metadata
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_differ_by_reason_and_by_what_the_sender_is_told() {
        let failure =
            |reason: &'static str, detail: &str| Outcome::Failure { reason: reason.into(), detail: detail.into() };
        assert!(failure("trapped", "at 0x10").is_identical(&failure("trapped", "at 0x20")));
        assert!(failure("failed", "a").is_identical(&failure("failed", "b")));
        assert!(!failure("rejected", "a").is_identical(&failure("rejected", "b")));
        assert!(!failure("trapped", "").is_identical(&failure("failed", "")));
        assert!(!failure("trapped", "").is_identical(&Outcome::Answer(Outputs::new())));
    }
}
