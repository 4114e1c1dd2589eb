//! What stands behind the `?` of a request to the admin surface.

use crate::config::EXAMPLE_NAME_BYTES_MAX;
use crate::http::problem::Problem;
use crate::http::query::pairs;
use crate::plugin::{Cause, Put};
use crate::rehearsal::shadow::Asked;
use std::collections::BTreeSet;

/// What the query of a load may say.
const LOAD_FLAGS: &str = "expect_diff=true or expect_diff=false";
/// What that of a PUT may say.
const PUT_FLAGS: &str = "persist=true or persist=false, expect_diff=true or expect_diff=false";

/// Whether a PUT is to be written to the source, and whether what is sent is wanted to answer otherwise than what serves.
///
/// # Errors
/// When the query says anything else, or the same twice.
pub(super) fn put(query: &str) -> Result<Put, Problem> {
    let [persist, expects_difference] = flags(query, ["persist", "expect_diff"]).ok_or_else(|| malformed(PUT_FLAGS))?;
    Ok(Put { persist, expects_difference })
}

/// Why the source is to be loaded: whether what it holds is wanted to answer otherwise than what serves.
///
/// # Errors
/// When the query says anything else, or the same twice.
pub(super) fn load(query: &str) -> Result<Cause, Problem> {
    let [expects_difference] = flags(query, ["expect_diff"]).ok_or_else(|| malformed(LOAD_FLAGS))?;
    Ok(if expects_difference { Cause::AskedToDiffer } else { Cause::Asked })
}

fn malformed(flags: &str) -> Problem {
    Problem::Malformed(format!("the query takes {flags}, once each, and nothing else"))
}

/// Which of these words are true; none if the query says anything else, or the same twice.
fn flags<const N: usize>(query: &str, names: [&str; N]) -> Option<[bool; N]> {
    let mut said = [None; N];
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=')?;
        let at = names.iter().position(|known| *known == name)?;
        if said[at].replace(value.parse().ok()?).is_some() {
            return None;
        }
    }
    Some(said.map(Option::unwrap_or_default))
}

/// The generation to go back to, if one is named, and whether the rollback is to outlast the host.
///
/// # Errors
/// When the query says anything else, or the same twice.
pub(super) fn rollback(query: &str) -> Result<(Option<u64>, bool), Problem> {
    let malformed =
        || Problem::Malformed("the query takes to=GENERATION and persist=true or persist=false, once each".to_owned());
    let (mut wanted, mut persist) = (None, None);
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let twice = match part.split_once('=') {
            Some(("to", generation)) => wanted.replace(generation.parse().map_err(|_| malformed())?).is_some(),
            Some(("persist", value)) => persist.replace(value.parse().map_err(|_| malformed())?).is_some(),
            _ => true,
        };
        if twice {
            return Err(malformed());
        }
    }
    Ok((wanted, persist.unwrap_or_default()))
}

/// What a shadow is asked for.
///
/// # Errors
/// When the query says anything else, or makes no sense.
pub(super) fn shadow(query: &str) -> Result<Asked, Problem> {
    let takes =
        "percent, min_calls, max_diff and auto=true or auto=false, once each, ignore, unordered and set=KEY=VALUE";
    asked(query, takes, |key, value, asked| {
        if key != "set" {
            return share_and_rules(key, value, asked);
        }
        let (key, value) = value.split_once('=')?;
        asked.set.insert(key.to_owned(), value.to_owned());
        Some(())
    })
}

/// The plugins that a flow is to lead through in the shadow, and what else is asked for.
///
/// # Errors
/// As [`shadow`].
pub(super) fn chain(query: &str) -> Result<(Vec<String>, Asked), Problem> {
    let mut through = Vec::new();
    let takes = "percent, min_calls, max_diff and auto=true or auto=false, once each, ignore, unordered and through";
    let asked = asked(query, takes, |key, value, asked| match key {
        "through" => {
            through.push(value.to_owned());
            Some(())
        }
        _ => share_and_rules(key, value, asked),
    })?;
    match &through[..] {
        [] => {
            let what = "the query names no plugin: say through=NAME for each, or through= for none";
            return Err(Problem::Malformed(what.to_owned()));
        }
        [none] if none.is_empty() => through.clear(),
        _ => {}
    }
    Ok((through, asked))
}

/// What a promotion takes instead of what the shadow was begun with, and whether it is to outlast the host.
///
/// # Errors
/// As [`shadow`].
pub(super) fn promotion(query: &str) -> Result<(Asked, bool), Problem> {
    let mut persist = false;
    let asked =
        asked(query, "min_calls, max_diff and persist=true or persist=false, once each", |key, value, asked| {
            if key != "persist" {
                return terms(key, value, asked);
            }
            persist = value.parse().ok()?;
            Some(())
        })?;
    Ok((asked, persist))
}

