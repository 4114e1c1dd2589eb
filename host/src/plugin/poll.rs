//! Poll: looks now and then whether the tags have moved by which plugins come, and loads what they stand for then.

use super::slot::Slot;
use super::slots::Slots;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Starts to look, for every plugin that comes by a tag. Dropping what is returned ends it.
pub fn poll(slots: &Arc<Slots>) -> JoinSet<()> {
    let mut polls = JoinSet::new();
    for slot in slots.all() {
        if let Some(interval) = slots.poll_interval(&slot) {
            polls.spawn(look_for_ever(Arc::clone(slots), slot, interval));
        }
    }
    polls
}

async fn look_for_ever(slots: Arc<Slots>, slot: Arc<Slot>, interval: Duration) {
    // What is wrong with the registry, which is said once.
    let mut complaint = None;
    loop {
        sleep(interval).await;
        slots.look(&slot, &mut complaint).await;
    }
}
