//! What a message met on its way: the plugins that were called for it, each with its generation, and other stages.

use super::stage::{ServedBy, Stage};
use smallvec::SmallVec;
use std::fmt;
use std::sync::Arc;

/// All in the order in which they were called. A plugin that was called for several messages of one is there once for each
/// generation that served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Met(SmallVec<[Called; 1]>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Called {
    Plugin(Arc<ServedBy>),
    /// A stage of the host's own, by its name.
    OfHost(String),
}

impl Called {
    fn name(&self) -> &str {
        match self {
            Self::Plugin(by) => &by.plugin,
            Self::OfHost(name) => name,
        }
    }
}

impl Met {
    /// Adds a stage that was called, and the plugin that served. One that reached no plugin was not met.
    pub fn note(&mut self, stage: &dyn Stage, by: Option<Arc<ServedBy>>) {
        match by {
            Some(by) => self.add(by),
            None if stage.is_of_host() => self.push(Called::OfHost(stage.name().to_owned())),
            None => {}
        }
    }

    /// Adds the plugin that served the next call.
    pub fn add(&mut self, by: Arc<ServedBy>) {
        self.push(Called::Plugin(by));
    }

    fn push(&mut self, called: Called) {
        if !self.0.iter().rev().take_while(|known| known.name() == called.name()).any(|known| *known == called) {
            self.0.push(called);
        }
    }

    /// The plugin that served last; none if what was called last is no plugin.
    pub fn last(&self) -> Option<&Arc<ServedBy>> {
        match self.0.last()? {
            Called::Plugin(by) => Some(by),
            Called::OfHost(_) => None,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was reached.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is nothing to say of it beside its last plugin.
    pub fn is_said_by_last(&self) -> bool {
        self.is_empty() || self.len() == 1 && self.last().is_some()
    }

    /// Each plugin as `NAME@GENERATION`, and another stage by its name, with this between them.
    pub fn joined(&self, between: &str) -> String {
        let each = |called: &Called| match called {
            Called::Plugin(by) => format!("{}@{}", by.plugin, by.generation),
            Called::OfHost(name) => name.clone(),
        };
        self.0.iter().map(each).collect::<Vec<_>>().join(between)
    }
}

impl FromIterator<Arc<ServedBy>> for Met {
    fn from_iter<T: IntoIterator<Item = Arc<ServedBy>>>(calls: T) -> Self {
        let mut met = Self::default();
        calls.into_iter().for_each(|by| met.add(by));
        met
    }
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.joined(" → "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_generation_that_served_is_named_once() {
        let by = |plugin: &str, generation| {
            Arc::new(ServedBy { plugin: plugin.to_owned(), generation, ..ServedBy::default() })
        };
        assert_eq!(Met::default().to_string(), "");
        assert!(Met::default().is_said_by_last() && Met::from_iter([by("parse", 7)]).is_said_by_last());
        let calls = [("parse", 7), ("enrich", 3), ("enrich", 3), ("enrich", 4), ("enrich", 3), ("parse", 7)];
        let met: Met = calls.into_iter().map(|(plugin, generation)| by(plugin, generation)).collect();
        assert_eq!(met.to_string(), "parse@7 → enrich@3 → enrich@4 → parse@7");
        assert_eq!((met.len(), met.last().map(|by| by.generation)), (4, Some(7)));
        assert!(!met.is_said_by_last());
    }
}
