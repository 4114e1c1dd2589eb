//! What is compared is told right, and laws that hold whatever is compared.

use super::*;
use crate::flow::{Output, Outputs};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

fn message(metadata: &[(&str, &str)], frames: &[&[u8]]) -> Message {
    Message {
        metadata: metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        frames: frames.iter().map(|frame| Bytes::copy_from_slice(frame)).collect(),
        ..Message::default()
    }
}

fn answer(messages: Vec<Message>) -> Outcome {
    Outcome::Answer(messages.into_iter().map(|message| Output { after: Duration::ZERO, message }).collect())
}

fn of_json(value: &Value) -> Outcome {
    answer(vec![message(&[], &[value.to_string().as_bytes()])])
}

fn failure(reason: &'static str) -> Outcome {
    Outcome::Failure { reason: reason.into(), detail: format!("it {reason}") }
}

fn rules(ignored: &[&str], unordered: &[&str]) -> Rules {
    let paths = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    Rules { ignored: paths(ignored), unordered: paths(unordered) }
}

/// The groups of one input, as they are shown.
fn groups(rules: &Rules, old: &Outcome, new: &Outcome) -> Vec<String> {
    let mut comparison = Comparison::default();
    comparison.add(rules, 1, &Message::default(), old, new);
    comparison.groups().map(|(group, _)| group.to_string()).collect()
}

#[test]
fn each_way_to_differ_has_its_class_and_group() {
    let one = || answer(vec![message(&[], &[b"a"])]);
    let none = || answer(vec![]);
    for (old, new, class, group) in [
        (one(), none(), Class::FilteredNow, "filtered now"),
        (none(), one(), Class::NoLongerFiltered, "no longer filtered"),
        (one(), failure("trapped"), Class::NewFailure, "new failure: trapped"),
        (none(), failure("trapped"), Class::NewFailure, "new failure: trapped"),
        (failure("failed"), one(), Class::FailureGone, "failure gone: failed"),
        (failure("failed"), failure("trapped"), Class::FailureDiffers, "another failure: failed, now trapped"),
        (one(), answer(vec![message(&[], &[b"b"])]), Class::Different, "body changed"),
        (one(), answer(vec![message(&[], &[b"a"]); 2]), Class::Different, "more messages"),
        (one(), answer(vec![message(&[], &[b"a", b"b"])]), Class::Different, "more frames"),
    ] {
        let mut comparison = Comparison::default();
        assert_eq!(comparison.add(&Rules::default(), 1, &Message::default(), &old, &new), class);
        let found: Vec<_> = comparison.groups().map(|(group, _)| group.to_string()).collect();
        assert_eq!(found, [group]);
        assert_eq!((comparison.counts().compared(), comparison.counts().differing()), (1, 1));
    }
    let mut comparison = Comparison::default();
    assert_eq!(comparison.add(&Rules::default(), 1, &Message::default(), &none(), &none()), Class::Same);
    assert_eq!(comparison.add(&Rules::default(), 2, &Message::default(), &one(), &one()), Class::Same);
}

#[test]
fn parts_of_a_message_are_told_apart() {
    let no_rules = Rules::default();
    let of = |metadata: &[(&str, &str)], frames: &[&[u8]]| answer(vec![message(metadata, frames)]);
    let old = of(&[("status", "200"), ("a", "1"), ("b", "2")], &[b"t", b"x", b"body"]);
    let new = of(&[("c", "1"), ("b", "3"), ("status", "404")], &[b"u", b"x", b"bodies"]);
    let expected = [
        "status changed",
        "metadata a removed",
        "metadata b changed",
        "metadata c added",
        "body changed",
        "frame 0 changed",
    ];
    assert_eq!(groups(&no_rules, &old, &new), expected);
    let (old, new) = (of(&[("a", "1"), ("b", "2")], &[b""]), of(&[("b", "2"), ("a", "1")], &[b""]));
    assert_eq!(groups(&no_rules, &old, &new), ["metadata in another order"]);
    let later = Output { after: Duration::from_millis(5), message: message(&[], &[b"a"]) };
    let (old, new) = (answer(vec![message(&[], &[b"a"])]), Outcome::Answer(Outputs::from_iter([later])));
    assert_eq!(groups(&no_rules, &old, &new), ["another delay"]);
}

