//! What a host has otherwise than most.

use super::told::Told;
use std::collections::{BTreeMap, BTreeSet};

/// What hosts are compared by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Aspect {
    /// The version of the host.
    Version,
    /// The component that a plugin is, or that it is not there.
    Digest(String),
    /// How a plugin does.
    PluginState(String),
    /// How a flow does, or that it is not there.
    Flow(String),
}

impl Aspect {
    /// For people.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Version => "version".to_owned(),
            Self::Digest(plugin) => format!("plugin {plugin}"),
            Self::PluginState(plugin) => format!("state of plugin {plugin}"),
            Self::Flow(flow) => format!("flow {flow}"),
        }
    }
}

/// Of each of those that answered, what it has otherwise than most of them; where there is no most, than the first of the most
/// frequent. Generations are no difference: each host counts its own.
pub(super) fn differences(told: &[&Told]) -> Vec<BTreeSet<Aspect>> {
    let mut differing = vec![BTreeSet::new(); told.len()];
    let mut note = |aspect: &Aspect, values: Vec<Option<&str>>| {
        let usual = usual(&values);
        for (differing, value) in differing.iter_mut().zip(values) {
            if Some(value) != usual {
                differing.insert(aspect.clone());
            }
        }
    };
    note(&Aspect::Version, told.iter().map(|told| Some(told.host.version.as_str())).collect());
    let plugins: BTreeSet<&String> = told.iter().flat_map(|told| told.plugins.keys()).collect();
    for name in plugins {
        let plugins: Vec<_> = told.iter().map(|told| told.plugins.get(name)).collect();
        let digests = plugins.iter().map(|plugin| plugin.and_then(|plugin| plugin.digest.as_deref())).collect();
        note(&Aspect::Digest(name.clone()), digests);
        let states = plugins.iter().map(|plugin| plugin.map(|plugin| plugin.state.as_str())).collect();
        note(&Aspect::PluginState(name.clone()), states);
    }
    let flows: BTreeSet<&String> = told.iter().flat_map(|told| told.flows.keys()).collect();
    for name in flows {
        let states = told.iter().map(|told| told.flows.get(name).map(|flow| flow.state.as_deref().unwrap_or("-")));
        note(&Aspect::Flow(name.clone()), states.collect());
    }
    differing
}

/// The most frequent of them, the first of several.
fn usual<T: Copy + Ord>(values: &[T]) -> Option<T> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_insert(0_usize) += 1;
    }
    let most = counts.values().max().copied()?;
    values.iter().find(|value| counts.get(value) == Some(&most)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fleet::told::{FlowTold, PluginTold};

    fn told(version: &str, plugins: &[(&str, &str)], flows: &[(&str, &str)]) -> Told {
        let mut told = Told::default();
        version.clone_into(&mut told.host.version);
        for (name, digest) in plugins {
            let plugin =
                PluginTold { state: "serving".to_owned(), generation: None, digest: Some((*digest).to_owned()) };
            told.plugins.insert((*name).to_owned(), plugin);
        }
        for (name, state) in flows {
            told.flows.insert((*name).to_owned(), FlowTold { state: Some((*state).to_owned()) });
        }
        told
    }

    #[test]
    fn who_has_something_otherwise_than_most_differs() {
        let (a, b) = (told("1", &[("p", "x")], &[("f", "running")]), told("1", &[("p", "y")], &[("f", "paused")]));
        assert_eq!(differences(&[&a, &a, &a]), [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()]);
        let expected = BTreeSet::from([Aspect::Digest("p".to_owned()), Aspect::Flow("f".to_owned())]);
        assert_eq!(differences(&[&b, &a, &a]), [expected.clone(), BTreeSet::new(), BTreeSet::new()]);
        // Of two, the first is what the other differs from.
        assert_eq!(differences(&[&b, &a]), [BTreeSet::new(), expected]);
        let other = told("2", &[], &[]);
        let words: Vec<_> = differences(&[&a, &a, &other])[2].iter().map(Aspect::words).collect();
        assert_eq!(words, ["version", "plugin p", "state of plugin p", "flow f"]);
        assert!(differences(&[]).is_empty());
    }
}
