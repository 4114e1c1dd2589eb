//! Statistics: what the parts of a host count, read at one moment, in families of the same name.

/// The name of a family without its unit, the unit, which is the suffix of the full name, and the help text.
pub type Described = (&'static str, Option<Unit>, &'static str);

/// Labels with their values.
pub type Labels = Vec<(&'static str, String)>;

/// The unit of a family whose values are not plain counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
}

/// How a family's values change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A total since the start.
    Counter,
    /// A current value.
    Gauge,
}

/// Values of one name, distinguished by their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// What it is.
    pub described: Described,
    /// How its values change.
    pub kind: Kind,
    /// The values.
    pub samples: Vec<(Labels, u64)>,
}

/// All families, in the order in which they were first added to.
#[derive(Clone, Debug, Default)]
pub struct Statistics(Vec<Family>);

/// Adds the values of one part of the host, under its label.
pub struct Counted<'a> {
    statistics: &'a mut Statistics,
    labels: Labels,
}

impl Statistics {
    /// For adding values under this label, or without one for the host as a whole.
    pub fn of(&mut self, label: Option<(&'static str, &str)>) -> Counted<'_> {
        let labels = label.into_iter().map(|(label, value)| (label, value.to_owned())).collect();
        Counted { statistics: self, labels }
    }

    /// All that was added.
    pub fn into_families(self) -> Vec<Family> {
        self.0
    }

    fn family(&mut self, described: Described, kind: Kind) -> &mut Family {
        let same = |family: &Family| (family.described.0, family.described.1) == (described.0, described.1);
        let at = self.0.iter().position(same).unwrap_or_else(|| {
            self.0.push(Family { described, kind, samples: Vec::new() });
            self.0.len() - 1
        });
        &mut self.0[at]
    }
}

impl Counted<'_> {
    /// A total since the start.
    pub fn counter(&mut self, described: Described, value: u64) {
        self.add(described, Kind::Counter, [(Vec::new(), value)]);
    }

    /// A current value.
    pub fn gauge(&mut self, described: Described, value: u64) {
        self.add(described, Kind::Gauge, [(Vec::new(), value)]);
    }

    /// Totals with one more label, whose values tell them apart. The family is added even if there are none.
    pub fn counters_by<V: Into<String>>(
        &mut self,
        described: Described,
        label: &'static str,
        values: impl IntoIterator<Item = (V, u64)>,
    ) {
        let values = values.into_iter().map(|(value, count)| (vec![(label, value.into())], count));
        self.add(described, Kind::Counter, values);
    }

    /// Current values with one more label, likewise.
    pub fn gauges_by<V: Into<String>>(
        &mut self,
        described: Described,
        label: &'static str,
        values: impl IntoIterator<Item = (V, u64)>,
    ) {
        let values = values.into_iter().map(|(value, count)| (vec![(label, value.into())], count));
        self.add(described, Kind::Gauge, values);
    }

    fn add(&mut self, described: Described, kind: Kind, samples: impl IntoIterator<Item = (Labels, u64)>) {
        let own = &self.labels;
        let samples = samples.into_iter().map(|(labels, value)| ([&own[..], &labels].concat(), value));
        self.statistics.family(described, kind).samples.extend(samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_name_are_one_family_whoever_adds_them() {
        let mut statistics = Statistics::default();
        let mut a = statistics.of(Some(("socket", "a")));
        a.counter(("messages", None, "Messages"), 1);
        a.gauges_by(("peers", None, "Peers"), "peer", <[(&str, u64); 0]>::default());
        let mut b = statistics.of(Some(("socket", "b")));
        b.counters_by(("messages", None, "Messages"), "direction", [("in", 2)]);
        b.counter(("messages", Some(Unit::Bytes), "Their bytes"), 3);
        let families = statistics.into_families();
        let sizes: Vec<_> = families.iter().map(|family| (family.described.0, family.samples.len())).collect();
        assert_eq!(sizes, [("messages", 2), ("peers", 0), ("messages", 1)]);
        let b = vec![("socket", "b".to_owned()), ("direction", "in".to_owned())];
        assert_eq!(families[0].samples[1], (b, 2));
    }
}