#[test]
fn json_is_grouped_by_path_and_kind() {
    let old = json!({"ts": 1, "items": [{"price": 1, "a": 1}, {"price": 2}], "n": null, "a b": [1]});
    let new = json!({"ts": 2, "items": [{"price": 3, "b": 1}, {"price": "4"}], "n": null, "a b": [1, 2]});
    let expected = [
        "body $.ts changed",
        "body $['a b'][*] added",
        "body $.items[*].a removed",
        "body $.items[*].b added",
        "body $.items[*].price of another type",
        "body $.items[*].price changed",
    ];
    assert_eq!(groups(&Rules::default(), &of_json(&old), &of_json(&new)), expected);
    let ignored = ["$.ts", "$.items[*].price", "$.items[0].a", "$.items[*].b", "$['a b'][1]"];
    assert!(groups(&rules(&ignored, &[]), &of_json(&old), &of_json(&new)).is_empty());
}

#[test]
fn what_is_json_in_one_alone_or_written_differently_is_told() {
    let of = |body: &[u8]| answer(vec![message(&[], &[body])]);
    let no_rules = Rules::default();
    assert_eq!(groups(&no_rules, &of(b"{}"), &of(b"{} x")), ["body is JSON in one only"]);
    assert_eq!(groups(&no_rules, &of(b"1"), &of(b"2")), ["body changed"]);
    let (old, new) = (of(b"{\"a\":1,\"b\":2}"), of(b"{ \"b\":2, \"a\":1}"));
    assert_eq!(groups(&no_rules, &old, &new), ["body the same JSON, written differently"]);
    assert!(groups(&rules(&["$"], &[]), &old, &new).is_empty());
    let deep = |letter: &str| "[".repeat(1_000) + letter + &"]".repeat(1_000);
    assert_eq!(groups(&no_rules, &of(deep("1").as_bytes()), &of(deep("2").as_bytes())), ["body changed"]);
}

#[test]
fn an_unordered_array_differs_by_what_only_one_has() {
    let rules = rules(&["$.items[*].ts"], &["$.items", "$.items[*].tags"]);
    let old = json!({"items": [{"id": 1, "ts": 1, "tags": ["a", "b"]}, {"id": 2, "ts": 2}, {"id": 2}]});
    let same = json!({"items": [{"id": 2}, {"id": 2, "ts": 7}, {"id": 1, "tags": ["b", "a"]}]});
    assert!(groups(&rules, &of_json(&old), &of_json(&same)).is_empty());
    let other = json!({"items": [{"id": 2}, {"id": 1, "tags": ["b", "c"]}]});
    let expected = ["body $.items[*] removed", "body $.items[*].tags[*] changed"];
    assert_eq!(groups(&rules, &of_json(&old), &of_json(&other)), expected);
}

#[test]
fn what_a_hostile_answer_makes_grow_is_bounded() {
    let members = |from: u32, count: u32| {
        let members = (from..from + count).map(|key| (format!("{key}-{}", "x".repeat(1_000)), json!(key)));
        of_json(&Value::Object(members.collect()))
    };
    let mut comparison = Comparison::default();
    let large = message(&[], &[&vec![b'x'; COMPARE_INPUT_BYTES_MAX + 1]]);
    for number in 0..20 {
        comparison.add(&Rules::default(), number.into(), &large, &members(0, 1), &members(number * 1_000, 1_000));
    }
    assert!(comparison.groups().count() <= COMPARE_GROUPS_MAX);
    assert!(comparison.other() > 0);
    assert_eq!(comparison.counts().different, 20);
    for (group, grouped) in comparison.groups() {
        assert!(group.to_string().len() < 300, "{group}");
        assert!(grouped.examples.iter().all(|example| example.input.is_none() && example.old.len() < 900));
    }
}

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
fn shuffled(value: &Value, rules: &Rules, way: &mut Vec<super::super::json_path::Segment<'static>>) -> Value {
    use super::super::json_path::Segment;
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
