//! What is compared is told right.

mod laws;

use super::*;
use crate::flow::{Output, Outputs};
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
    let old = of(&[("http.status", "200"), ("a", "1"), ("b", "2")], &[b"t", b"x", b"body"]);
    let new = of(&[("c", "1"), ("b", "3"), ("http.status", "404")], &[b"u", b"x", b"bodies"]);
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
    let mut comparison = Comparison::default();
    comparison.add(&no_rules, 1, &Message::default(), &old, &new);
    let (group, grouped) = comparison.groups().next().unwrap();
    let shown = (group.to_string(), &*grouped.examples[0].old, &*grouped.examples[0].new);
    assert_eq!(shown, ("metadata in another order".to_owned(), "a, b", "b, a"));
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
