//! The query of a list of dead letters.

use crate::config::ADMIN_LETTERS_MAX;
use crate::http::problem::Problem;
use crate::http::query;
use crate::record::choice::PlaceKind;
use crate::record::dead_letters::{Cursor, DealtWith, Filter, Order};

/// Letters of one answer, if the caller does not say how many.
const LETTERS: usize = 100;

/// Which letters a query means, in which order, where they begin, and how many are wanted.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) filter: Filter,
    pub(super) order: Order,
    pub(super) cursor: Option<Cursor>,
    pub(super) limit: usize,
}

/// What a query chooses.
///
/// # Errors
/// When it has another parameter, or a value that makes no sense.
pub(super) fn choice(text: &str) -> Result<Choice, Problem> {
    let (mut filter, mut order, mut cursor, mut limit) = (Filter::default(), Order::default(), None, LETTERS);
    for (name, value) in query::pairs(text).map_err(Problem::Malformed)? {
        let malformed = |why: String| Problem::Malformed(format!("{name}: {why}"));
        match &*name {
            "reason" => filter.choice.reasons.push(value.into_owned()),
            "flow" => filter.choice.places.push((PlaceKind::Flow, value.into_owned())),
            "route" => filter.choice.places.push((PlaceKind::Route, value.into_owned())),
            "policy" => filter.choice.places.push((PlaceKind::Policy, value.into_owned())),
            "plugin" => filter.choice.plugins.push(value.into_owned()),
            "topic" => filter.choice.topic = value.into_owned().into_bytes(),
            "since" => filter.choice.since = Some(value.parse().map_err(malformed)?),
            "until" => filter.choice.until = Some(value.parse().map_err(malformed)?),
            "dealt_with" => {
                filter.dealt_with = match &*value {
                    "no" => DealtWith::No,
                    "only" => DealtWith::Only,
                    "all" => DealtWith::All,
                    _ => return Err(malformed(format!("`{value}` is none of no, only and all"))),
                };
            }
            "order" => order = value.parse().map_err(malformed)?,
            "cursor" => cursor = Some(value.parse().map_err(malformed)?),
            "limit" => {
                limit = value
                    .parse()
                    .ok()
                    .filter(|limit| (1..=ADMIN_LETTERS_MAX).contains(limit))
                    .ok_or_else(|| malformed(format!("`{value}` is no number from 1 to {ADMIN_LETTERS_MAX}")))?;
            }
            _ => {
                return Err(Problem::Malformed(format!(
                    "the query takes flow, route, policy, plugin, reason, topic, since, until, dealt_with, order, limit and cursor, and \
                     not {name}"
                )));
            }
        }
    }
    Ok(Choice { filter, order, cursor, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_which_letters() {
        let text = "reason=trapped&reason=failed&plugin=p&flow=f&topic=t&until=2h&dealt_with=all&order=newest&limit=7";
        let Choice { filter, order, cursor, limit } = choice(text).unwrap();
        assert_eq!((filter.choice.reasons.len(), &*filter.choice.plugins, limit), (2, &["p".to_owned()][..], 7));
        assert_eq!(
            (filter.dealt_with, order, cursor, filter.choice.since),
            (DealtWith::All, Order::Newest, None, None)
        );
        for (query, why) in [
            ("limit=0", "limit: `0` is no number from 1 to"),
            ("limit=9999999", "limit: "),
            ("dealt_with=", "dealt_with: `` is none of"),
            ("order=", "order: `` is neither oldest nor newest"),
            ("since=soon", "since: `soon` is neither"),
            ("until=", "until: `` is neither"),
            ("cursor=x", "cursor: `x` is no cursor"),
            ("reasons=x", "and not reasons"),
        ] {
            match choice(query) {
                Err(Problem::Malformed(detail)) => assert!(detail.contains(why), "{query}: {detail}"),
                other => panic!("{query}: {other:?}"),
            }
        }
    }
}
