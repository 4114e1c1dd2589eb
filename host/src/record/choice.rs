//! Which of captured traffic is meant: by place, plugin, reason, topic and time, in captures as in dead letters.

use jiff::{SignedDuration, Timestamp};
use std::str::FromStr;

/// What a record was captured at, or a letter is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PlaceKind {
    /// A flow.
    Flow,
    /// A route of the HTTP surface.
    Route,
    /// The reply policy of the frontend.
    Policy,
}

impl PlaceKind {
    /// Its word: `flow`, `route` or `policy`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Route => "route",
            Self::Policy => "policy",
        }
    }

    /// The kind of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Flow, Self::Route, Self::Policy].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Chooses among captured traffic. Of each list one entry has to fit; an empty one fits all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Where it came in.
    pub places: Vec<(PlaceKind, String)>,
    /// The plugins that were called, by their names.
    pub plugins: Vec<String>,
    /// What the ledger counts failed calls as.
    pub reasons: Vec<String>,
    /// Only calls that failed.
    pub failed: bool,
    /// How the topic has to begin; what has no topic is left out then.
    pub topic: Vec<u8>,
    /// From then on.
    pub since: Option<Moment>,
    /// Before then.
    pub until: Option<Moment>,
}

/// What a choice looks at.
#[derive(Clone, Copy, Debug)]
pub struct Traits<'a> {
    /// What it came in at.
    pub kind: PlaceKind,
    /// The name of that.
    pub name: &'a str,
    /// The plugin that was called; none where none was reached.
    pub plugin: Option<&'a str>,
    /// Why the call failed, if it did.
    pub reason: Option<&'a str>,
    /// When, in nanoseconds since 1970, if that is known.
    pub time: Option<u64>,
}

impl Choice {
    /// Whether that is chosen; the topic is asked for only where it counts.
    pub fn has<T: AsRef<[u8]>>(&self, traits: &Traits<'_>, topic: impl FnOnce() -> Option<T>) -> bool {
        let Traits { kind, name, plugin, reason, time } = *traits;
        let fits = |wanted: &[String], name: Option<&str>| {
            wanted.is_empty() || name.is_some_and(|name| wanted.iter().any(|wanted| wanted == name))
        };
        self.has_place(kind, name)
            && fits(&self.plugins, plugin)
            && fits(&self.reasons, reason)
            && (!self.failed || reason.is_some())
            && self.since.is_none_or(|since| time.is_some_and(|time| i128::from(time) >= since.0.as_nanosecond()))
            && self.until.is_none_or(|until| time.is_some_and(|time| i128::from(time) < until.0.as_nanosecond()))
            && (self.topic.is_empty() || topic().is_some_and(|topic| topic.as_ref().starts_with(&self.topic)))
    }

    /// Whether something of this place may be.
    pub fn has_place(&self, kind: PlaceKind, name: &str) -> bool {
        self.places.is_empty() || self.places.iter().any(|(wanted, of)| (*wanted, &**of) == (kind, name))
    }

    /// Whether something from this first to this last time, in nanoseconds since 1970, may be.
    pub fn may_have_between(&self, first: u64, last: u64) -> bool {
        self.since.is_none_or(|since| i128::from(last) >= since.0.as_nanosecond())
            && self.until.is_none_or(|until| i128::from(first) < until.0.as_nanosecond())
    }

    /// Whether what goes through a chain is chosen with all of its calls, or with none: not where calls are told apart.
    pub fn has_whole_chains(&self) -> bool {
        self.plugins.is_empty() && self.reasons.is_empty() && !self.failed
    }
}

/// A moment, given as one or by how long ago it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(moment) = text.parse() {
            return Ok(Self(moment));
        }
        let ago = text.parse::<SignedDuration>().ok().filter(|ago| !ago.is_negative());
        let moment = ago.and_then(|ago| Timestamp::now().checked_sub(ago).ok());
        moment.map(Self).ok_or_else(|| {
            format!("`{text}` is neither a duration such as 250ms, 10m or 2h nor a time such as 2026-11-24T08:52:40Z")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NANOS: u64 = 1_764_000_000_500_000_000;

    fn traits() -> Traits<'static> {
        let (plugin, reason) = (Some("p"), Some("failed"));
        Traits { kind: PlaceKind::Route, name: "a", plugin, reason, time: Some(NANOS) }
    }

    fn at(nanos: u64) -> Option<Moment> {
        Some(Moment(Timestamp::from_nanosecond(nanos.into()).unwrap()))
    }

    #[test]
    fn what_is_chosen_fits_every_list_the_topic_and_the_time() {
        let all = Choice {
            places: vec![(PlaceKind::Flow, "a".to_owned()), (PlaceKind::Route, "a".to_owned())],
            plugins: vec!["p".to_owned()],
            reasons: vec!["trapped".to_owned(), "failed".to_owned()],
            failed: true,
            topic: b"to".to_vec(),
            since: at(NANOS),
            until: at(NANOS + 1),
        };
        let has = |choice: &Choice, traits: Traits<'_>| choice.has(&traits, || Some(b"topic"));
        assert!(has(&all, traits()) && all.may_have_between(NANOS, NANOS));
        for other in [
            Traits { kind: PlaceKind::Policy, ..traits() },
            Traits { name: "b", ..traits() },
            Traits { plugin: None, ..traits() },
            Traits { reason: Some("starved"), ..traits() },
            Traits { reason: None, ..traits() },
            Traits { time: Some(NANOS - 1), ..traits() },
            Traits { time: Some(NANOS + 1), ..traits() },
            Traits { time: None, ..traits() },
        ] {
            assert!(!has(&all, other), "{other:?}");
        }
        assert!(!all.has(&traits(), || None::<&[u8]>) && !all.has(&traits(), || Some(b"other")));
        assert!(!all.may_have_between(0, NANOS - 1) && !all.may_have_between(NANOS + 1, u64::MAX));
        let nothing = Traits { plugin: None, reason: None, time: None, ..traits() };
        assert!(Choice::default().has(&nothing, || None::<&[u8]>));
        assert!(!Choice { failed: true, ..Choice::default() }.has(&nothing, || None::<&[u8]>));
    }

    #[test]
    fn a_moment_is_a_time_or_a_duration_before_now() {
        let Moment(ago) = "2h".parse().unwrap();
        let seconds = Timestamp::now().duration_since(ago).as_secs();
        assert!((7_200..7_260).contains(&seconds), "{seconds}");
        assert_eq!("2026-11-24T08:52:40+01:00".parse(), Ok(Moment("2026-11-24T07:52:40Z".parse().unwrap())));
        for text in ["0s", "250ms", "90s", "1h 30m"] {
            assert!(text.parse::<Moment>().is_ok(), "{text}");
        }
        for text in ["", "10", "-2h", "2h ago", "yesterday", "9999999999999999h", "2026-11-24"] {
            let error = text.parse::<Moment>().unwrap_err();
            assert!(error.starts_with(&format!("`{text}` is neither a duration")), "{error}");
        }
    }
}
