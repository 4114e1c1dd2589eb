//! A generation that differs from the one before in its bounds and settings alone.

use super::History;
use super::timeline::{HappenedBy, Happening, TimelineEntry};
use crate::flow::ServedBy;
use crate::plugin::run::plugin_state::PluginState;
use std::sync::Arc;

impl History {
    /// Has other bounds and settings come into force. What serves goes on under them as a new generation; calls in flight
    /// end under those that they began with.
    pub(in crate::plugin::slot) fn configure(&self, plugin_state: Arc<PluginState>) -> Option<Arc<ServedBy>> {
        let mut past = self.lock();
        self.plugin_state.store(plugin_state);
        let serving = self.serving.load_full().filter(|_| !past.ended)?;
        // One that is on probation begins that anew, and is gone back from as before.
        let (served_by, _) = self.publish(&mut past, Arc::clone(&serving.plugin), serving.health.is_proven());
        past.timeline.note(TimelineEntry::new(Happening::Configured, HappenedBy::Operator).of(&served_by));
        if serving.health.is_held()
            && let Some(serving) = self.serving()
        {
            serving.health.hold();
        }
        Some(served_by)
    }
}
