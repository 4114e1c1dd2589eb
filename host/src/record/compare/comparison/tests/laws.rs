//! Laws that hold whatever is compared.

use super::*;
use crate::config::Segment;
use proptest::collection::vec;
use proptest::prelude::*;

/// A value of JSON with few keys, so that values are alike.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(json!(null)), any::<bool>().prop_map(Value::from), (0..3_i32).prop_map(Value::from)];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => vec(value().prop_map(|value| message(&[], &[value.to_string().as_bytes()])), 0..3).prop_map(answer),
        1 => prop_oneof![Just("trapped"), Just("failed")].prop_map(failure),
    ]
}

fn path() -> impl Strategy<Value = String> {
    vec(prop_oneof![Just(".a"), Just(".b"), Just("[*]"), Just("[0]")], 0..4)
        .prop_map(|steps| format!("${}", steps.concat()))
}

fn some_rules() -> impl Strategy<Value = Rules> {
    (vec(path(), 0..3), vec(path(), 0..3)).prop_map(|(ignored, unordered)| {
        let paths = |texts: Vec<String>| texts.iter().map(|text| text.parse().unwrap()).collect();
        Rules { ignored: paths(ignored), unordered: paths(unordered) }
    })
}

/// Puts the elements of every array that a rule calls unordered into another order.
fn shuffled(value: &Value, rules: &Rules, way: &mut Vec<Segment<'static>>) -> Value {
    match value {
        Value::Array(elements) => {
            let is_unordered = rules.is_unordered(way);
            let mut elements: Vec<_> = elements
                .iter()
                .enumerate()
                .map(|(at, element)| {
                    way.push(if is_unordered { Segment::Element } else { Segment::Index(at) });
                    let element = shuffled(element, rules, way);
                    way.pop();
                    element
                })
                .collect();
            if is_unordered {
                elements.reverse();
            }
            Value::Array(elements)
        }
        Value::Object(members) => {
            let mut shuffled_members = serde_json::Map::new();
            for (key, value) in members {
                way.push(Segment::Key(if key == "a" { "a" } else { "b" }));
                shuffled_members.insert(key.clone(), shuffled(value, rules, way));
                way.pop();
            }
            Value::Object(shuffled_members)
        }
        plain => plain.clone(),
    }
}

fn compared(rules: &Rules, inputs: &[(u64, Outcome, Outcome)]) -> Comparison {
    let mut comparison = Comparison::default();
    for (number, old, new) in inputs {
        comparison.add(rules, *number, &message(&[], &[&number.to_be_bytes()]), old, new);
    }
    comparison
}

fn merged(parts: Vec<Comparison>) -> Comparison {
    parts.into_iter().fold(Comparison::default(), |mut merged, part| {
        merged.merge(part);
        merged
    })
}

proptest! {
    #[test]
    fn equal_is_equal(outcome in outcome(), rules in some_rules()) {
        let mut comparison = Comparison::default();
        prop_assert_eq!(comparison.add(&rules, 1, &Message::default(), &outcome, &outcome.clone()), Class::Same);
        prop_assert_eq!(comparison.groups().count(), 0);
    }

    #[test]
    fn what_differs_has_a_group_and_what_has_none_is_the_same(old in outcome(), new in outcome(), rules in some_rules()) {
        let mut comparison = Comparison::default();
        let class = comparison.add(&rules, 1, &Message::default(), &old, &new);
        prop_assert_eq!(class == Class::Same, comparison.groups().count() == 0);
        let back = Comparison::default().add(&rules, 1, &Message::default(), &new, &old);
        prop_assert_eq!(class == Class::Same, back == Class::Same, "a difference is one from either side");
        if rules == Rules::default() {
            prop_assert_eq!(class == Class::Same, old.is_identical(&new));
        }
    }

    #[test]
    fn more_rules_never_find_more(old in value(), new in value(), rules in some_rules(), more in some_rules()) {
        let all = Rules {
            ignored: [&rules.ignored[..], &more.ignored].concat(),
            unordered: rules.unordered.clone(),
        };
        if groups(&rules, &of_json(&old), &of_json(&new)).is_empty() {
            prop_assert!(groups(&all, &of_json(&old), &of_json(&new)).is_empty());
        }
    }

    #[test]
    fn the_order_of_unordered_arrays_does_not_count(old in value(), new in value(), rules in some_rules()) {
        let other = shuffled(&new, &rules, &mut Vec::new());
        let is_root_ignored = rules.ignores(&[]);
        prop_assert!(is_root_ignored || other == new || groups(&rules, &of_json(&new), &of_json(&other)).is_empty());
        if old != new && old != other {
            prop_assert_eq!(groups(&rules, &of_json(&old), &of_json(&new)), groups(&rules, &of_json(&old), &of_json(&other)));
        }
    }

    #[test]
    fn merging_is_associative_and_does_not_ask_for_an_order(
        inputs in vec((outcome(), outcome()), 0..24), rules in some_rules(), cuts in (0..24_usize, 0..24_usize),
    ) {
        let inputs: Vec<_> =
            inputs.into_iter().enumerate().map(|(at, (old, new))| (at as u64, old, new)).collect();
        let (first, second) = (cuts.0.min(cuts.1).min(inputs.len()), cuts.0.max(cuts.1).min(inputs.len()));
        let parts = || {
            [&inputs[..first], &inputs[first..second], &inputs[second..]].map(|part| compared(&rules, part))
        };
        let whole = compared(&rules, &inputs);
        let [a, b, c] = parts();
        prop_assert_eq!(&merged(vec![merged(vec![a, b]), c]), &whole);
        let [a, b, c] = parts();
        prop_assert_eq!(&merged(vec![a, merged(vec![b, c])]), &whole);
        let [a, b, c] = parts();
        prop_assert_eq!(&merged(vec![c, a, b]), &whole);
    }

    #[test]
    fn merging_is_associative_beyond_the_bound_of_groups(keys in vec(vec(0..600_u32, 0..80), 3)) {
        let parts = || keys.iter().enumerate().map(|(part, keys)| {
            let inputs: Vec<_> = keys.iter().enumerate().map(|(at, key)| {
                let new = Outcome::Failure { reason: format!("r{key}").into(), detail: String::new() };
                ((part * 1_000 + at) as u64, failure("failed"), new)
            }).collect();
            compared(&Rules::default(), &inputs)
        }).collect::<Vec<_>>();
        let mut from_right = parts();
        let last = from_right.pop().unwrap();
        let middle = from_right.pop().unwrap();
        let right = merged(vec![from_right.pop().unwrap(), merged(vec![middle, last])]);
        prop_assert_eq!(merged(parts()), right);
    }
}
