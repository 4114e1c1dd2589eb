//! What whoever begins a shadow asks for: how much it is called, and what lets it take the place of what serves.

use crate::config::SHADOW_CALLS_MIN;
use crate::record::compare::{DifferenceBound, JsonPath, Rules};
use std::collections::BTreeMap;
use std::str::FromStr;

/// What is asked for. Whatever is left out has its default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// Of a hundred calls it is called on so many: above 0, at most 100.
    pub percent: Option<f64>,
    /// Calls that have to be compared before it may serve.
    pub min_calls: Option<u64>,
    /// How much may differ then, as a number of calls or as a share such as `0.1%`.
    pub max_diff: Option<String>,
    /// Whether it is to serve by itself once it may.
    pub auto: bool,
    /// Places in JSON that may differ.
    pub ignore: Vec<String>,
    /// Arrays in JSON whose elements may stand in any order.
    pub unordered: Vec<String>,
    /// Settings that differ from those of what serves; then it is the same component.
    pub set: BTreeMap<String, String>,
}

/// What is asked for makes no sense; says why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AskedError(String);

/// What was asked for, with every default.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) percent: f64,
    /// The largest mark that is taken.
    pub(super) mark_max: u64,
    pub(super) terms: Terms,
    pub(super) auto: bool,
    pub(super) rules: Rules,
}

/// What lets a newcomer serve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Terms {
    pub(super) min_calls: u64,
    pub(super) max_diff: DifferenceBound,
}

impl Wanted {
    /// # Errors
    /// Names what makes no sense, and what would.
    pub(super) fn of(asked: &Asked) -> Result<Self, AskedError> {
        let percent = asked.percent.unwrap_or(100.0);
        if !(percent > 0.0 && percent <= 100.0) {
            return Err(AskedError(format!("percent {percent} is not above 0 and up to 100")));
        }
        let terms = Terms { min_calls: SHADOW_CALLS_MIN, max_diff: DifferenceBound::Inputs(0) }.with(asked)?;
        let rules = Rules { ignored: paths(&asked.ignore)?, unordered: paths(&asked.unordered)? };
        // A share of all marks, as near as a float is.
        let mark_max = if percent < 100.0 { (percent / 100.0 * u64::MAX as f64) as u64 } else { u64::MAX };
        Ok(Self { percent, mark_max, terms, auto: asked.auto, rules })
    }
}

impl Terms {
    /// The same, but for what is asked for.
    ///
    /// # Errors
    /// Names what makes no sense, and what would.
    pub(super) fn with(self, asked: &Asked) -> Result<Self, AskedError> {
        let min_calls = asked.min_calls.unwrap_or(self.min_calls);
        if min_calls == 0 {
            return Err(AskedError("min_calls 0 would let in what was never called: give 1 or more".to_owned()));
        }
        let max_diff = asked.max_diff.as_deref().map(|text| parsed("max_diff", text)).transpose()?;
        Ok(Self { min_calls, max_diff: max_diff.unwrap_or(self.max_diff) })
    }
}

fn paths(texts: &[String]) -> Result<Vec<JsonPath>, AskedError> {
    texts.iter().map(|text| parsed("ignore and unordered", text)).collect()
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(what: &str, text: &str) -> Result<T, AskedError> {
    text.parse().map_err(|error| AskedError(format!("{what}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_checked_and_a_mistake_is_named() {
        let asked = Asked::default;
        for (asked, word) in [
            (Asked { percent: Some(0.0), ..asked() }, "percent 0 "),
            (Asked { percent: Some(f64::NAN), ..asked() }, "percent NaN"),
            (Asked { percent: Some(101.0), ..asked() }, "up to 100"),
            (Asked { min_calls: Some(0), ..asked() }, "min_calls 0 "),
            (Asked { max_diff: Some("few".to_owned()), ..asked() }, "`few` is neither"),
            (Asked { ignore: vec!["x".to_owned()], ..asked() }, "ignore"),
        ] {
            let error = Wanted::of(&asked).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        let wanted = Wanted::of(&Asked { percent: Some(25.0), ..asked() }).unwrap();
        assert!(wanted.mark_max > u64::MAX / 5 && wanted.mark_max < u64::MAX / 3);
        let looser = Asked { max_diff: Some("1%".to_owned()), ..asked() };
        let terms = wanted.terms.with(&looser).unwrap();
        assert_eq!(terms, Terms { min_calls: wanted.terms.min_calls, max_diff: DifferenceBound::Percent(1.0) });
    }
}
