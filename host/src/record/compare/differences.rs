//! How two answers differ, as the groups of it, each with what stood there in both.

use super::excerpt::{self, Excerpts};
use super::group::{Group, Kind, Name};
use super::json;
use super::outcome::Outcome;
use super::rules::Rules;
use crate::config::{COMPARE_GROUPS_PER_INPUT_MAX, COMPARE_JSON_BYTES_MAX, collapsed};
use crate::flow::{HTTP_STATUS, Message, Metadata, Output};
use bytes::Bytes;
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The groups of one input, with the first place of each.
#[derive(Debug, Default)]
pub(super) struct Differences {
    pub(super) groups: BTreeMap<Group, Excerpts>,
    /// More than may be: those beyond were left out.
    pub(super) has_more: bool,
}

/// How outcomes that are not identical differ; not at all if nothing differs that counts.
pub(super) fn between(old: &Outcome, new: &Outcome, rules: &Rules) -> Differences {
    let mut differences = Differences::default();
    match (old, new) {
        (Outcome::Answer(old), Outcome::Answer(new)) => match (&old[..], &new[..]) {
            ([first, ..], []) => differences.add(Group::FilteredNow, || (shown(first), "(filtered)".to_owned())),
            ([], [first, ..]) => differences.add(Group::NoLongerFiltered, || ("(filtered)".to_owned(), shown(first))),
            (old, new) => differences.of_outputs(old, new, rules),
        },
        (Outcome::Answer(old), Outcome::Failure { reason, detail }) => {
            let before = old.first().map_or("(filtered)".to_owned(), shown);
            differences.add(Group::NewFailure(Name::new(&**reason)), || (before, excerpt::of_text(detail)));
        }
        (Outcome::Failure { reason, detail }, Outcome::Answer(new)) => {
            let now = new.first().map_or("(filtered)".to_owned(), shown);
            differences.add(Group::FailureGone(Name::new(&**reason)), || (excerpt::of_text(detail), now));
        }
        (
            Outcome::Failure { reason: old, detail: old_detail },
            Outcome::Failure { reason: new, detail: new_detail },
        ) => {
            let group = Group::FailureDiffers { old: Name::new(&**old), new: Name::new(&**new) };
            differences.add(group, || excerpt::of_bytes(old_detail.as_bytes(), new_detail.as_bytes()));
        }
    }
    differences
}

impl Differences {
    fn add(&mut self, group: Group, excerpts: impl FnOnce() -> Excerpts) {
        if self.groups.contains_key(&group) {
            return;
        }
        if self.groups.len() >= COMPARE_GROUPS_PER_INPUT_MAX {
            self.has_more = true;
            return;
        }
        self.groups.insert(group, excerpts());
    }

    fn of_outputs(&mut self, old: &[Output], new: &[Output], rules: &Rules) {
        self.of_number(Group::Messages, old.len(), new.len());
        for (old, new) in old.iter().zip(new) {
            if old.after != new.after {
                self.add(Group::Delay, || {
                    (format!("{} ms", old.after.as_millis()), format!("{} ms", new.after.as_millis()))
                });
            }
            self.of_metadata(&old.message.metadata, &new.message.metadata);
            self.of_frames(&old.message.frames, &new.message.frames, rules);
        }
    }

    fn of_number(&mut self, group: impl FnOnce(Kind) -> Group, old: usize, new: usize) {
        let kind = match old.cmp(&new) {
            Ordering::Equal => return,
            Ordering::Less => Kind::Added,
            Ordering::Greater => Kind::Removed,
        };
        self.add(group(kind), || (old.to_string(), new.to_string()));
    }

    fn of_metadata(&mut self, old: &Metadata, new: &Metadata) {
        if old == new {
            return;
        }
        let (old_pairs, new_pairs) = (old, new);
        let (old, new) = (by_key(old), by_key(new));
        let mut is_order_alone = true;
        for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
            let (old, new) = (old.get(key), new.get(key));
            if old == new {
                continue;
            }
            is_order_alone = false;
            let kind = match (old, new) {
                (Some(_), None) => Kind::Removed,
                (None, _) => Kind::Added,
                _ => Kind::Changed,
            };
            let group =
                if *key == HTTP_STATUS { Group::Status(kind) } else { Group::Metadata { key: Name::new(*key), kind } };
            let joined = |values: Option<&Vec<&str>>| values.map(|values| values.join(", "));
            self.add(group, || match (joined(old), joined(new)) {
                (Some(old), Some(new)) => excerpt::of_bytes(old.as_bytes(), new.as_bytes()),
                (old, new) => (
                    excerpt::or_nothing(old.as_deref().map(str::as_bytes)),
                    excerpt::or_nothing(new.as_deref().map(str::as_bytes)),
                ),
            });
        }
        if is_order_alone {
            let keys = |pairs: &Metadata| pairs.iter().map(|(key, _)| &**key).collect::<Vec<_>>().join(", ");
            self.add(Group::MetadataOrder, || {
                excerpt::of_bytes(keys(old_pairs).as_bytes(), keys(new_pairs).as_bytes())
            });
        }
    }

    fn of_frames(&mut self, old: &[Bytes], new: &[Bytes], rules: &Rules) {
        self.of_number(Group::Frames, old.len(), new.len());
        let is_body = |at: usize| old.len() == new.len() && at + 1 == old.len();
        for (at, (old, new)) in old.iter().zip(new).enumerate().filter(|(_, (old, new))| old != new) {
            self.of_frame((!is_body(at)).then_some(at), old, new, rules);
        }
    }

    fn of_frame(&mut self, frame: Option<usize>, old: &Bytes, new: &Bytes, rules: &Rules) {
        let (old_value, new_value) = match (json_of(old), json_of(new)) {
            (Some(old), Some(new)) => (old, new),
            (old_value, new_value) => {
                let kind = if old_value.is_none() && new_value.is_none() { Kind::Changed } else { Kind::Type };
                return self.add(Group::Frame { frame, kind }, || excerpt::of_bytes(old, new));
            }
        };
        if old_value == new_value {
            if !rules.ignores(&[]) {
                self.add(Group::Frame { frame, kind: Kind::Form }, || excerpt::of_bytes(old, new));
            }
            return;
        }
        json::differences(&old_value, &new_value, rules, &mut |way, kind, old, new| {
            let group = Group::Json { frame, path: Name::new(collapsed(way)), kind };
            self.add(group, || excerpt::of_json(old, new));
        });
    }
}

/// The object or array that the bytes are. Other values of JSON are rather words and numbers in plain text.
fn json_of(bytes: &[u8]) -> Option<Value> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace())?;
    let may_be = [b'{', b'['].contains(first) && bytes.len() <= COMPARE_JSON_BYTES_MAX;
    may_be.then(|| serde_json::from_slice(bytes).ok()).flatten()
}

fn by_key(metadata: &Metadata) -> BTreeMap<&str, Vec<&str>> {
    let mut by_key = BTreeMap::<_, Vec<_>>::new();
    for (key, value) in metadata {
        by_key.entry(&**key).or_default().push(&**value);
    }
    by_key
}

/// The body of a message.
fn shown(Output { message: Message { frames, .. }, .. }: &Output) -> String {
    excerpt::or_nothing(frames.last().map(|body| &**body))
}
