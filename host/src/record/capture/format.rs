//! What a capture is to whoever reads MCAP: its profile, its schema's name, and how its channels are called.

use crate::config::{CAPTURE_NAME_BYTES_MAX, CAPTURE_TOPIC_BYTES_MAX};
use crate::record::choice::PlaceKind;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};
use std::collections::BTreeMap;

/// The profile of the file.
pub(super) const PROFILE: &str = "tidegate";
/// The encoding of records, and of their schema.
pub(super) const ENCODING: &str = "protobuf";
/// The name of the record of metadata that says whose capture it is.
pub(super) const ABOUT: &str = "tidegate";
/// How chunks are compressed.
pub(super) const COMPRESSION: &str = "zstd";

/// What would end a part of a channel's name, or not show in it.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%').add(b' ');

/// The host that made a capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Its version.
    pub version: String,
    /// The name of its run: captures of the same one have the same seed.
    pub boot: String,
    /// Where the random numbers of its guests came from.
    pub seed: u64,
    /// Whether the user set that; then clocks of guests are functions of it too.
    pub seed_fixed: bool,
}

impl About {
    pub(super) fn to_pairs(&self) -> BTreeMap<String, String> {
        let Self { version, boot, seed, seed_fixed } = self;
        let pairs = [
            ("version", version.clone()),
            ("boot", boot.clone()),
            ("seed", seed.to_string()),
            ("seed_fixed", seed_fixed.to_string()),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value)).into()
    }

    /// None if its seed is no number.
    pub(super) fn of_pairs(pairs: &BTreeMap<String, String>) -> Option<Self> {
        let value = |key: &str| pairs.get(key).cloned().unwrap_or_default();
        Some(Self {
            version: value("version"),
            boot: value("boot"),
            seed: value("seed").parse().ok()?,
            seed_fixed: value("seed_fixed") == "true",
        })
    }
}

/// What the channels of a place begin with.
fn plural(kind: PlaceKind) -> &'static str {
    match kind {
        PlaceKind::Flow => "flows",
        PlaceKind::Route => "routes",
        PlaceKind::Policy => "policies",
    }
}

/// A channel of a capture: records of one place, and of one topic as far as there are channels for all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Channel {
    /// What it is a channel of.
    pub kind: PlaceKind,
    /// The name of that.
    pub name: String,
    /// The topic; none for records without one, and for those of topics that have no channel of their own.
    pub topic: Option<Vec<u8>>,
}

impl Channel {
    /// Its name in the file: `flows/NAME/TOPIC`, say. Bytes of a topic that are no text stand as `%FF`.
    pub(super) fn name(&self) -> String {
        let Self { kind, name, topic } = self;
        match (kind, topic) {
            (PlaceKind::Policy, _) => format!("{}/{name}", plural(*kind)),
            (_, None) => format!("{}/{name}/", plural(*kind)),
            (_, Some(topic)) => match std::str::from_utf8(topic) {
                Ok(text) if !text.contains(char::is_control) => format!("{}/{name}/{text}", plural(*kind)),
                _ => format!("{}/{name}/{}", plural(*kind), escaped(topic)),
            },
        }
    }

    pub(super) fn to_pairs(&self) -> BTreeMap<String, String> {
        let mut pairs = BTreeMap::from([
            ("kind".to_owned(), self.kind.as_str().to_owned()),
            ("name".to_owned(), self.name.clone()),
        ]);
        pairs.extend(self.topic.as_ref().map(|topic| ("topic".to_owned(), escaped(topic))));
        pairs
    }

    /// None if they are those of no channel of a capture, or longer than they are there: each record that is read has the name.
    pub(super) fn of_pairs(pairs: &BTreeMap<String, String>) -> Option<Self> {
        let topic: Option<Vec<u8>> = pairs.get("topic").map(|topic| percent_decode_str(topic).collect());
        let name = pairs.get("name").filter(|name| name.len() <= CAPTURE_NAME_BYTES_MAX)?;
        let is_sound = topic.as_ref().is_none_or(|topic| topic.len() <= CAPTURE_TOPIC_BYTES_MAX);
        let kind = PlaceKind::of_word(pairs.get("kind")?)?;
        is_sound.then(|| Self { kind, name: name.clone(), topic })
    }
}

/// Any bytes as text that gives them back.
fn escaped(bytes: &[u8]) -> String {
    percent_encode(bytes, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_called_by_its_place_and_topic_and_gives_any_topic_back() {
        let channel = |kind, topic: Option<&[u8]>| Channel { kind, name: "f".to_owned(), topic: topic.map(Vec::from) };
        for (topic, name) in [
            (None, "flows/f/"),
            (Some(&b"a/b c"[..]), "flows/f/a/b c"),
            (Some("é%".as_bytes()), "flows/f/é%"),
            (Some(&b"\xff%\n"[..]), "flows/f/%FF%25%0A"),
        ] {
            let channel = channel(PlaceKind::Flow, topic);
            assert_eq!(channel.name(), name);
            assert_eq!(Channel::of_pairs(&channel.to_pairs()), Some(channel));
        }
        assert_eq!(channel(PlaceKind::Route, None).name(), "routes/f/");
        assert_eq!(channel(PlaceKind::Policy, None).name(), "policies/f");
        assert_eq!(Channel::of_pairs(&BTreeMap::new()), None);
        // Each record that is read would have it.
        let long = Channel { name: "f".repeat(CAPTURE_NAME_BYTES_MAX + 1), ..channel(PlaceKind::Flow, None) };
        assert_eq!(Channel::of_pairs(&long.to_pairs()), None);
    }

    #[test]
    fn what_is_said_of_the_host_is_read_as_it_was_written() {
        let about = About { version: "0.1.0".to_owned(), boot: "b".to_owned(), seed: u64::MAX, seed_fixed: true };
        assert_eq!(About::of_pairs(&about.to_pairs()), Some(about));
    }
}
