//! Other limits, settings, buckets and gates come into force while plugins serve, without a load.

use super::Slots;
use crate::buckets::Backends;
use crate::config::{self, Config, Limits};
use crate::flow::ServedBy;
use crate::plugin::slot::Slot;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

impl Slots {
    /// Has the limits, settings, buckets and gates of another configuration come into force. Returns the keys of those that are
    /// others now.
    pub fn configure(&self, config: Config) -> Vec<String> {
        // Whoever makes a slot meanwhile has the lock too.
        let mut unlisted = self.unlisted();
        let before = self.config.swap(Arc::new(config));
        let now = self.config.load();
        let arriving = unlisted.arriving.values().filter_map(Weak::upgrade);
        let slots: Vec<_> = self.all().into_iter().chain(arriving).collect();
        let configured = before.plugins.keys().chain(now.plugins.keys()).map(String::as_str);
        // Of those too that are not there yet.
        let names: BTreeSet<_> = slots.iter().map(|slot| slot.name()).chain(configured).collect();
        let mut keys = Vec::new();
        for name in names {
            let (limits, settings, buckets) = (now.limits_of(name), now.settings_of(name), now.buckets_of(name));
            let changed_buckets = buckets != before.buckets_of(name);
            let changed = [
                (limits != before.limits_of(name)).then(|| format!("plugins.{name}.limits")),
                (settings != before.settings_of(name)).then(|| format!("plugins.{name}.settings")),
                changed_buckets.then(|| format!("plugins.{name}.buckets")),
            ];
            let named = || slots.iter().filter(|slot| slot.name() == name);
            if changed.iter().any(Option::is_some) {
                let granted = (&buckets, &self.backends);
                named().for_each(|slot| slot.configure(limits.clone(), settings.clone(), granted));
                keys.extend(changed.into_iter().flatten());
            }
            // What is kept for a plugin that was unloaded is there when it comes back, as long as it is granted.
            if changed_buckets && let Some(unloaded) = unlisted.unloaded.get_mut(name) {
                let granted = (&buckets, &self.backends);
                let plugin_state = unloaded.plugin_state.configured(limits, settings, granted);
                unloaded.plugin_state = Arc::new(plugin_state);
            }
            let gate = now.gate_of(name);
            if gate != before.gate_of(name) {
                // Whatever serves was let in, and goes on.
                named().for_each(|slot| slot.gate.configure(gate));
                keys.push(format!("plugins.{name}.gate"));
            }
        }
        keys
    }
}

impl Slot {
    /// Has other bounds, settings and buckets come into force, without a look at the component.
    fn configure(
        &self,
        limits: Limits,
        settings: BTreeMap<String, String>,
        granted: (&BTreeMap<String, config::Bucket>, &Backends),
    ) {
        let plugin_state = self.history.plugin_state().configured(limits, settings, granted);
        if let Some(served_by) = self.history.configure(Arc::new(plugin_state)) {
            let ServedBy { plugin, generation, digest, .. } = &*served_by;
            tracing::info!(plugin, generation, digest, "serves under other limits, settings or buckets");
        }
    }
}
