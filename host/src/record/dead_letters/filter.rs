//! Which letters are meant: those that are chosen, as far as they were dealt with or not.

use super::letter::Letter;
use super::mark::Replay;
use super::summary::Summary;
use crate::record::choice::{Choice, PlaceKind, Traits};
use serde::Deserialize;

/// Chooses letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// As of any captured traffic. What is said of a route is said of whatever letters have as their route: the name of a
    /// policy too, or `flows.NAME`.
    pub choice: Choice,
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
    /// Whether this letter is meant, which nobody has dealt with.
    pub fn has(&self, letter: &Letter) -> bool {
        self.matches(&Summary::from(letter), || letter.input.topic().map(Vec::from))
    }

    /// Whether this letter is meant.
    pub fn matches(&self, letter: &Summary, topic: impl Fn() -> Option<Vec<u8>>) -> bool {
        let dealt_with = letter.replay.is_some_and(Replay::is_dealt_with);
        let handled = match self.dealt_with {
            DealtWith::No => !dealt_with,
            DealtWith::Only => dealt_with,
            DealtWith::All => true,
        };
        let traits = letter.traits();
        let as_route = Traits { kind: PlaceKind::Route, name: &letter.route, ..traits };
        handled && (self.choice.has(&traits, &topic) || self.choice.has(&as_route, &topic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(route: &str, hop: &str, replay: Option<Replay>) -> Summary {
        Summary {
            id: "1-2".to_owned(),
            time: "2026-11-24T08:52:40.500Z".to_owned(),
            hop: hop.to_owned(),
            route: route.to_owned(),
            reason: "failed".to_owned(),
            plugin: None,
            generation: None,
            replay,
            replayed_at: None,
        }
    }

    fn of(kind: PlaceKind, name: &str) -> Filter {
        let places = vec![(kind, name.to_owned())];
        Filter { choice: Choice { places, ..Choice::default() }, ..Filter::default() }
    }

    #[test]
    fn a_letter_is_of_its_place_and_of_what_it_has_as_its_route() {
        for (route, hop, kind, name) in [
            ("a", "transform", PlaceKind::Route, "a"),
            ("flows.f", "processor", PlaceKind::Flow, "f"),
            ("flows.f", "policy", PlaceKind::Flow, "f"),
            ("p", "policy", PlaceKind::Policy, "p"),
            ("p", "reply", PlaceKind::Policy, "p"),
        ] {
            let letter = letter(route, hop, None);
            for chosen in [of(kind, name), of(PlaceKind::Route, route)] {
                assert!(chosen.matches(&letter, || None), "{letter:?} {chosen:?}");
            }
            assert!(!of(kind, "other").matches(&letter, || None));
            assert!(!of(PlaceKind::Policy, "a").matches(&letter, || None));
        }
    }

    #[test]
    fn a_letter_without_a_plugin_or_a_time_is_left_out_where_one_is_wanted() {
        let letter = Summary { time: "no time".to_owned(), ..letter("a", "transform", None) };
        for choice in [
            Choice { plugins: vec!["p".to_owned()], ..Choice::default() },
            Choice { since: Some("2h".parse().unwrap()), ..Choice::default() },
            Choice { topic: b"t".to_vec(), ..Choice::default() },
        ] {
            assert!(!Filter { choice, ..Filter::default() }.matches(&letter, || None));
        }
        let choice = Choice { topic: b"t".to_vec(), ..Choice::default() };
        assert!(Filter { choice, ..Filter::default() }.matches(&letter, || Some(b"topic".to_vec())));
    }

    #[test]
    fn what_was_dealt_with_is_left_out_unless_it_is_asked_for() {
        let shown =
            |dealt_with, replay| Filter { dealt_with, ..Filter::default() }.matches(&letter("", "", replay), || None);
        for open in [None, Some(Replay::Begun), Some(Replay::Failed)] {
            let all = [DealtWith::No, DealtWith::Only, DealtWith::All].map(|dealt_with| shown(dealt_with, open));
            assert_eq!(all, [true, false, true], "{open:?}");
        }
        for done in [Replay::Sent, Replay::Repeat] {
            let all = [DealtWith::No, DealtWith::Only, DealtWith::All].map(|dealt_with| shown(dealt_with, Some(done)));
            assert_eq!(all, [false, true, true], "{done:?}");
        }
    }
}
