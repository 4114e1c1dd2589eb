//! What stands behind the `?` of a request to the admin surface.

use crate::config::EXAMPLE_NAME_BYTES_MAX;
use crate::http::problem::Problem;
use crate::http::query::pairs;

/// Whether a PUT is to be written to the source.
///
/// # Errors
/// When the query says anything else.
pub(super) fn put(query: &str) -> Result<bool, Problem> {
    match query {
        "" | "persist=false" => Ok(false),
        "persist=true" => Ok(true),
        _ => Err(Problem::Malformed("the query takes persist=true or persist=false, and nothing else".to_owned())),
    }
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
