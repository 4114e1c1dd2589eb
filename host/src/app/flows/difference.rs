//! What differs between the sockets, pools and flows that run and those that are to run.

use super::{Running, pools, used};
use crate::config::{self, Config};
use std::collections::{BTreeMap, BTreeSet};

/// What was changed, by name.
#[derive(Debug, Default)]
pub(in crate::app) struct Changes {
    /// Flows, sockets and pools that were not there before.
    pub(in crate::app) added: Vec<String>,
    /// Those that are another now.
    pub(in crate::app) changed: Vec<String>,
    /// Those that are there no more.
    pub(in crate::app) removed: Vec<String>,
}

impl Changes {
    pub(in crate::app) fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }

    /// Adds what differs between the tables of a section before and now.
    pub(in crate::app) fn add_of<T: PartialEq>(
        &mut self,
        section: &str,
        before: &BTreeMap<String, T>,
        now: &BTreeMap<String, T>,
    ) {
        let names: BTreeSet<_> = before.keys().chain(now.keys()).collect();
        for name in names.into_iter().filter(|name| before.get(*name) != now.get(*name)) {
            self.add(section, name, before.contains_key(name), now.contains_key(name));
        }
    }

    fn add(&mut self, section: &str, name: &str, was: bool, is: bool) {
        let list = match (was, is) {
            (true, true) => &mut self.changed,
            (true, false) => &mut self.removed,
            (false, _) => &mut self.added,
        };
        list.push(format!("{section}.{name}"));
    }
}

/// The difference between what runs and what is to run.
pub(super) struct Difference {
    pub(super) sockets: GoingAndComing,
    pub(super) pools: GoingAndComing,
    pub(super) flows: GoingAndComing,
}

/// Names of what ends, and of what begins; one that is changed does both.
pub(super) struct GoingAndComing {
    pub(super) going: BTreeSet<String>,
    pub(super) coming: BTreeSet<String>,
}

impl Difference {
    pub(super) fn between(running: &Running, config: &Config) -> Self {
        let wanted = used(config);
        let sockets = GoingAndComing::of(
            running.sockets.iter().map(|(name, open)| (name, &open.config)).collect(),
            &wanted.iter().map(|(name, place)| (*name, place)).collect(),
        );
        // Flows know pools by their names alone, and go on with whatever takes the place of one.
        let pools = GoingAndComing::of(
            running.pools.iter().map(|(name, open)| (name, &open.config)).collect(),
            &pools::used(config),
        );
        let touched = |flow: &config::Flow| flow.from.iter().chain(&flow.to).any(|name| sockets.going.contains(name));
        let stays = |name: &String| {
            let before = running.flows.get(name).map(|open| &open.config);
            before.is_some() && before == config.flows.get(name) && !before.is_some_and(touched)
        };
        // The frontend's is the broker's.
        let wanted = config.flows.iter().filter(|(_, flow)| !flow.is_of_frontend()).map(|(name, _)| name);
        let flows = GoingAndComing {
            going: running.flows.keys().filter(|name| !stays(name)).cloned().collect(),
            coming: wanted.filter(|name| !stays(name)).cloned().collect(),
        };
        Self { sockets, pools, flows }
    }

    pub(super) fn report(&self) -> Changes {
        let mut changes = Changes::default();
        for (section, GoingAndComing { going, coming }) in
            [("sockets", &self.sockets), ("workers", &self.pools), ("flows", &self.flows)]
        {
            for name in going.union(coming) {
                changes.add(section, name, going.contains(name), coming.contains(name));
            }
        }
        changes
    }
}

impl GoingAndComing {
    fn of<T: PartialEq>(running: BTreeMap<&String, &T>, wanted: &BTreeMap<&String, &T>) -> Self {
        let is_same = |name: &String| running.get(name) == wanted.get(name);
        Self {
            going: running.keys().filter(|name| !is_same(name)).map(|name| (*name).clone()).collect(),
            coming: wanted.keys().filter(|name| !is_same(name)).map(|name| (*name).clone()).collect(),
        }
    }
}
