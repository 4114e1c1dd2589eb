//! Where two values of JSON differ, under the rules of what counts.

use super::group::Kind;
use super::rules::Rules;
use crate::config::Segment;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::mem::discriminant;

/// Takes in a difference: the way to it, its kind, and both values, of which one may be missing.
pub(super) trait Found<'a>: FnMut(&[Segment<'a>], Kind, Option<&'a Value>, Option<&'a Value>) {}
impl<'a, F: FnMut(&[Segment<'a>], Kind, Option<&'a Value>, Option<&'a Value>)> Found<'a> for F {}

/// Finds each place at which the values differ. No value is nested deeper than serde_json reads.
pub(super) fn differences<'a>(old: &'a Value, new: &'a Value, rules: &Rules, found: &mut impl Found<'a>) {
    Walk { rules, way: Vec::new() }.compare(old, new, found);
}

struct Walk<'a, 'r> {
    rules: &'r Rules,
    way: Vec<Segment<'a>>,
}

impl<'a> Walk<'a, '_> {
    fn compare(&mut self, old: &'a Value, new: &'a Value, found: &mut impl Found<'a>) {
        if self.rules.ignores(&self.way) {
            return;
        }
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => self.members(old, new, found),
            (Value::Array(old), Value::Array(new)) if self.rules.is_unordered(&self.way) => {
                self.unordered(old, new, found);
            }
            (Value::Array(old), Value::Array(new)) => self.elements(old, new, found),
            _ if discriminant(old) != discriminant(new) => found(&self.way, Kind::Type, Some(old), Some(new)),
            _ if old != new => found(&self.way, Kind::Changed, Some(old), Some(new)),
            _ => {}
        }
    }

    fn members(&mut self, old: &'a Map<String, Value>, new: &'a Map<String, Value>, found: &mut impl Found<'a>) {
        for (key, value) in old {
            self.below(Segment::Key(key), Some(value), new.get(key), found);
        }
        for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
            self.below(Segment::Key(key), None, Some(value), found);
        }
    }

    fn elements(&mut self, old: &'a [Value], new: &'a [Value], found: &mut impl Found<'a>) {
        for at in 0..old.len().max(new.len()) {
            self.below(Segment::Index(at), old.get(at), new.get(at), found);
        }
    }

    /// What both have is taken out; the rest is compared in an order that depends on the values alone.
    fn unordered(&mut self, old: &'a [Value], new: &'a [Value], found: &mut impl Found<'a>) {
        let mut by_form = BTreeMap::<String, (Vec<&'a Value>, Vec<&'a Value>)>::new();
        self.way.push(Segment::Element);
        if !self.rules.ignores(&self.way) {
            for value in old {
                by_form.entry(self.form(value)).or_default().0.push(value);
            }
            for value in new {
                by_form.entry(self.form(value)).or_default().1.push(value);
            }
        }
        self.way.pop();
        let (mut only_old, mut only_new) = (Vec::new(), Vec::new());
        for (old, new) in by_form.into_values() {
            let both = old.len().min(new.len());
            only_old.extend(&old[both..]);
            only_new.extend(&new[both..]);
        }
        for at in 0..only_old.len().max(only_new.len()) {
            self.below(Segment::Element, only_old.get(at).copied(), only_new.get(at).copied(), found);
        }
    }

    fn below(
        &mut self,
        segment: Segment<'a>,
        old: Option<&'a Value>,
        new: Option<&'a Value>,
        found: &mut impl Found<'a>,
    ) {
        self.way.push(segment);
        match (old, new) {
            (Some(old), Some(new)) => self.compare(old, new, found),
            _ if self.rules.ignores(&self.way) => {}
            (Some(_), None) => found(&self.way, Kind::Removed, old, None),
            _ => found(&self.way, Kind::Added, None, new),
        }
        self.way.pop();
    }

    /// A text that values have in common among which nothing differs that counts, and no others.
    fn form(&mut self, value: &'a Value) -> String {
        match value {
            Value::Array(elements) => {
                let is_unordered = self.rules.is_unordered(&self.way);
                let mut forms = Vec::new();
                for (at, element) in elements.iter().enumerate() {
                    let segment = if is_unordered { Segment::Element } else { Segment::Index(at) };
                    forms.extend(self.form_below(segment, element));
                }
                if is_unordered {
                    forms.sort_unstable();
                }
                format!("[{}]", forms.join(","))
            }
            Value::Object(members) => {
                let mut forms = BTreeMap::new();
                for (key, value) in members {
                    forms.extend(self.form_below(Segment::Key(key), value).map(|form| (key, form)));
                }
                let forms: Vec<_> =
                    forms.into_iter().map(|(key, form)| format!("{}:{form}", Value::from(key.as_str()))).collect();
                format!("{{{}}}", forms.join(","))
            }
            plain => plain.to_string(),
        }
    }

    fn form_below(&mut self, segment: Segment<'a>, value: &'a Value) -> Option<String> {
        self.way.push(segment);
        let form = (!self.rules.ignores(&self.way)).then(|| self.form(value));
        self.way.pop();
        form
    }
}
