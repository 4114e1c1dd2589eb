//! What whoever begins a capture asks for: of what, how much of it, and how long.

use crate::config::{self, CAPTURE_BYTES_MIN, CAPTURE_FOR_MS_MAX, check_redacted};
use crate::flow::{OwnedPlace, Subject};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What is asked for, as JSON has it. Whatever is left out asks for all there is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    /// The one flow that is captured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    /// The one route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The one reply policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// How the topic has to begin; what has no topic is left out then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Which share of the messages is captured: above 0, at most 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<f64>,
    /// How long, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// The most bytes of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_max: Option<u64>,
    /// Further keys of metadata whose values are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redact_metadata: Vec<String>,
}

/// What a capture is of, with every bound.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    place: Option<OwnedPlace>,
    topic: Vec<u8>,
    /// The largest mark that is taken.
    mark_max: u64,
    pub(super) lasts: Option<Duration>,
    pub(super) bytes_max: u64,
    redacted: Vec<String>,
}

/// What stands in the place of a value that is left out.
pub const REDACTED: &str = "…redacted";
/// The key of the whole address of a request.
const URL: &str = "http.url";

impl Wanted {
    /// What was asked for, within what the configuration allows.
    ///
    /// # Errors
    /// Names what makes no sense, and what would.
    pub(super) fn of(asked: &Asked, config: &config::Capture) -> Result<Self, String> {
        let flow = asked.flow.clone().map(OwnedPlace::Flow);
        let route = asked.route.clone().map(OwnedPlace::Route);
        let policy = asked.policy.clone().map(OwnedPlace::Policy);
        let mut places: Vec<_> = [flow, route, policy].into_iter().flatten().collect();
        if places.len() > 1 {
            return Err("a capture is of one flow, one route or one policy, or of all there are".to_owned());
        }
        let sample = asked.sample.unwrap_or(1.0);
        if !(sample > 0.0 && sample <= 1.0) {
            return Err(format!("sample {sample} is no share above 0 and up to 1, such as 0.1"));
        }
        let for_max = CAPTURE_FOR_MS_MAX;
        if let Some(for_ms) = asked.for_ms.filter(|for_ms| !(1..=for_max).contains(for_ms)) {
            return Err(format!("for_ms {for_ms} is not between 1 and {for_max}"));
        }
        let (bytes_max, largest) = (asked.bytes_max.unwrap_or(config.bytes_max), config.bytes_max);
        if !(CAPTURE_BYTES_MIN..=largest).contains(&bytes_max) {
            return Err(format!(
                "bytes_max {bytes_max} is not between {CAPTURE_BYTES_MIN} and capture.bytes_max {largest}"
            ));
        }
        let redacted: Vec<_> = config.redact_metadata.iter().chain(&asked.redact_metadata).cloned().collect();
        check_redacted(&redacted).map_err(|what| format!("redact_metadata: {what}"))?;
        Ok(Self {
            place: places.pop(),
            topic: asked.topic.clone().unwrap_or_default().into_bytes(),
            // A share of all marks, as near as a float is.
            mark_max: if sample < 1.0 { (sample * u64::MAX as f64) as u64 } else { u64::MAX },
            lasts: asked.for_ms.map(Duration::from_millis),
            bytes_max,
            redacted,
        })
    }

    /// Whether it is of this.
    pub(super) fn has(&self, subject: &Subject<'_>) -> bool {
        let is_there = self.place.as_ref().is_none_or(|place| place.borrowed() == subject.place);
        let has_topic = || self.topic.is_empty() || subject.topic.is_some_and(|topic| topic.starts_with(&self.topic));
        is_there && subject.mark <= self.mark_max && has_topic()
    }

    /// The value of a pair, as far as it may be written.
    pub(super) fn shown<'a>(&self, key: &str, value: &'a str) -> &'a str {
        // `authorization` is that of `http.header.authorization` too.
        let is_meant = |redacted: &String| {
            let (key, redacted) = (key.as_bytes(), redacted.as_bytes());
            let Some(front) = key.len().checked_sub(redacted.len()) else { return false };
            let (front, end) = key.split_at(front);
            end.eq_ignore_ascii_case(redacted) && front.last().is_none_or(|&byte| byte == b'.')
        };
        if self.redacted.iter().any(is_meant) {
            return REDACTED;
        }
        // What is redacted as `query.token` stands in the address too, of routes that lead through workers.
        match value.split_once('?') {
            Some((address, _)) if !self.redacted.is_empty() && key.eq_ignore_ascii_case(URL) => address,
            _ => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Place;

    fn wanted(asked: Asked) -> Result<Wanted, String> {
        Wanted::of(&asked, &config::Capture::default())
    }

    #[test]
    fn what_is_asked_for_is_bounded_and_a_mistake_is_named() {
        let asked = Asked::default;
        for (asked, word) in [
            (Asked { sample: Some(0.0), ..asked() }, "sample 0 "),
            (Asked { sample: Some(f64::NAN), ..asked() }, "sample NaN"),
            (Asked { sample: Some(10.0), ..asked() }, "up to 1"),
            (Asked { for_ms: Some(0), ..asked() }, "for_ms 0 "),
            (Asked { bytes_max: Some(1), ..asked() }, "bytes_max 1 is not between 65536"),
            (Asked { bytes_max: Some(2 << 30), ..asked() }, "capture.bytes_max 1073741824"),
            (Asked { redact_metadata: vec!["a b".to_owned()], ..asked() }, "`a b`"),
            (Asked { flow: Some("f".to_owned()), route: Some("r".to_owned()), ..asked() }, "one flow"),
        ] {
            let error = wanted(asked).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
        assert_eq!(wanted(asked()).unwrap().bytes_max, 1 << 30);
    }

    #[test]
    fn a_capture_is_of_a_place_a_topic_and_a_share() {
        let flow = Some("f".to_owned());
        let wanted =
            wanted(Asked { flow, topic: Some("a".to_owned()), sample: Some(0.25), ..Asked::default() }).unwrap();
        let subject = |place, mark, topic| Subject { place, mark, topic, plugin: None };
        assert!(wanted.has(&subject(Place::Flow("f"), u64::MAX / 5, Some(b"ab"))));
        assert!(!wanted.has(&subject(Place::Flow("f"), u64::MAX / 3, Some(b"ab"))));
        assert!(!wanted.has(&subject(Place::Flow("f"), 0, None)));
        assert!(!wanted.has(&subject(Place::Flow("f"), 0, Some(b"b"))));
        assert!(!wanted.has(&subject(Place::Route("f"), 0, Some(b"ab"))));
    }

    #[test]
    fn values_are_left_out_by_their_key_or_its_last_part() {
        let redact_metadata = ["Authorization", "x-token", "É-Key"].map(str::to_owned).into();
        let wanted = wanted(Asked { redact_metadata, ..Asked::default() }).unwrap();
        for (key, shown) in [
            ("authorization", REDACTED),
            ("http.header.authorization", REDACTED),
            ("X-TOKEN", REDACTED),
            ("x-token-kind", "v"),
            ("my-x-token", "v"),
            ("token", "v"),
            ("É-KEY", REDACTED),
            ("é-key", "v"),
        ] {
            assert_eq!(wanted.shown(key, "v"), shown, "{key}");
        }
        let url = "http://h/a?x-token=secret?";
        assert_eq!((wanted.shown("http.url", url), wanted.shown("other", url)), ("http://h/a", url));
        assert_eq!(self::wanted(Asked::default()).unwrap().shown("http.url", url), url);
    }
}
