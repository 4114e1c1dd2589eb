//! A letter without what was lost: enough to list it, and to choose it.

use super::letter::{Letter, nanoseconds_of, place_of};
use super::mark::Replay;
use crate::record::choice::Traits;
use serde::{Deserialize, Serialize};

/// What a list tells of a letter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Summary {
    /// The request's name, as in the log.
    pub id: String,
    /// When, as RFC 3339 has it.
    pub time: String,
    /// Where it was lost: `transform`, `policy` or `reply`.
    pub hop: String,
    /// The name of the plugin that it was for.
    pub route: String,
    /// What the ledger counts it as.
    pub reason: String,
    /// The plugin that failed; without it none was reached.
    pub plugin: Option<String>,
    /// Its generation at that time.
    pub generation: Option<u64>,
    /// How far its last replay got; without it there was none.
    #[serde(default)]
    pub replay: Option<Replay>,
    /// When that was.
    #[serde(default)]
    pub replayed_at: Option<String>,
}

impl From<&Letter> for Summary {
    /// Of a letter of which it is not known whether it was replayed.
    fn from(letter: &Letter) -> Self {
        let Letter { id, time, hop, route, reason, by, .. } = letter;
        Self {
            id: id.clone(),
            time: time.clone(),
            hop: hop.as_str().to_owned(),
            route: route.clone(),
            reason: reason.clone(),
            plugin: by.as_ref().map(|by| by.plugin.clone()),
            generation: by.as_ref().map(|by| by.generation),
            replay: None,
            replayed_at: None,
        }
    }
}

impl Summary {
    /// Whether there is a call that can be made again: a reply has none.
    pub fn is_call(&self) -> bool {
        self.hop != "reply"
    }

    /// What a choice looks at.
    pub(super) fn traits(&self) -> Traits<'_> {
        let (kind, name) = place_of(&self.route, &self.hop);
        let time = nanoseconds_of(&self.time);
        Traits { kind, name, plugin: self.plugin.as_deref(), reason: Some(&self.reason), time }
    }
}
