//! What a message met on its way: the plugins that were called for it, each with its generation.

use super::stage::ServedBy;
use smallvec::SmallVec;
use std::fmt;
use std::sync::Arc;

/// The plugins in the order in which they were called. One that was called for several messages of one is there once for
/// each generation that served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Met(SmallVec<[Arc<ServedBy>; 1]>);

impl Met {
    /// Adds the plugin that served the next call.
    pub fn add(&mut self, by: Arc<ServedBy>) {
        let is_known = self.0.iter().rev().take_while(|known| known.plugin == by.plugin).any(|known| **known == *by);
        if !is_known {
            self.0.push(by);
        }
    }

    /// The plugin that served last.
    pub fn last(&self) -> Option<&Arc<ServedBy>> {
        self.0.last()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no plugin was reached.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each as `NAME@GENERATION`, with this between them.
    pub fn joined(&self, between: &str) -> String {
        let each = |by: &Arc<ServedBy>| format!("{}@{}", by.plugin, by.generation);
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
            Arc::new(ServedBy { plugin: plugin.to_owned(), generation, digest: String::new(), artifact: None })
        };
        assert_eq!(Met::default().to_string(), "");
        let calls = [("parse", 7), ("enrich", 3), ("enrich", 3), ("enrich", 4), ("enrich", 3), ("parse", 7)];
        let met: Met = calls.into_iter().map(|(plugin, generation)| by(plugin, generation)).collect();
        assert_eq!(met.to_string(), "parse@7 → enrich@3 → enrich@4 → parse@7");
        assert_eq!((met.len(), met.last().map(|by| by.generation)), (4, Some(7)));
    }
}
