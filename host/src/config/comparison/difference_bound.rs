//! How much may differ: a number of inputs, or a share of them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::{self, Display};
use std::str::FromStr;

/// A bound on what differs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DifferenceBound {
    /// So many inputs.
    Inputs(u64),
    /// So many of a hundred inputs that were compared.
    Percent(f64),
}

impl FromStr for DifferenceBound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bound = match text.strip_suffix('%') {
            Some(percent) => percent
                .parse()
                .ok()
                .filter(|percent| (0.0..=100.0).contains(percent) && percent_is_plain(text))
                .map(Self::Percent),
            None => text.parse().ok().map(Self::Inputs),
        };
        bound.ok_or_else(|| format!("`{text}` is neither a number of inputs such as 0 nor a share such as 0.1%"))
    }
}

/// Whether it has but digits and a point: numbers are written in more ways than people use.
fn percent_is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || [b'.', b'%'].contains(&byte))
}

impl Display for DifferenceBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inputs(max) => write!(f, "{max}"),
            Self::Percent(max) => write!(f, "{max}%"),
        }
    }
}

/// As a configuration has it: a number, or a text.
#[derive(Deserialize)]
#[serde(untagged, expecting = "neither a number of inputs such as 0 nor a share such as \"0.1%\"")]
enum Written {
    Number(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for DifferenceBound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Number(max) => Ok(Self::Inputs(max)),
            Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

impl Serialize for DifferenceBound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Inputs(max) => serializer.serialize_u64(*max),
            Self::Percent(_) => serializer.collect_str(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_a_number_or_a_share() {
        let bound = |text: &str| text.parse::<DifferenceBound>().unwrap();
        assert_eq!(bound("12"), DifferenceBound::Inputs(12));
        assert_eq!(bound("0.1%"), DifferenceBound::Percent(0.1));
        for text in ["", "-1", "1.5", "%", "101%", "-1%", "nan%", "inf%", "1e1%", "few"] {
            let error = text.parse::<DifferenceBound>().unwrap_err();
            assert!(error.starts_with(&format!("`{text}` is neither")), "{error}");
        }
        for text in ["0", "0.1%", "100%"] {
            assert_eq!(bound(text).to_string(), text);
        }
    }
}
