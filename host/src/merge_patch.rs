//! Merge patches (RFC 7396): what one JSON value has to have changed to be another, and what such a change makes of it.

use serde_json::{Map, Value};

/// What turns `before` into `now`; none where they are the same. Neither has a `null` in an object: that would say in a
/// patch that there is nothing under the key.
pub fn difference(before: &Value, now: &Value) -> Option<Value> {
    let (Value::Object(before), Value::Object(now)) = (before, now) else {
        return (before != now).then(|| now.clone());
    };
    let mut changes = Map::new();
    for (key, value) in now {
        let change = match before.get(key) {
            Some(before) => difference(before, value),
            None => Some(value.clone()),
        };
        changes.extend(change.map(|change| (key.clone(), change)));
    }
    let gone = before.keys().filter(|key| !now.contains_key(*key));
    changes.extend(gone.map(|key| (key.clone(), Value::Null)));
    (!changes.is_empty()).then_some(Value::Object(changes))
}

/// What a patch makes of a value.
pub fn apply(before: Value, patch: Value) -> Value {
    let Value::Object(changes) = patch else { return patch };
    let mut entries = match before {
        Value::Object(entries) => entries,
        _ => Map::new(),
    };
    for (key, change) in changes {
        let before = entries.remove(&key);
        if !change.is_null() {
            entries.insert(key, apply(before.unwrap_or_default(), change));
        }
    }
    Value::Object(entries)
}

/// The value without what is `null`.
pub fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            let known = entries.into_iter().filter(|(_, value)| !value.is_null());
            known.map(|(key, value)| (key, without_nulls(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), (0..3_u8).prop_map(Value::from)];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[abc]", inner, 0..4).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_patch_turns_one_value_into_the_other(before in values(), now in values()) {
            let (before, now) = (without_nulls(before), without_nulls(now));
            match difference(&before, &now) {
                Some(patch) => prop_assert_eq!(apply(before, patch), now),
                None => prop_assert_eq!(before, now),
            }
        }
    }

    #[test]
    fn a_patch_says_what_has_changed_alone() {
        let before = json!({"a": {"x": 1, "y": 2}, "b": [1, 2], "gone": true});
        let now = json!({"a": {"x": 1, "y": 3}, "b": [1, 2], "new": "n"});
        assert_eq!(difference(&before, &now), Some(json!({"a": {"y": 3}, "new": "n", "gone": null})));
        assert_eq!(difference(&now, &now), None);
    }

    /// As appendix A of the standard has them.
    #[test]
    fn a_patch_does_what_the_standard_says() {
        for (before, patch, now) in [
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            assert_eq!(apply(before, patch), now);
        }
    }
}
