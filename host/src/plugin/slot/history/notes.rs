//! What the history takes note of beside the generations: refusals, pauses, and the timeline of all of it.

use super::History;
use super::timeline::{HappenedBy, Happening, TimelineEntry};
use crate::config::REFUSED_TEXT_BYTES_MAX;
use crate::flow::ServedBy;
use crate::plugin::load::LoadError;
use crate::plugin::run::plugin_state::shortened;

/// What was last refused.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RefusedGeneration {
    /// SHA-256 of the bytes, if they could be read.
    pub digest: Option<String>,
    /// The stage that refused: pull, read, compile, type-check, probe, examples, gate or probation.
    pub stage: &'static str,
    /// Why, for people to read.
    pub reason: String,
    /// When, as RFC 3339 has it.
    pub at: String,
}

impl History {
    /// Takes note of a refused load, which somebody `asked` for or nobody. What came too late was not refused, nor what the
    /// host had no time for.
    pub(in crate::plugin::slot) fn refused(&self, digest: Option<String>, asked: bool, error: &LoadError) {
        if matches!(error, LoadError::Superseded | LoadError::Busy { .. }) {
            return;
        }
        let refused = RefusedGeneration::now(digest, error.stage(), error.to_string());
        let mut past = self.lock();
        past.timeline.note(refused.entry(HappenedBy::of_load(asked)));
        past.last_refused = Some(refused);
    }

    /// Takes note of a pause of what serves.
    pub(in crate::plugin::slot) fn paused(&self, serving: &ServedBy) {
        let mut past = self.lock();
        past.pauses += 1;
        let entry = TimelineEntry::new(Happening::Paused, HappenedBy::Calls).of(serving);
        past.timeline.note(entry.because("it keeps failing; it is tried again after a while"));
    }

    /// Takes note that what was paused is called again.
    pub(in crate::plugin::slot) fn resumed(&self, serving: &ServedBy) {
        let entry = TimelineEntry::new(Happening::Resumed, HappenedBy::Calls).of(serving);
        self.lock().timeline.note(entry.because("the call that tried it went well"));
    }

    /// Takes note of what happened to what serves, and needs no reason.
    pub(in crate::plugin::slot) fn note(&self, serving: &ServedBy, what: Happening, by: HappenedBy) {
        self.lock().timeline.note(TimelineEntry::new(what, by).of(serving));
    }

    /// The last things that happened, the oldest first.
    pub(in crate::plugin::slot) fn timeline(&self) -> Vec<TimelineEntry> {
        self.lock().timeline.entries()
    }
}

impl RefusedGeneration {
    pub(super) fn now(digest: Option<String>, stage: &'static str, reason: String) -> Self {
        let reason = shortened(&reason, REFUSED_TEXT_BYTES_MAX).to_owned();
        Self { digest, stage, reason, at: format!("{:.3}", jiff::Timestamp::now()) }
    }

    fn entry(&self, by: HappenedBy) -> TimelineEntry {
        let Self { digest, stage, reason, .. } = self;
        let entry = TimelineEntry::new(Happening::Refused, by).because(reason);
        TimelineEntry { digest: digest.clone(), stage: Some(stage), ..entry }
    }
}
