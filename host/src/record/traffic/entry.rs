//! One thing in a file of captured traffic: a record of a capture, or a dead letter as a capture would have it.

use crate::record::capture::Captured;
use crate::record::capture::record::{Call, CallFailure, CallRole, Pair, Record};
use crate::record::dead_letters::{Letter, LetterHop, LetterSeed};

/// A message that came in or went into a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it was, and what came of it. Of a dead letter it is not known how long the call took, nor of which stage it was.
    pub captured: Captured,
    /// What only a dead letter says.
    pub letter: Option<LetterTraits>,
}

/// What a dead letter says of itself that a record of a capture does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterTraits {
    /// The name of its request.
    pub id: String,
    /// Where it was lost.
    pub hop: LetterHop,
    /// Where the random numbers of its call came from.
    pub seed: LetterSeed,
    /// All plugins that were called, where those are several: then the message is what went into the first.
    pub met: Option<String>,
}

impl From<Captured> for Entry {
    fn from(captured: Captured) -> Self {
        Self { captured, letter: None }
    }
}

impl From<Letter> for Entry {
    fn from(letter: Letter) -> Self {
        let (kind, name) = letter.place();
        let (name, time) = (name.to_owned(), letter.nanoseconds().unwrap_or_default());
        let Letter { id, reason, error: detail, by, met, seed, number, input, .. } = letter;
        let hop = LetterHop::of(&input);
        let role = match hop {
            LetterHop::Transform | LetterHop::Processor => CallRole::Processor,
            LetterHop::Policy | LetterHop::Reply => CallRole::Policy,
        };
        let (plugin, generation, digest) = match by {
            Some(by) => (by.plugin.clone(), by.generation, by.digest_bytes()),
            None => Default::default(),
        };
        let failure = Some(CallFailure { reason, detail });
        let call = Call { plugin, generation, digest, number, failure, role: role.into(), ..Call::default() };
        let message = input.into_frames();
        let metadata = message.metadata.into_iter().map(|(key, value)| Pair { key, value }).collect();
        let record = Record { frames: message.frames.into_vec(), metadata, call: Some(call) };
        Self { captured: Captured { kind, name, time, record }, letter: Some(LetterTraits { id, hop, seed, met }) }
    }
}