fn share_and_rules(key: &str, value: &str, asked: &mut Asked) -> Option<()> {
    match key {
        "percent" => asked.percent = Some(value.parse().ok()?),
        "auto" => asked.auto = value.parse().ok()?,
        "ignore" => asked.ignore.push(value.to_owned()),
        "unordered" => asked.unordered.push(value.to_owned()),
        _ => return terms(key, value, asked),
    }
    Some(())
}

fn terms(key: &str, value: &str, asked: &mut Asked) -> Option<()> {
    match key {
        "min_calls" => asked.min_calls = Some(value.parse().ok()?),
        "max_diff" => asked.max_diff = Some(value.to_owned()),
        _ => return None,
    }
    Some(())
}

/// What `take` makes of all pairs of a query.
fn asked(
    query: &str,
    takes: &str,
    mut take: impl FnMut(&str, &str, &mut Asked) -> Option<()>,
) -> Result<Asked, Problem> {
    let (mut asked, mut seen) = (Asked::default(), BTreeSet::new());
    for (key, value) in pairs(query).map_err(Problem::Malformed)? {
        let may_repeat = matches!(&*key, "ignore" | "unordered" | "set" | "through");
        let is_first = may_repeat || seen.insert(key.to_string());
        take(&key, &value, &mut asked)
            .filter(|()| is_first)
            .ok_or_else(|| Problem::Malformed(format!("the query takes {takes}, and nothing else")))?;
    }
    Ok(asked)
}

/// The name of an example.
///
/// # Errors
/// When the query says anything else.
pub(super) fn example_name(query: &str) -> Result<Option<String>, Problem> {
    let mut pairs = pairs(query).map_err(Problem::Malformed)?;
    match (pairs.pop(), pairs.is_empty()) {
        (None, _) => Ok(None),
        (Some((key, name)), true) if key == "name" && name.len() <= EXAMPLE_NAME_BYTES_MAX => {
            Ok(Some(name.into_owned()))
        }
        _ => Err(Problem::Malformed(format!(
            "the query takes name=TEXT, of {EXAMPLE_NAME_BYTES_MAX} bytes at most, and nothing else"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_takes_each_word_once() {
        let says = |persist, expects_difference| Put { persist, expects_difference };
        for (query, put_says) in [
            ("", says(false, false)),
            ("persist=true", says(true, false)),
            ("persist=false", says(false, false)),
            ("expect_diff=true&persist=true", says(true, true)),
        ] {
            assert_eq!(put(query).expect(query), put_says);
        }
        assert_eq!([load("").unwrap(), load("expect_diff=false").unwrap()], [Cause::Asked; 2]);
        assert_eq!(load("expect_diff=true").unwrap(), Cause::AskedToDiffer);
        for query in ["persist", "persist=1", "persist=true&persist=true", "expect_diff", "x=true"] {
            assert!(matches!(put(query), Err(Problem::Malformed(_))), "{query}");
            assert!(matches!(load(query), Err(Problem::Malformed(_))), "{query}");
        }
    }

    #[test]
    fn a_shadow_takes_each_word_once_but_those_of_lists() {
        let asked = shadow("percent=5&ignore=$.a&ignore=$.b&set=k=v=w&auto=false").unwrap();
        assert_eq!((asked.percent, &asked.ignore[..]), (Some(5.0), &["$.a".to_owned(), "$.b".to_owned()][..]));
        assert_eq!(asked.set["k"], "v=w");
        let (through, asked) = chain("through=a&through=b&min_calls=7&max_diff=1%25").unwrap();
        assert_eq!((&through[..], asked.min_calls), (&["a".to_owned(), "b".to_owned()][..], Some(7)));
        assert_eq!(asked.max_diff.as_deref(), Some("1%"));
        assert_eq!(chain("through=").unwrap().0, [""; 0]);
        assert!(promotion("persist=true").unwrap().1);
        for query in ["percent=5&percent=5", "through=a", "auto=1", "set=k", "min_calls=x", "persist=true"] {
            assert!(matches!(shadow(query), Err(Problem::Malformed(_))), "{query}");
        }
        for query in ["", "percent=5", "through=a&set=k=v"] {
            assert!(matches!(chain(query), Err(Problem::Malformed(_))), "{query}");
        }
        assert!(matches!(promotion("percent=5"), Err(Problem::Malformed(_))));
    }

    #[test]
    fn a_rollback_takes_each_word_once() {
        for (query, says) in [
            ("", (None, false)),
            ("to=3", (Some(3), false)),
            ("persist=true", (None, true)),
            ("persist=false&to=18446744073709551615", (Some(u64::MAX), false)),
        ] {
            assert_eq!(rollback(query).expect(query), says);
        }
        for query in ["to", "to=", "to=-1", "to=x", "to=1&to=1", "persist=1", "persist=true&persist=true", "x=1", "=&"]
        {
            assert!(matches!(rollback(query), Err(Problem::Malformed(_))), "{query}");
        }
    }
}
