//! How a length of time is written, in flags and in the configuration alike: `250ms`, `5s`, `10m`, `1h 30m`.

use serde::Deserializer;
use serde::de::{Error, Visitor};
use std::fmt;
use std::time::Duration;

/// Reads a length of time with its units. A plain number is none: nobody would know what it counts.
///
/// # Errors
/// Quotes the text and says what a length of time looks like, when it is none.
pub fn duration(text: &str) -> Result<Duration, String> {
    let read = text.parse::<jiff::SignedDuration>().ok().and_then(|read| Duration::try_from(read).ok());
    read.ok_or_else(|| format!("`{text}` is not a length of time such as 250ms, 5s, 10m or 1h"))
}

/// Reads how long to wait for an answer: as [`duration`], from 1ms to 24h.
///
/// # Errors
/// As [`duration`], and when it is out of these bounds.
pub fn timeout(text: &str) -> Result<Duration, String> {
    // Far enough for anyone, and sums of it stay within what a clock can tell.
    let bounds = Duration::from_millis(1)..=Duration::from_hours(24);
    let out_of_bounds = || format!("`{text}` is not between 1ms and 24h");
    duration(text).and_then(|read| Some(read).filter(|read| bounds.contains(read)).ok_or_else(out_of_bounds))
}

/// Reads milliseconds, as a number or as a text such as `"5s"`, and holds them to their range while the parser still
/// knows the line.
///
/// # Errors
/// When the value is neither, or out of its range.
pub(in crate::config) fn milliseconds<'de, D, T, const MIN: i64, const MAX: i64>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    let number = deserializer.deserialize_any(Milliseconds { min: MIN, max: MAX })?;
    T::try_from(number).map_err(|_| D::Error::custom(format!("{number} is not between {MIN} and {MAX}")))
}

/// As [`milliseconds`], for a key that may be absent.
///
/// # Errors
/// As [`milliseconds`].
pub(in crate::config) fn milliseconds_if_any<'de, D, T, const MIN: i64, const MAX: i64>(
    deserializer: D,
) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    milliseconds::<D, T, MIN, MAX>(deserializer).map(Some)
}

struct Milliseconds {
    min: i64,
    max: i64,
}

impl Visitor<'_> for Milliseconds {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of milliseconds, or a text such as \"5s\"")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<i64, E> {
        let Self { min, max } = self;
        let is_allowed = (min..=max).contains(&number);
        if is_allowed { Ok(number) } else { Err(E::custom(format!("{number} is not between {min} and {max}"))) }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<i64, E> {
        self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<i64, E> {
        let read = duration(text).map_err(E::custom)?;
        if read.subsec_nanos() % 1_000_000 != 0 {
            return Err(E::custom(format!("`{text}` is no whole number of milliseconds")));
        }
        self.visit_i64(i64::try_from(read.as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_length_of_time_has_units() {
        for (text, ms) in [("250ms", 250), ("5s", 5_000), ("10m", 600_000), ("1h 30m", 5_400_000), ("1h30m", 5_400_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "5", "-5s", "soon", "5 parsecs", "s"] {
            assert!(duration(text).expect_err(text).contains(&format!("`{text}`")), "{text}");
        }
        assert_eq!(timeout("24h"), Ok(Duration::from_hours(24)));
        for text in ["0s", "25h"] {
            assert_eq!(timeout(text), Err(format!("`{text}` is not between 1ms and 24h")));
        }
    }

    #[test]
    fn keys_of_the_configuration_take_the_same_syntax_beside_a_number() {
        let parse = |value: &str| {
            let text = format!("[shutdown]\ngrace_ms = {value}\n[plugins.a.limits]\ncall_deadline_ms = {value}");
            toml::from_str::<Config>(&text)
        };
        for (value, ms) in [("2000", 2_000), ("\"2s\"", 2_000), ("\"250ms\"", 250)] {
            let config = parse(value).expect(value);
            assert_eq!((config.shutdown.grace_ms, config.limits_of("a").call_deadline_ms), (ms, ms), "{value}");
        }
        for (value, word) in [
            ("\"2\"", "`2` is not a length of time"),
            ("\"2h\"", "7200000 is not between 0 and 3600000"),
            ("-1", "-1 is not between"),
            ("\"1500us\"", "no whole number"),
            ("true", "a number of milliseconds, or a text"),
        ] {
            let text = format!("[shutdown]\ngrace_ms = {value}");
            let error = toml::from_str::<Config>(&text).expect_err(value).to_string();
            assert!(error.contains(word) && error.contains("line 2"), "{error}");
        }
    }
}
