//! How an amount of bytes is written in the configuration: a number, or a text with a unit, `64MiB`.

use serde::Deserializer;
use serde::de::{Error, Visitor};
use std::fmt;

/// The units, in bytes.
const UNITS: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// Reads bytes, as a number or as a text such as `"64MiB"`, and holds them to their range while the parser still knows the line.
///
/// # Errors
/// When the value is neither, or out of its range.
pub(in crate::config) fn size<'de, D, T, const MIN: u64, const MAX: u64>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    let bytes = deserializer.deserialize_any(Bytes)?;
    let out_of_range = || D::Error::custom(format!("{bytes} is not between {MIN} and {MAX}"));
    if !(MIN..=MAX).contains(&bytes) {
        return Err(out_of_range());
    }
    T::try_from(bytes).map_err(|_| out_of_range())
}

/// # Errors
/// Quotes a text that is no amount, and says what one looks like.
fn bytes(text: &str) -> Result<u64, String> {
    let unit = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)));
    let read = unit.and_then(|(number, bytes)| number.trim_end().parse::<u64>().ok()?.checked_mul(*bytes));
    read.ok_or_else(|| format!("`{text}` is no amount of bytes such as 64MiB or 1GiB"))
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of bytes, or a text such as \"64MiB\"")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
        u64::try_from(number).map_err(|_| E::custom(format!("{number} is no number of bytes")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        bytes(text).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_a_unit() {
        for (text, amount) in [("1KiB", 1 << 10), ("64MiB", 64 << 20), ("2 GiB", 2 << 30), ("1TiB", 1 << 40)] {
            assert_eq!(bytes(text), Ok(amount), "{text}");
        }
        for text in ["", "64", "64MB", "MiB", "-1KiB", "1.5GiB", "99999999999TiB"] {
            assert!(bytes(text).unwrap_err().contains(&format!("`{text}`")), "{text}");
        }
    }
}
