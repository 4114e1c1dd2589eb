//! What of a configuration can come into force while a host runs.

use super::Plugin;
use crate::config::{Config, Limits, LimitsLayer, pool_of};
use std::collections::BTreeSet;

impl Config {
    /// This configuration with the sockets, workers, flows, routes, limits, settings, buckets and gates of another one. The instances of all
    /// plugins share what fits the `largest` limits that the host began with.
    pub fn with_live_part_of(&self, other: &Self, largest: &Limits) -> Self {
        let mut config = Self {
            sockets: other.sockets.clone(),
            workers: other.workers.clone(),
            flows: other.flows.clone(),
            routes: other.routes.clone(),
            streams: other.streams.clone(),
            limits: other.limits.live(&self.limits, largest),
            ..self.clone()
        };
        config.keep_frontend_flow(self);
        let names: BTreeSet<_> = self.plugins.keys().chain(other.plugins.keys()).collect();
        for name in names {
            let [before, wanted] = [self, other].map(|config| config.plugins.get(name).cloned().unwrap_or_default());
            let limits = wanted.limits.live(&before.limits, largest);
            let Plugin { settings, buckets, gate, .. } = wanted;
            let plugin = Plugin { limits, settings, buckets, gate, ..before };
            if plugin == Plugin::default() && !other.plugins.contains_key(name) {
                config.plugins.remove(name);
            } else {
                config.plugins.insert(name.clone(), plugin);
            }
        }
        config
    }

    /// What answers the frontend stays until the host ends, and so do the pools that it leads through.
    fn keep_frontend_flow(&mut self, in_force: &Self) {
        self.flows.retain(|_, flow| !flow.is_of_frontend());
        let Some((name, flow)) = in_force.frontend_flow() else { return };
        self.flows.insert(name.clone(), flow.clone());
        for pool in flow.through.iter().filter_map(|step| pool_of(step)) {
            let own = || in_force.workers.get(pool).cloned();
            if !self.workers.contains_key(pool)
                && let Some(own) = own()
            {
                self.workers.insert(pool.to_owned(), own);
            }
        }
    }

    /// Takes over the limits, settings, buckets and gates of another configuration of which `says` knows no key.
    pub fn fill_limits(&mut self, other: &Self, says: impl Fn(&str) -> bool) {
        if !says("limits") {
            self.limits = other.limits.clone();
        }
        for (name, plugin) in other.plugins.iter().filter(|(name, _)| !says(&format!("plugins.{name}"))) {
            self.plugins.insert(name.clone(), plugin.clone());
        }
        // Whoever sends other settings does not mean to open the gate, or to have what is kept forgotten.
        for (name, plugin) in &other.plugins {
            let Some(sent) = self.plugins.get_mut(name) else { continue };
            if !says(&format!("plugins.{name}.gate")) {
                sent.gate = plugin.gate.clone();
            }
            if !says(&format!("plugins.{name}.buckets")) {
                sent.buckets = plugin.buckets.clone();
            }
        }
    }
}

impl LimitsLayer {
    /// These bounds, with those in their place that are `in_force` and cannot change while a host runs.
    fn live(&self, in_force: &Self, largest: &Limits) -> Self {
        let fits = |wanted: Option<usize>, max| wanted.is_none_or(|wanted| wanted <= max);
        let fitting = |wanted, in_force, max| if fits(wanted, max) { wanted } else { in_force };
        Self {
            // It decides on what the code runs in.
            stack_bytes_max: in_force.stack_bytes_max,
            memory_bytes_max: fitting(self.memory_bytes_max, in_force.memory_bytes_max, largest.memory_bytes_max),
            table_elements_max: fitting(
                self.table_elements_max,
                in_force.table_elements_max,
                largest.table_elements_max,
            ),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Config {
        Config::parse(text.to_owned()).unwrap_or_else(|error| panic!("{error}")).0
    }

    #[test]
    fn limits_and_settings_come_into_force_as_far_as_they_fit_and_the_rest_stays() {
        let before = read(
            "[limits]\nstack_bytes_max = 65_536\n[plugins.a]\nreuse = 2\n[plugins.a.limits]\ncalls_max = 3\n\
                           [plugins.b.settings]\nk = '1'",
        );
        let largest = before.limits_largest();
        let other = read(
            "[limits]\nstack_bytes_max = 131_072\ncall_deadline_ms = 7\n[plugins.a]\nreuse = 9\n\
                          [plugins.a.limits]\nmemory_bytes_max = 65_537\n[plugins.c.limits]\nmemory_bytes_max = 4_294_967_296\n\
                          [plugins.c.settings]\nk = '2'\n[http]\nrequests_max = 3",
        );
        let live = before.with_live_part_of(&other, &largest);
        let limits = live.limits_of("a");
        assert_eq!((limits.stack_bytes_max, limits.call_deadline_ms), (65_536, 7));
        assert_eq!((limits.calls_max, limits.memory_bytes_max), (Limits::default().calls_max, 65_537));
        assert_eq!((live.plugins["a"].reuse, live.http.requests_max), (2, before.http.requests_max));
        assert_eq!(live.limits_of("c").memory_bytes_max, Limits::default().memory_bytes_max, "more than there is");
        assert_eq!((live.settings_of("c").len(), live.plugins.contains_key("b")), (1, false));
    }

    #[test]
    fn workers_change_but_for_those_that_the_frontend_needs() {
        let pool = |name: &str, port: u16| format!("[workers.{name}]\nbind = ['tcp://h:{port}']\n");
        let own = "[flows.own]\nfrom = ['frontend']\nthrough = ['workers.a']\n";
        let other = "[flows.other]\nfrom = ['frontend']\nthrough = ['workers.b']\n";
        let before = read(&[&pool("a", 1), &pool("c", 1), own].concat());
        let live = before.with_live_part_of(&read(&[&pool("b", 2), other].concat()), &before.limits_largest());
        assert_eq!(live.workers.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(live.flows, before.flows);
        let none = read("").with_live_part_of(&read(&[&pool("b", 2), other].concat()), &before.limits_largest());
        assert!(none.flows.is_empty());
        let changed = before.with_live_part_of(&read(&[&pool("a", 3), own].concat()), &before.limits_largest());
        assert_eq!(changed.workers["a"].bind[0].to_string(), "tcp://h:3");
    }

    #[test]
    fn what_is_left_out_stays() {
        let before = read(
            "[limits]\ncalls_max = 3\n[plugins.a.settings]\nk = '1'\n[plugins.b.settings]\nk = '1'\n\
             [plugins.b.gate]\non = 'x'\n[plugins.b.buckets]\nc = {}",
        );
        let mut sent = read("[plugins.b.settings]\nl = '2'");
        sent.fill_limits(&before, |key| key == "plugins.b");
        assert_eq!((&sent.limits, sent.settings_of("a").len()), (&before.limits, 1));
        assert!(sent.settings_of("b").contains_key("l") && !sent.settings_of("b").contains_key("k"));
        assert_eq!((sent.gate_of("b"), sent.gate_of("a")), (before.gate_of("b"), None), "a gate is not opened so");
        assert!(sent.buckets_of("b").contains_key("c"), "nothing is forgotten so");
    }
}
