//! The statistics of one surface as an object: a value under each name, or one for each value of its further label.

use crate::flow::{Statistics, Surface, Unit};
use serde_json::{Map, Value};

/// What tells its peers apart; they are told of by themselves.
const PEER: &str = "peer";

/// What the surface counts. Its own label, the first of each value, is left out.
pub(super) fn of(surface: &dyn Surface) -> Map<String, Value> {
    let mut statistics = Statistics::default();
    surface.statistics(&mut statistics);
    let mut values = Map::new();
    for family in statistics.into_families() {
        let (name, unit, _) = family.described;
        let name = unit.map_or(name.to_owned(), |Unit::Bytes| format!("{name}_bytes"));
        for (labels, value) in family.samples {
            match &labels[..] {
                [] | [_] => drop(values.insert(name.clone(), value.into())),
                [_, (PEER, _), ..] => {}
                [_, further @ ..] => {
                    let texts: Vec<_> = further.iter().map(|(_, text)| text.as_str()).collect();
                    let by_label = values.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
                    if let Value::Object(by_label) = by_label {
                        by_label.insert(texts.join(" "), value.into());
                    }
                }
            }
        }
    }
    values
}
