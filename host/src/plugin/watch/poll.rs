//! Poll: asks the registries at intervals whether the tags of plugins have moved, and loads what they stand for now.

use crate::config::REGISTRY_DENIED_PAUSE_MS_MAX;
use crate::plugin::slot::slots::Slots;
use crate::system::fail_point::is_to_fail;
use crate::system::supervisor::Supervisor;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

const DENIED_PAUSE_MAX: Duration = Duration::from_millis(REGISTRY_DENIED_PAUSE_MS_MAX);

/// Starts to look, for every plugin that comes by a tag. Dropping what is returned ends it.
pub fn poll(slots: &Arc<Slots>, supervisor: &Supervisor) -> JoinSet<()> {
    let mut polls = JoinSet::new();
    for slot in slots.all() {
        if let Some(interval) = slots.poll_interval(&slot) {
            let part = format!("poll-{}", slot.name());
            polls.spawn(supervisor.watched(&part, look_for_ever(Arc::clone(slots), slot.name().to_owned(), interval)));
        }
    }
    polls
}

/// By name: a plugin may be unloaded, and come back as another slot.
async fn look_for_ever(slots: Arc<Slots>, name: String, interval: Duration) -> Result<(), String> {
    // What is wrong with the registry, which is said once.
    let mut complaint = None;
    let mut pause = interval;
    loop {
        sleep(pause).await;
        if is_to_fail(&format!("poll-{name}")) {
            return Err("a test has asked for it".to_owned());
        }
        let denied = match slots.get(&name) {
            Some(slot) => slots.look(&slot, &mut complaint).await,
            None => {
                complaint = None;
                false
            }
        };
        // Whoever is not let in is not let in by asking more often, and may be locked out for it.
        pause = if denied { (pause * 2).min(DENIED_PAUSE_MAX.max(interval)) } else { interval };
    }
}
