//! Which letters are meant: by reason, route, plugin and time, and whether they were dealt with.

use super::mark::Replay;
use super::summary::Summary;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::str::FromStr;

/// Chooses letters. Of each list one entry has to fit; an empty one fits all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Reasons of the ledger.
    pub reasons: Vec<String>,
    /// Names of the plugins that letters were for.
    pub routes: Vec<String>,
    /// Names of the plugins that failed.
    pub plugins: Vec<String>,
    /// Lost then or later.
    pub since: Option<Since>,
    /// Whether they were dealt with.
    pub dealt_with: DealtWith,
}

/// Whether letters are meant that were dealt with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DealtWith {
    /// Those that were not.
    #[default]
    No,
    /// Those alone.
    Only,
    /// All.
    All,
}

impl Filter {
    /// Whether this letter is meant.
    pub fn matches(&self, letter: &Summary) -> bool {
        let fits = |wanted: &[String], name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
        let dealt_with = letter.replay.is_some_and(Replay::is_dealt_with);
        let handled = match self.dealt_with {
            DealtWith::No => !dealt_with,
            DealtWith::Only => dealt_with,
            DealtWith::All => true,
        };
        let since = self.since.is_none_or(|since| letter.time.parse().is_ok_and(|time: Timestamp| time >= since.0));
        handled
            && since
            && fits(&self.reasons, &letter.reason)
            && fits(&self.routes, &letter.route)
            && fits(&self.plugins, letter.plugin.as_deref().unwrap_or_default())
    }
}

/// A moment, given as one or by how long ago it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since(pub Timestamp);

impl FromStr for Since {
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

    fn letter(reason: &str, time: &str, replay: Option<Replay>) -> Summary {
        Summary {
            id: "1-2".to_owned(),
            time: time.to_owned(),
            hop: "transform".to_owned(),
            route: "a".to_owned(),
            reason: reason.to_owned(),
            plugin: None,
            generation: None,
            replay,
            replayed_at: None,
        }
    }

    #[test]
    fn a_letter_has_to_fit_every_list_and_the_time() {
        let filter = Filter {
            reasons: vec!["trapped".to_owned(), "failed".to_owned()],
            routes: vec!["a".to_owned()],
            since: Some("2026-11-24T08:52:40.5Z".parse().unwrap()),
            ..Filter::default()
        };
        assert!(filter.matches(&letter("failed", "2026-11-24T08:52:40.500Z", None)));
        assert!(!filter.matches(&letter("failed", "2026-11-24T08:52:40.499Z", None)));
        assert!(!filter.matches(&letter("starved", "2026-11-24T08:52:41.000Z", None)));
        assert!(!filter.matches(&letter("failed", "no time", None)));
        let of_plugin = Filter { plugins: vec!["p".to_owned()], ..Filter::default() };
        assert!(!of_plugin.matches(&letter("failed", "", None)), "no plugin was reached");
    }

    #[test]
    fn what_was_dealt_with_is_left_out_unless_it_is_asked_for() {
        let shown = |dealt_with, replay| Filter { dealt_with, ..Filter::default() }.matches(&letter("", "", replay));
        for open in [None, Some(Replay::Begun), Some(Replay::Failed)] {
            let all = [DealtWith::No, DealtWith::Only, DealtWith::All].map(|dealt_with| shown(dealt_with, open));
            assert_eq!(all, [true, false, true], "{open:?}");
        }
        for done in [Replay::Sent, Replay::Repeat] {
            let all = [DealtWith::No, DealtWith::Only, DealtWith::All].map(|dealt_with| shown(dealt_with, Some(done)));
            assert_eq!(all, [false, true, true], "{done:?}");
        }
    }

    #[test]
    fn a_moment_is_a_time_or_a_duration_before_now() {
        let Since(ago) = "2h".parse().unwrap();
        let seconds = Timestamp::now().duration_since(ago).as_secs();
        assert!((7_200..7_260).contains(&seconds), "{seconds}");
        assert_eq!("2026-11-24T08:52:40+01:00".parse(), Ok(Since("2026-11-24T07:52:40Z".parse().unwrap())));
        for text in ["0s", "250ms", "90s", "1h 30m"] {
            assert!(text.parse::<Since>().is_ok(), "{text}");
        }
        for text in ["", "10", "-2h", "2h ago", "yesterday", "9999999999999999h", "2026-11-24"] {
            let error = text.parse::<Since>().unwrap_err();
            assert!(error.starts_with(&format!("`{text}` is neither a duration")), "{error}");
        }
    }
}
